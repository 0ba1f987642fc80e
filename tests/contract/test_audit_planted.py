"""What somebody plants in the database is found by the audit: rows too many, wake-ups that never come."""

from __future__ import annotations

import pytest

from agents.runtime.figures import cohort_group
from messaging.mail.memory import MemoryTransport
from messaging.ports import Ownership
from messaging.store.mongo_layout import states_of
from tests.contract.conftest import Keeping
from tests.contract.tampering import changed, lose_wake, put_groups, put_owner
from tests.contract.test_audit_handovers import thanked
from tests.contract.test_quarantine import ann_buys, audited
from tests.house_builders import House, a_house


async def found_in(house: House) -> list[str]:
    """Return what an audit finds."""
    return sorted(each.what for each in (await audited(house)).findings)


async def test_a_row_that_no_shard_wanted_is_found_in_tables_that_several_write(
    keeping: Keeping,
) -> None:
    post = MemoryTransport()
    async with a_house(keeping.store(), keeping.journal(), post=post) as house:
        await ann_buys(house)
        [send] = await thanked(house)
        assert await found_in(house) == []
        visitor, at = send["visitor"], house.clock.now()
        fields = {"visitor": visitor, "at": at, "kind": "goal", "value": 1.0, "human": 1.0}
        await house.store.put_document("rewards", "d:goal", fields | {"decision_id": "d"})
        await house.store.put_document("alerts", "a", {"visitor": visitor, "at": at})
        await house.store.put_document("story", "s", {"visitor": visitor, "at": at, "kind": "x"})
        assert await found_in(house) == [
            "alerts row a is not in the record",
            "rewards row d:goal is not in the record",
            "story row s is not in the record",
        ]


async def test_a_wake_up_that_would_never_come_is_found(keeping: Keeping) -> None:
    post = MemoryTransport()
    async with a_house(keeping.store(), keeping.journal(), post=post) as house:
        await ann_buys(house)
        [send] = await thanked(house)
        await lose_wake(house.store, "behavior", send["visitor"])
        assert await found_in(house) == [
            f"behavior-0: {send['visitor']} would not be woken when they are next due"
        ]


async def owned(house: House, shard: str) -> Ownership:
    owner = await house.store.owner(shard)
    assert owner is not None
    return owner


async def test_who_is_listed_where_their_state_does_not_say_is_found(keeping: Keeping) -> None:
    post = MemoryTransport()
    async with a_house(keeping.store(), keeping.journal(), post=post) as house:
        await ann_buys(house)
        [send] = await thanked(house)
        visitor, store = send["visitor"], house.store
        read = (await store.states("behavior", [visitor]))[visitor]
        assert read.groups
        said = [f"behavior-0: {visitor} is listed in other groups than its state says"]
        for groups in ([*read.groups, cohort_group("planted")], read.groups[1:], None):
            await put_groups(store, "behavior", visitor, groups)
            assert await found_in(house) == said
        await put_groups(store, "behavior", visitor, read.groups)
        assert await found_in(house) == []


@pytest.mark.parametrize("kept_at", ["mongo"], indirect=True)
async def test_a_state_that_stands_in_a_wrong_partition_is_found(keeping: Keeping) -> None:
    """In memory no partition stands beside a state: there it is always worked out."""
    post = MemoryTransport()
    async with a_house(keeping.store(), keeping.journal(), post=post) as house:
        await ann_buys(house)
        [send] = await thanked(house)
        visitor, store = send["visitor"], house.store
        said = f"sales-0: {visitor} stands in another partition than its own"
        partition = (await store.states("sales", [visitor]))[visitor].partition
        for update in ({"$set": {"p": (partition + 1) % 256}}, {"$unset": {"p": ""}}):
            await changed(store, states_of("sales"), visitor, update)
            assert said in await found_in(house)


async def test_figures_that_the_states_do_not_add_up_to_are_found(keeping: Keeping) -> None:
    post = MemoryTransport()
    async with a_house(keeping.store(), keeping.journal(), post=post) as house:
        await ann_buys(house)
        await thanked(house)
        for shard, changes, said in (
            ("behavior-0", {"people": 2.0}, "people counts 2, the states make 1"),
            ("sales-0", {"revenue/EUR": 21.0}, "revenue/EUR counts 21, the states make 20"),
            ("sales-0", {"orders/USD": 1.0}, "orders/USD counts 1, the states make 0"),
        ):
            figures = (await owned(house, shard)).figures
            await put_owner(house.store, shard, "figures", figures | changes)
            assert await found_in(house) == [f"{shard}: {said}"]
            await put_owner(house.store, shard, "figures", figures)
        await put_owner(house.store, "sales-0", "figures", {})
        assert "sales-0: orders counts 0, the states make 1" in await found_in(house)


async def test_an_outbox_that_ends_elsewhere_than_its_owner_says_is_found(keeping: Keeping) -> None:
    post = MemoryTransport()
    async with a_house(keeping.store(), keeping.journal(), post=post) as house:
        await ann_buys(house)
        await thanked(house)
        sent = (await owned(house, "behavior-0")).sent
        told = sent["sales-0"]
        for says in {told + 1, told - 1, 0}:
            await put_owner(house.store, "behavior-0", "sent", sent | {"sales-0": says})
            assert await found_in(house) == [
                f"behavior-0: {says} documents are said to be written for sales-0, its outbox ends elsewhere"
            ]
