"""The product is upgraded: what older code recorded stays as it is, and what is recorded since is folded and proved."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from agents.behavior_bot.bot import BehaviorBot
from agents.behavior_bot.state import BehaviorState
from agents.runtime.held import Codec
from agents.runtime.registry import WIRING
from agents.runtime.replay import RecordBrokenError, Replayer
from messaging.ports import Checkpoint, Commit, StateWrite
from messaging.vocabulary.ids import PARTITIONS, partition_of
from scripts.audit import Auditor, Report
from tests.contract.conftest import Keeping
from tests.contract.tampering import put_owner
from tests.contract.test_erasure import (
    Fuse,
    an_eraser,
    asks,
    at_rest,
    known,
    left,
    until,
)
from tests.contract.test_store_batches import a_commit, a_visitor
from tests.house_builders import SHARDS, House, a_house

NOON = datetime(2026, 3, 2, 12, 0, 0, 123457, tzinfo=UTC)
FIGURES = {"people": 3.0, "revenue/a.b": 20.5}
HEAD = Checkpoint(7, {"journal:1": (1 << 40) + 3}, NOON, "state=1 consent=opt-in", FIGURES)
ANN, BEN = "ann@erase.example", "ben@erase.example"


class NewerBehavior(BehaviorBot):
    """Have a layout of its own, which differs from the one before by its number alone."""

    version = BehaviorBot.version + 1

    def upgrade(self, version: int, body: bytes) -> BehaviorState:
        """Return the state that an older layout holds."""
        if version == BehaviorBot.version:
            return msgspec.msgpack.decode(body, type=BehaviorState)
        return super().upgrade(version, body)


# What the store promises


async def put_states(store: Any, names: list[str], body: bytes, batch: int = 1) -> None:
    states = [StateWrite(a_visitor(name), body, None) for name in names]
    commit: Commit = a_commit(1, batch, states=states)
    await store.commit(commit)


async def copied(store: Any, of: tuple[int, int], batch: int, limit: int = 3) -> int:
    count, after = 0, ""
    while True:
        some, after = await store.copy_states(f"rules-{of[0]}", "rules", of, batch, after, limit)
        count += some
        if not after:
            return count


async def test_a_head_is_kept_and_removed(keeping: Keeping):
    store = keeping.store()
    assert await store.checkpoint("rules-0") is None
    await store.put_checkpoint("rules-0", HEAD)
    await store.put_checkpoint("rules-1", HEAD)
    assert await store.checkpoint("rules-0") == HEAD
    await store.remove_checkpoint("rules-0")
    assert await store.checkpoint("rules-0") is None
    assert await store.checkpoint("rules-1") == HEAD


async def test_states_are_copied_by_slices_and_stay_as_they_were(keeping: Keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    names = [f"v{n}" for n in range(20)]
    await put_states(store, names, b"old")
    counts = [await copied(store, (index, 2), 7) for index in (0, 1)]
    assert sum(counts) == 20
    assert min(counts) > 0
    await put_states(store, names, b"new", batch=2)
    for index, count in enumerate(counts):
        shard = f"rules-{index}"
        assert await store.kept_visitors(shard, "", 100) == []  # no head: it was cut off
        await store.put_checkpoint(shard, HEAD)
        found = await store.kept_visitors(shard, "", 100)
        assert len(found) == count
        assert found == sorted(found)
        assert all(partition_of(each) * 2 // PARTITIONS == index for each in found)
        assert await store.kept_visitors(shard, found[0], 2) == found[1:3]
        assert set((await store.kept_states(shard, found)).values()) == {b"old"}
        assert await store.kept_states(shard, ["nobody"]) == {}


async def test_a_newer_checkpoint_takes_the_place_of_an_older_one(keeping: Keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    await put_states(store, ["ann", "ben"], b"old")
    await copied(store, (0, 1), 7)
    await put_states(store, ["ann"], b"new", batch=2)
    await store.put_checkpoint("rules-0", msgspec.structs.replace(HEAD, batch=8))
    assert await store.kept_visitors("rules-0", "", 9) == []  # of batch 7: the copies are of no use
    await copied(store, (0, 1), 8)
    assert await store.kept_states("rules-0", [a_visitor("ann"), a_visitor("ben")]) == {
        a_visitor("ann"): b"new",
        a_visitor("ben"): b"old",
    }


async def test_who_is_removed_is_removed_from_checkpoints(keeping: Keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    await put_states(store, ["ann", "ben"], b"old")
    await copied(store, (0, 1), 7)
    await store.put_checkpoint("rules-0", HEAD)
    assert await keeping.sweep().drop_states("rules", [a_visitor("ann")]) == 1
    assert await store.kept_visitors("rules-0", "", 9) == [a_visitor("ben")]


# What an upgrade does


async def lives(house: House, name: str, total: float) -> None:
    """Browse, say who one is, and buy."""
    browser, order = f"b-{name}", f"order-{name}-{total:.0f}"
    await house.views("/pricing", "/specs", browser=browser)
    consent = {"consent": {"categoryPreferences": {"email": True}}}
    traits = {"email": f"{name}@erase.example"}
    await house.call("identify", browser, userId=f"u-{name}", traits=traits, context=consent)
    bought = {"order_id": order, "total": total, "currency": "EUR"}
    await house.call("track", browser, event="Order Completed", properties=bought)


async def lived(house: House, name: str, orders: int) -> None:
    await until(lambda: known(house, f"{name}@erase.example", orders=orders))
    await until(lambda: at_rest(house))


async def before(keeping: Keeping) -> None:
    """Let the older code run for a while."""
    bots = {"behavior": BehaviorBot()}
    async with a_house(keeping.store(), keeping.journal(), build="old", bots=bots) as house:
        for name in ("ann", "ben"):
            await lives(house, name, 20.0)
        for name in ("ann", "ben"):
            await lived(house, name, 1)


@asynccontextmanager
async def upgraded(keeping: Keeping, build: str = "new") -> Any:
    bots = {"behavior": NewerBehavior()}
    async with a_house(keeping.store(), keeping.journal(), build=build, bots=bots) as house:
        house.skip(
            minutes=10
        )  # each house's clock begins anew: this one's goes on after the one's before
        yield house


async def audited(house: House, keeping: Keeping, visitor: str | None = None) -> Report:
    view = house.shards["behavior-0"].spec.view

    async def view_at(*_: object) -> Any:
        return view

    auditor = Auditor(house.store, keeping.journal(), SHARDS, view_at)
    return await auditor.run(visitor=visitor, say=lambda _: None)


@pytest.fixture
def _newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the one who audits be of the newer version too."""
    wiring = replace(WIRING["behavior"], make=NewerBehavior)
    monkeypatch.setitem(WIRING, "behavior", wiring)


@pytest.mark.usefixtures("_newer")
async def test_after_an_upgrade_the_audit_proves_what_was_done_since(keeping: Keeping):
    await before(keeping)
    async with upgraded(keeping) as house:
        first = await audited(house, keeping)
        assert first.findings == []
        assert first.since is not None
        assert first.looked_at.get("batches", 0) == 0
        await lives(house, "ann", 30.0)
        await lives(house, "cat", 40.0)
        await lived(house, "ann", 2)
        await lived(house, "cat", 1)
        second = await audited(house, keeping)
        assert second.findings == []
        assert second.since == first.since
        assert second.looked_at["events"] == 8
        assert second.looked_at["states"] > first.looked_at["states"]
        one = await audited(house, keeping, ANN)
        assert one.findings == []


@pytest.mark.usefixtures("_newer")
async def test_what_is_not_true_is_found_before_and_behind_the_checkpoint(keeping: Keeping):
    await before(keeping)
    async with upgraded(keeping) as house:
        await lives(house, "ann", 30.0)
        await lived(house, "ann", 2)
        found = await house.store.visitors("behavior", "", 100)
        bodies = await house.store.load("behavior", found)
        layouts = {BehaviorBot.version, NewerBehavior.version}
        assert {msgspec.msgpack.decode(body)[0] for body in bodies.values()} == layouts
        commit: dict[str, Any] = {"shard": "behavior-0", "bot": "behavior"}
        owner = await house.store.acquire("behavior-0")
        untouched, touched = sorted(
            found, key=lambda each: msgspec.msgpack.decode(bodies[each])[0]
        )[:: len(found) - 1]
        [(_, record)] = await house.store.batches("behavior-0", owner.batch - 1, 1)
        nothing = msgspec.structs.replace(
            record, wakes=[], inputs=[], visitors=[], local=b"", skipped=[]
        )
        swapped = [
            StateWrite(untouched, bodies[touched], None),
            StateWrite(touched, bodies[untouched], None),
        ]
        await house.store.commit(
            a_commit(
                owner.epoch,
                owner.batch + 1,
                positions=owner.positions,
                sent=owner.sent,
                states=swapped,
                record=nothing,
                **commit,
            )
        )
        said = [each.what for each in (await audited(house, keeping)).findings]
        for visitor in (touched, untouched):
            assert f"behavior-0: {visitor} differs from its record" in said


async def shorter(store: Any, bot: str) -> list[StateWrite]:
    """Return a bot's states without their last field, where that has its default."""
    codec, found = Codec(WIRING[bot].make()), []
    for visitor, body in (await store.load(bot, await store.visitors(bot, "", 100))).items():
        version, wakes, moved, state = msgspec.msgpack.decode(body)
        fewer = msgspec.msgpack.encode((version, wakes, moved, state[:-1]))
        if codec.renewed(fewer) == body:
            found.append(StateWrite(visitor, fewer, codec.decode(body).due()))
    return found


async def test_what_other_code_wrote_with_fewer_fields_is_equal_under_the_same_number(
    keeping: Keeping,
):
    """A field with a default was added at the end of the states, and the number of the layout stayed."""
    await before(keeping)
    store = keeping.store()
    written = {bot: await shorter(store, bot) for bot in ("email", "sales", "engagement")}
    bot, states = next((bot, states) for bot, states in written.items() if states)
    shard = f"{bot}-0"
    owner = await store.acquire(shard)
    [(_, record)] = await store.batches(shard, owner.batch - 1, 1)
    nothing = msgspec.structs.replace(
        record, wakes=[], inputs=[], visitors=[], local=b"", skipped=[]
    )
    named: dict[str, Any] = {"shard": shard, "bot": bot, "record": nothing}
    kept: dict[str, Any] = {"positions": owner.positions, "sent": owner.sent}
    await store.commit(a_commit(owner.epoch, owner.batch + 1, states=states, **named, **kept))
    async with a_house(keeping.store(), keeping.journal(), build="new") as house:
        assert (await audited(house, keeping)).findings == []
        await lives(house, "ann", 30.0)
        await lived(house, "ann", 2)
        assert (await audited(house, keeping)).findings == []


@pytest.mark.usefixtures("_newer")
async def test_a_checkpoint_that_was_cut_off_is_no_checkpoint_and_is_begun_anew(keeping: Keeping):
    await before(keeping)
    store = keeping.store()
    owner = await store.acquire("behavior-0")
    await store.copy_states("behavior-0", "behavior", (0, 1), owner.batch, "", 1)

    async def view_at(*_: object) -> Any:
        raise AssertionError("nothing is folded")

    replayer = Replayer(NewerBehavior(), (0, 1), store, keeping.journal(), view_at)
    assert await replayer.begin() is None
    async with upgraded(keeping) as house:
        assert (await audited(house, keeping)).findings == []
    # Another start without a batch in between, by other code again: there is nothing that it could add.
    head = await store.checkpoint("behavior-0")
    async with upgraded(keeping, "third") as house:
        assert await store.checkpoint("behavior-0") == head
        await lives(house, "ann", 30.0)
        await lived(house, "ann", 2)
        assert (await audited(house, keeping)).findings == []


async def test_the_same_code_writes_none_and_what_it_did_before_is_repeated(keeping: Keeping):
    await before(keeping)
    async with a_house(keeping.store(), keeping.journal(), build="old") as house:
        for bot in SHARDS:
            assert await house.store.checkpoint(f"{bot}-0") is None
        await lives(house, "ann", 30.0)
        await lived(house, "ann", 2)
        report = await audited(house, keeping)
        assert report.findings == []
        assert report.since is None
        assert report.looked_at["events"] == 12


async def test_without_a_checkpoint_older_layouts_are_refused_in_one_line(keeping: Keeping):
    await before(keeping)
    async with a_house(keeping.store(), keeping.journal(), build="old") as house:
        view = house.shards["behavior-0"].spec.view

        async def view_at(*_: object) -> Any:
            return view

        replayer = Replayer(NewerBehavior(), (0, 1), house.store, keeping.journal(), view_at)
        with pytest.raises(RecordBrokenError, match="no checkpoint yet: start it once"):
            await replayer.advance()


@pytest.mark.usefixtures("_newer")
async def test_who_is_erased_is_erased_from_the_checkpoint_too(keeping: Keeping):
    await before(keeping)
    async with upgraded(keeping) as house:
        visitor = await asks(house, ANN)
        assert (await left(keeping, visitor)).keys() & {"checkpoint_states", "kept"}
        assert await an_eraser(house, keeping, Fuse()).look() == 1
        assert await left(keeping, visitor) == {}
        await until(lambda: at_rest(house))
        assert (await audited(house, keeping)).findings == []
        assert await known(house, BEN, orders=1)


class Recounting(NewerBehavior):
    """Count and list visitors otherwise than the version before."""

    def figures(self, state: BehaviorState) -> dict[str, float]:
        """Return what the version before did, and more."""
        return super().figures(state) | {"met": 1.0, "cohorts/met": 1.0}


async def test_what_newer_code_counts_otherwise_is_no_finding_and_what_is_planted_is_one(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
):
    """Figures go on from those of the checkpoint; who did nothing since is listed as older code listed them."""
    monkeypatch.setitem(WIRING, "behavior", replace(WIRING["behavior"], make=Recounting))
    await before(keeping)
    bots = {"behavior": Recounting()}
    async with a_house(keeping.store(), keeping.journal(), build="new", bots=bots) as house:
        await lives(house, "ann", 30.0)
        await lives(house, "cat", 40.0)
        await lived(house, "ann", 2)
        await lived(house, "cat", 1)
        assert (await audited(house, keeping)).findings == []
        owner = await house.store.owner("behavior-0")
        assert owner is not None
        assert owner.figures["met"] == 1.0
        planted = owner.figures | {"people": 7.0}
        await put_owner(house.store, "behavior-0", "figures", planted)
        said = [each.what for each in (await audited(house, keeping)).findings]
        assert said == ["behavior-0: people counts 7, the states make 3"]
        # A checkpoint of a version that did not keep them: nothing to go on from.
        head = await house.store.checkpoint("behavior-0")
        assert head is not None
        without = msgspec.structs.replace(head, figures=None)
        await house.store.put_checkpoint("behavior-0", without)
        assert await house.store.checkpoint("behavior-0") == without
        assert (await audited(house, keeping)).findings == []
