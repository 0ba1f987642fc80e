"""What somebody plants in the database is found by the audit: rows too many, wake-ups that never come."""

from __future__ import annotations

from messaging.mail.memory import MemoryTransport
from messaging.ports import Store
from messaging.store.memory import MemoryStore
from messaging.store.mongo import MongoStore
from messaging.store.mongo_layout import states_of
from tests.contract.conftest import Keeping
from tests.contract.test_audit_handovers import thanked
from tests.contract.test_quarantine import ann_buys, audited
from tests.house_builders import House, a_house


async def lose_wake(store: Store, bot: str, visitor: str) -> None:
    """Take away the only thing by which a shard finds who is due."""
    if isinstance(store, MemoryStore):
        del store._database.states[bot].dues[visitor]
        return
    assert isinstance(store, MongoStore)
    changed = await store._database[states_of(bot)].update_one(
        {"_id": visitor}, {"$unset": {"d": ""}}
    )
    assert changed.modified_count == 1


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
