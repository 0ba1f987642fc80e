"""Look-ups: asked after the commit, their answer recorded, asked again after a crash, and never in too long a line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.protocol.bot import View
from agents.runtime.held import Codec
from agents.runtime.limits import Limits
from agents.runtime.replay import RecordBrokenError, Replayer
from agents.runtime.scout import AT_ONCE_MAX, WAITING_MAX, Scout
from agents.runtime.shard import Shard
from agents.runtime.spec import ShardSpec
from agents.social_bot.bot import SocialBot
from messaging.journal.memory import MemoryJournal
from messaging.ports import IsWanted, always
from messaging.social.memory import MemoryLookUps
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.effects import CancelLookUp, LookUp
from messaging.vocabulary.letters import Letter, decode_letters
from messaging.vocabulary.messages import Identified, LookedUp, ProfileSeen
from messaging.vocabulary.plans import Finding
from tests.runtime_builders import START, FakeClock, Peer, Running, Silent, a_chunk, settle, visitor

VIEW = View(None, 0, {}, {}, social=True)


def nobody(source: str, address: str) -> str:
    """Say that nobody is known."""
    return "nobody"


class Stuck(MemoryLookUps):
    """Ask, and never hear the answer."""

    async def look_up(
        self, address: str, sources: list[str], is_wanted: IsWanted = always
    ) -> list[Finding]:
        self.asked.append((sources[0], address))
        await asyncio.get_running_loop().create_future()
        raise AssertionError


def a_social_shard(
    database: MemoryDatabase,
    clock: FakeClock,
    look_ups: MemoryLookUps,
    peer: Peer | None = None,
) -> Shard:
    """Return a shard of the Social bot."""
    return Shard(
        ShardSpec(
            bot=SocialBot(),
            index=0,
            of=1,
            shards={"behavior": 1, "social": 1},
            senders=["behavior-0", "social-0"],
            store=MemoryStore(database),
            peers=peer or Peer(),
            clock=clock,
            view=VIEW,
            log=Silent(),
            jitter=lambda: 0.5,
            scout=Scout(look_ups, clock),
            limits=Limits(sweep_seconds=0.05),
        )
    )


def identified(number: int) -> Identified:
    """Return that an address became known."""
    address = f"p{number}@example.com"
    who = visitor(number)
    return Identified(
        who,
        START,
        address,
        True,
        True,
        "UTC",
        0,
        "",
        {},
        may_look_up=True,
        may_look_up_by=["opt-in"],
    )


async def until(holds: Callable[[], Any]) -> None:
    """Wait for something, or fail."""
    end = asyncio.get_event_loop().time() + 2.0
    while not holds():
        assert asyncio.get_event_loop().time() < end
        await asyncio.sleep(0.001)


async def put(database: MemoryDatabase, shard: Shard, *messages: Any) -> None:
    """Hand messages of Behavior over, as its outbox holds them."""
    chunk = a_chunk(1, *messages)
    database.outbox.setdefault(("behavior-0", "social-0"), {})[1] = chunk
    await until(lambda: shard.deliver(chunk))


def told(peer: Peer) -> list[tuple[str, str]]:
    """Return what Behavior was told."""
    letters = [each for to, chunk in peer.got if chunk.body for each in decode_letters(chunk.body)]
    return [
        (each.message.visitor, each.message.presence)
        for each in letters
        if isinstance(each.message, ProfileSeen)
    ]


async def view_at(*_: object) -> View:
    """Return the one view there is."""
    return VIEW


async def test_who_became_known_is_asked_about_and_behavior_hears_of_it():
    database, clock, peer = MemoryDatabase(), FakeClock(), Peer()
    look_ups = MemoryLookUps(clock, nobody)
    async with Running(a_social_shard(database, clock, look_ups, peer)) as shard:
        await put(database, shard, identified(1), identified(2))
        await until(lambda: len(told(peer)) == 2)
        assert shard.metrics()["looked_up_total"] == 2
        await until(lambda: shard.metrics()["look_ups_under_way"] == 0)
    assert len(look_ups.asked) == 4
    assert set(told(peer)) == {(visitor(1), "none"), (visitor(2), "none")}


async def test_the_world_clock_waits_for_a_look_up():
    database, clock = MemoryDatabase(), FakeClock()
    look_ups = Stuck(clock, nobody)
    async with Running(a_social_shard(database, clock, look_ups)) as shard:
        await put(database, shard, identified(1))
        await until(lambda: look_ups.asked)
        for _ in range(3):
            report = shard.report()
            assert report is not None
            assert report.held_since == START


async def test_a_look_up_open_at_a_crash_is_asked_again_and_replays_to_the_same_bytes():
    database, clock, peer = MemoryDatabase(), FakeClock(), Peer()
    stuck = Stuck(clock, nobody)
    async with Running(a_social_shard(database, clock, stuck)) as shard:
        await put(database, shard, identified(1))
        await until(lambda: stuck.asked)
    look_ups = MemoryLookUps(clock, lambda source, _: "found" if source == "gravatar" else "nobody")
    clock.world += timedelta(minutes=6)
    async with Running(a_social_shard(database, clock, look_ups, peer)) as shard:
        await until(lambda: told(peer))
        await settle(shard, 2)
    assert told(peer) == [(visitor(1), "found")]
    assert [address for _, address in look_ups.asked] == ["p1@example.com"] * 2
    replayer = Replayer(
        SocialBot(), (0, 1), MemoryStore(database), MemoryJournal(database), view_at
    )
    await replayer.advance()
    stored = database.states["social"].bodies
    assert replayer.bodies() == dict(stored)
    assert len(look_ups.asked) == 2, "a replay asks nobody"
    state = Codec(SocialBot()).decode(stored[visitor(1)]).state
    assert state.asking is None


async def test_a_replay_that_lacks_what_set_a_wake_up_says_so():
    """An audit goes on with the other shards then; it once died of it."""
    database, clock = MemoryDatabase(), FakeClock()
    stuck = Stuck(clock, nobody)
    async with Running(a_social_shard(database, clock, stuck)) as shard:
        await put(database, shard, identified(1))
        await until(lambda: stuck.asked)
    clock.world += timedelta(minutes=6)
    async with Running(a_social_shard(database, clock, stuck)) as shard:
        await until(lambda: len(stuck.asked) > 1)
    store = MemoryStore(database)
    [_, first] = (await store.batches("social-0", 0, 1))[0]
    batches = database.shards["social-0"].batches
    without = msgspec.structs.replace(first, inputs=[], visitors=[], local=b"")
    batches[0] = (batches[0][0], msgspec.msgpack.encode(without))
    replayer = Replayer(SocialBot(), (0, 1), store, MemoryJournal(database), view_at)
    with pytest.raises(RecordBrokenError, match="which nothing before it had set"):
        await replayer.advance()


async def test_nobody_is_asked_about_a_mailbox_that_was_suppressed_before_the_commit():
    database, clock, peer = MemoryDatabase(), FakeClock(), Peer()
    await MemoryStore(database).suppress("p1@example.com", "one-click", START)
    look_ups = MemoryLookUps(clock, nobody)
    async with Running(a_social_shard(database, clock, look_ups, peer)) as shard:
        await put(database, shard, identified(1), identified(2))
        await until(lambda: len(told(peer)) == 2)
    assert {address for _, address in look_ups.asked} == {"p2@example.com"}
    assert set(told(peer)) == {(visitor(1), ""), (visitor(2), "none")}
    kinds = [row["kind"] for row in database.tables["story"].values()]
    assert kinds.count("social.refused") == 1


async def test_a_full_line_says_busy_and_asks_only_so_many_at_once():
    clock = FakeClock()
    look_ups = Stuck(clock, nobody)
    scout, said = Scout(look_ups, clock), []
    scout.start(said.append)
    most = AT_ONCE_MAX + WAITING_MAX
    acts = [
        ("v", LookUp(f"l{n}", "a@b.example", "box", ["gravatar"], START)) for n in range(most + 3)
    ]
    scout.committed(acts, [])
    scout.committed(acts, [])
    await asyncio.sleep(0)
    assert len(look_ups.asked) == AT_ONCE_MAX
    assert scout.waiting() == WAITING_MAX
    assert [each.findings[0].outcome for each in said] == ["busy"] * 3
    scout.committed([], [Letter(0, each) for each in said])
    assert scout.under_way() == most
    scout.stop()
    await asyncio.sleep(0)


async def test_a_look_up_under_way_ends_with_the_erasure_and_the_next_begins():
    clock = FakeClock()
    look_ups = Stuck(clock, nobody)
    scout, said = Scout(look_ups, clock), []
    scout.start(said.append)
    acts = [
        (f"v{n}", LookUp(f"l{n}", f"{n}@b.example", "box", ["gravatar"], START))
        for n in range(AT_ONCE_MAX + 1)
    ]
    scout.committed(acts, [])
    await asyncio.sleep(0)
    assert (scout.under_way(), scout.waiting()) == (AT_ONCE_MAX + 1, 1)
    scout.forget(["v0"])
    await until(lambda: not scout.waiting() and len(look_ups.asked) > AT_ONCE_MAX)
    assert scout.under_way() == AT_ONCE_MAX
    assert look_ups.asked[-1] == ("gravatar", f"{AT_ONCE_MAX}@b.example")
    assert not said
    scout.stop()
    await asyncio.sleep(0)


async def test_a_look_up_that_is_cancelled_leaves_the_line_and_nobody_is_asked():
    clock = FakeClock()
    look_ups = Stuck(clock, nobody)
    scout, said = Scout(look_ups, clock), []
    scout.start(said.append)
    acts = [
        (f"v{n}", LookUp(f"l{n}", f"{n}@b.example", "box", ["gravatar"], START))
        for n in range(AT_ONCE_MAX + 1)
    ]
    scout.committed(acts, [])
    await asyncio.sleep(0)
    scout.committed([("v", CancelLookUp(f"l{AT_ONCE_MAX}")), ("v", CancelLookUp("unknown"))], [])
    assert (scout.under_way(), scout.waiting()) == (AT_ONCE_MAX, 0)
    scout.forget(["v0"])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(look_ups.asked) == AT_ONCE_MAX
    assert not said
    scout.stop()
    await asyncio.sleep(0)


async def test_of_a_look_up_cancelled_under_way_what_was_asked_by_then_is_reported():
    clock = FakeClock()
    scout: Scout
    act = LookUp("l1", "a@b.example", "box", ["gravatar", "activitypub"], START)

    def refuses(source: str, address: str) -> str:
        scout.committed([("v1", CancelLookUp("l1"))], [])
        return "found"

    look_ups, said = MemoryLookUps(clock, refuses), []
    scout = Scout(look_ups, clock)
    scout.start(said.append)
    scout.committed([("v1", act)], [])
    await until(lambda: said)
    assert look_ups.asked == [("gravatar", "a@b.example")]
    findings = [(each.outcome, each.hosts) for each in said[0].findings]
    assert findings == [("found", ["gravatar.test"]), ("withdrawn", [])]
    scout.committed([], [Letter(0, said[0])])
    assert scout.under_way() == 0


async def test_a_refusal_that_is_committed_while_others_are_about_to_be_asked_stops_that():
    class Waiting(MemoryLookUps):
        async def look_up(
            self, address: str, sources: list[str], is_wanted: IsWanted = always
        ) -> list[Finding]:
            begun.set()
            await gate.wait()
            return await super().look_up(address, sources, is_wanted)

    begun, gate = asyncio.Event(), asyncio.Event()
    database, clock = MemoryDatabase(), FakeClock()
    look_ups = Waiting(clock, nobody)
    async with Running(a_social_shard(database, clock, look_ups)) as shard:
        await put(database, shard, identified(1))
        await begun.wait()
        said = msgspec.structs.replace(identified(1), may_look_up=False, may_look_up_by=[])
        chunk = a_chunk(2, said)
        database.outbox["behavior-0", "social-0"][2] = chunk
        await until(lambda: shard.deliver(chunk))
        await until(lambda: shard.metrics()["batches_total"] == 2)
        assert "social.forgotten" in kinds_of(database)
        gate.set()
        await until(lambda: shard.metrics()["look_ups_under_way"] == 0)
    assert look_ups.asked == []
    assert "social.asked" not in kinds_of(database)


def kinds_of(database: MemoryDatabase) -> list[str]:
    """Return the kinds of the story's lines."""
    return [row["kind"] for row in database.tables["story"].values()]


async def test_who_refuses_in_the_same_batch_is_not_asked_about():
    clock, look_ups = FakeClock(), MemoryLookUps(FakeClock(), nobody)
    scout, said = Scout(look_ups, clock), []
    scout.start(said.append)
    act = LookUp("l1", "a@b.example", "box", ["gravatar", "activitypub"], START)
    scout.committed([("v1", act), ("v1", CancelLookUp("l1"))], [])
    await until(lambda: said)
    assert look_ups.asked == []


async def test_an_error_of_ours_is_loud_and_leaves_the_look_up_to_be_said_again():
    class Broken(MemoryLookUps):
        async def look_up(
            self, address: str, sources: list[str], is_wanted: IsWanted = always
        ) -> list[Finding]:
            raise KeyError(address)

    loud = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loud.append(context))
    clock = FakeClock()
    scout = Scout(Broken(clock, nobody), clock)
    act = LookUp("l1", "a@b.example", "box", ["gravatar"], START)
    scout.committed([("v", act)], [])
    await until(lambda: loud)
    assert isinstance(loud[0]["exception"], KeyError)
    assert scout.under_way() == 0


def test_an_answer_travels_as_a_letter():
    finding = Finding("gravatar", ["a.example"], START, "found", "", "personal", 3, START)
    letter = Letter(0, LookedUp(visitor(1), START, "l1", [finding]))
    body = msgspec.msgpack.encode([letter])
    assert decode_letters(body) == [letter]
