"""The runtime's promises, each with a tiny bot on a memory store."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.runtime.gate import QUANTUM, limit
from messaging.clock import GatedClock
from messaging.journal.memory import MemoryJournal
from messaging.ports import Chunk, Commit
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.errors import CommitUnknown, Fenced, Unavailable
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import partition_of, position
from messaging.vocabulary.letters import decode_letters
from messaging.vocabulary.messages import CohortLeft, ScoreCrossed
from tests.runtime_builders import (
    START,
    FakeClock,
    Peer,
    Running,
    a_chunk,
    a_database,
    a_shard,
    a_store,
    entered,
    settle,
    state_of,
    visitor,
)


async def test_messages_change_state_once_in_order_whatever_is_delivered_twice() -> None:
    store = a_store(a_database())
    async with Running(a_shard(store)) as shard:
        shard.deliver(a_chunk(1, entered(1, "a"), entered(1, "b")))
        await settle(shard, 1)
        shard.deliver(a_chunk(1, entered(1, "a"), entered(1, "b")))
        shard.deliver(a_chunk(2, entered(1, "c")))
        await settle(shard, 2)
    assert (await state_of(store, 1)).seen == ["a", "b", "c"]


async def test_what_was_committed_is_not_done_again_by_the_next_owner() -> None:
    store = a_store(a_database())
    async with Running(a_shard(store)) as shard:
        shard.deliver(a_chunk(1, entered(1, "a")))
        await settle(shard, 1)
    async with Running(a_shard(store)) as shard:
        shard.deliver(a_chunk(1, entered(1, "a")))
        shard.deliver(a_chunk(2, entered(1, "b")))
        await settle(shard, 1)
    assert (await state_of(store, 1)).seen == ["a", "b"]


async def test_nothing_is_done_before_the_time_of_its_cause() -> None:
    """A grant reaches one process later than another: that one's clock stands at an older time."""
    store, later = a_store(a_database()), START + timedelta(hours=3)
    clock = GatedClock(START, math.inf)
    async with Running(a_shard(store, clock=clock)) as shard:
        shard.deliver(msgspec.structs.replace(a_chunk(1, entered(1, "a")), at=later))
        await settle(shard, 1)
        [(_, batch)] = await store.batches("rules-0", 0, 10)
        assert batch.at == clock.now() == later


async def test_the_lag_is_how_long_the_oldest_thing_waits_and_is_over_with_its_commit() -> None:
    """A store that does not answer holds the batch up; what comes meanwhile waits behind it."""

    class Stuck(MemoryStore):
        async def commit(self, commit: Any) -> None:
            await let_go.wait()
            await super().commit(commit)

    let_go, clock = asyncio.Event(), FakeClock()
    async with Running(a_shard(Stuck(a_database()), clock=clock)) as shard:
        assert shard.metrics()["lag_seconds"] == 0.0
        shard.deliver(a_chunk(1, entered(1, "a")))
        clock.world += timedelta(seconds=7)
        await asyncio.sleep(0.01)
        shard.deliver(msgspec.structs.replace(a_chunk(2, entered(1, "b")), at=clock.world))
        assert shard.metrics()["lag_seconds"] == 7.0
        clock.world += timedelta(seconds=2)
        assert shard.metrics()["lag_seconds"] == 9.0
        let_go.set()
        while shard.positions().get("behavior-0", 0) < 2:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert shard.metrics()["lag_seconds"] == 9.0, "the longest since the last look"
        assert shard.metrics()["lag_seconds"] == 0.0


async def test_a_letter_leaves_only_after_its_commit_and_again_until_it_is_held() -> None:
    store, peer = a_store(a_database()), Peer()
    peer.open = False
    async with Running(a_shard(store, peer=peer)) as shard:
        shard.deliver(a_chunk(1, entered(1, "a")))
        await settle(shard, 1)
        assert shard.metrics()["undelivered_chunks"] == 1
        peer.open = True
        while not peer.got:
            await asyncio.sleep(0.001)
    assert [to for to, _ in peer.got] == ["sales-0"]
    assert len(await store.read_outbox("rules-0", "sales-0", 0, 10)) == 1


async def test_a_successor_holds_the_clock_for_letters_that_the_dead_owner_had_not_delivered() -> (
    None
):
    """Each owner that dies lets the clock go on to a quantum past its letters: not each its successor as well."""
    store, clock, peer = a_store(a_database()), FakeClock(), Peer()
    peer.open = False
    async with Running(a_shard(store, clock=clock, peer=peer)) as shard:
        shard.deliver(a_chunk(1, entered(1, "a")))
        await settle(shard, 1)
    told_at = clock.now()
    for _ in range(3):
        async with Running(a_shard(store, clock=clock, peer=peer)) as shard:
            while (report := shard.report()) is None:
                await asyncio.sleep(0.001)
            clock.world = limit([report])
    assert clock.world <= told_at + QUANTUM


async def test_a_wake_up_that_came_due_while_everything_was_down_fires_once() -> None:
    store, clock = a_store(a_database()), FakeClock()
    async with Running(a_shard(store, clock=clock)) as shard:
        shard.deliver(a_chunk(1, CohortLeft(visitor=visitor(1), at=START, cohort="later")))
        await settle(shard, 1)
    clock.world = START + timedelta(days=3)
    for _ in range(2):
        async with Running(a_shard(store, clock=clock)) as shard:
            await asyncio.sleep(0.02)
    assert (await state_of(store, 1)).woken == 1


async def test_the_owner_of_an_older_epoch_is_fenced() -> None:
    store = a_store(a_database())
    zombie = Running(a_shard(store))
    async with zombie as old, Running(a_shard(store)) as new:
        new.deliver(a_chunk(1, entered(1, "a")))
        await settle(new, 1)
        old.deliver(a_chunk(1, entered(1, "a")))
        assert zombie.task is not None
        with pytest.raises(Fenced):
            await asyncio.wait_for(asyncio.shield(zombie.task), 2)
    assert (await state_of(store, 1)).seen == ["a"]


async def test_a_poisonous_letter_goes_into_quarantine_and_the_others_go_on() -> None:
    store = a_store(a_database())
    async with Running(a_shard(store)) as shard:
        shard.deliver(a_chunk(1, entered(1, "a"), entered(1, "poison"), entered(1, "b")))
        await settle(shard, 1)
    assert (await state_of(store, 1)).seen == ["a", "b"]
    rows = await store.rows("quarantine", {})
    assert len(rows) == 1
    assert "poison" in rows[0]["reason"]


async def test_an_endless_chain_of_causes_ends_in_quarantine() -> None:
    store, peer = a_store(a_database()), Peer()
    shard = a_shard(store, peer=peer)

    async def to_itself(to: str, chunk: Chunk) -> bool:
        return shard.deliver(chunk) if to == "rules-0" else True

    peer.deliver = to_itself  # type: ignore[method-assign]
    async with Running(shard):
        message = ScoreCrossed(visitor=visitor(1), at=START, score="s", value=1.0, band="b")
        shard.deliver(a_chunk(1, message))
        while not await store.rows("quarantine", {}):
            await asyncio.sleep(0.001)
    assert "causes stand before" in (await store.rows("quarantine", {}))[0]["reason"]


class Forgetful(MemoryStore):
    """Do what is asked, and now and then say that it did not work or may not have."""

    trouble = 0

    async def commit(self, commit: Commit) -> None:
        """Commit; every first try of a batch ends in an error, before or after the fact."""
        type(self).trouble += 1
        if self.trouble % 4 == 1:
            raise Unavailable("before")
        await super().commit(commit)
        if self.trouble % 4 == 3:
            raise CommitUnknown("after")


async def test_a_commit_that_may_have_happened_is_repeated_without_harm() -> None:
    store = Forgetful(a_database())
    async with Running(a_shard(store)) as shard:
        for number in range(1, 9):
            shard.deliver(a_chunk(number, entered(1, str(number))))
            await settle(shard, number)
    assert (await state_of(store, 1)).seen == [str(n) for n in range(1, 9)]


async def test_a_full_inbox_refuses_and_reads_the_rest_from_the_store() -> None:
    database = a_database()
    store = a_store(database)
    chunks = [a_chunk(number, entered(1, str(number))) for number in range(1, 9)]
    shard = a_shard(store, inbox_chunks_max=2)
    async with Running(shard):
        database.outbox["behavior-0", "rules-0"] = {chunk.last: chunk for chunk in chunks}
        taken = [shard.deliver(chunk) for chunk in chunks]
        assert not all(taken)
        while shard.positions().get("behavior-0", 0) < 8:
            await asyncio.sleep(0.001)
    assert (await state_of(store, 1)).seen == [str(n) for n in range(1, 9)]


async def test_draining_finishes_what_has_arrived() -> None:
    store = a_store(a_database())
    shard = a_shard(store)
    async with Running(shard):
        shard.deliver(a_chunk(1, entered(1, "a")))
        await shard.drain()
        while shard.metrics()["batches_total"] < 1:
            await asyncio.sleep(0)
    assert (await state_of(store, 1)).seen == ["a"]


async def test_a_wake_up_that_a_step_put_off_comes_later_and_not_at_once() -> None:
    """Both are due at one moment; the step of the first one puts the second off by an hour."""
    store, clock = a_store(a_database()), FakeClock()
    async with Running(a_shard(store, clock=clock)) as shard:
        keys = ("a puts off b", "b")
        asked = [CohortLeft(visitor=visitor(1), at=START, cohort=key) for key in keys]
        shard.deliver(a_chunk(1, *asked))
        await settle(shard, 1)
    for hours, woken in ((1, 1), (2, 2)):
        clock.world = START + timedelta(hours=hours)
        async with Running(a_shard(store, clock=clock)) as shard:
            await settle(shard, 1)
        assert (await state_of(store, 1)).woken == woken


def a_record(number: int, raw: bytes) -> Record:
    """Return a journaled event of one visitor."""
    at = position(1, number)
    return Record(at, f"m{number}", partition_of(visitor(1)), START, START, "", raw)


async def test_an_event_that_cannot_be_read_gets_a_row_in_quarantine_once() -> None:
    """Its bytes stay as they came, the events around it count, and the next owner makes no second row."""
    database = a_database()
    store, journal = a_store(database), MemoryJournal(database)
    await journal.open_stream("gateway-1")
    good, bad = b'{"type": "page", "userId": "1"}', b'{"type": "page", "properties": 7}'
    await journal.append([a_record(1, good), a_record(2, bad), a_record(3, good)])
    for _ in range(2):
        async with Running(a_shard(store, journal=journal)) as shard:
            while shard.positions().get("journal:1", 0) < position(1, 3):
                await asyncio.sleep(0.001)
    rows = await store.rows("quarantine", {})
    assert [(row["stream"], row["position"], row["body"]) for row in rows] == [
        ("journal:1", position(1, 2), bad)
    ]
    assert rows[0]["reason"].startswith("unreadable")
    assert (await state_of(store, 1)).seen == ["m1", "m3"]


class Reads(MemoryJournal):
    """Keep how many records were asked for at once."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.limits: set[int] = set()

    async def read(
        self, stream: int, after: int, limit: int, shard: tuple[int, int]
    ) -> tuple[list[Record], int]:
        """Return a shard's records among the next `limit` of a stream."""
        self.limits.add(limit)
        return await super().read(stream, after, limit, shard)


async def test_a_journal_that_is_far_behind_is_read_in_parts_and_taken_in_larger_batches() -> None:
    database = a_database()
    store, journal = a_store(database), Reads(database)
    await journal.open_stream("gateway-1")
    page = b'{"type": "page", "userId": "1"}'
    await journal.append([a_record(number, page) for number in range(1, 24)])
    shard = a_shard(store, journal=journal, journal_read_max=5, batch_letters_max=10)
    async with Running(shard):
        while shard.positions().get("journal:1", 0) < position(1, 23):
            await asyncio.sleep(0.001)
    assert journal.limits == {5}
    assert (await state_of(store, 1)).seen == [f"m{number}" for number in range(1, 24)]
    assert len(await store.batches("rules-0", 0, 99)) < 5


async def test_letters_that_no_document_could_hold_leave_in_several_and_all_arrive_in_order() -> (
    None
):
    store, peer = a_store(a_database()), Peer()
    cohorts = [f"a cohort with quite a long name {number}" for number in range(40)]
    async with Running(a_shard(store, peer=peer, outbox_bytes_max=700)) as shard:
        shard.deliver(a_chunk(1, *(entered(1, cohort) for cohort in cohorts)))
        await settle(shard, 1)
        shard.deliver(a_chunk(2, entered(1, "last")))
        await settle(shard, 2)
    sent = [chunk for to, chunk in peer.got if to == "sales-0"]
    assert [chunk.first for chunk in sent] == list(range(1, len(sent) + 1))
    assert len(sent) > 3
    assert all(len(chunk.body) <= 700 for chunk in sent)
    letters = [letter for chunk in sent for letter in decode_letters(chunk.body)]
    assert [letter.message.cohort for letter in letters] == [*cohorts, "last"]
    stored = await store.read_outbox("rules-0", "sales-0", 0, 99)
    assert [chunk.body for chunk in stored] == [chunk.body for chunk in sent]


class Asked(MemoryStore):
    """Keep which states were asked for."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.loads: list[list[str]] = []

    async def load(self, bot: str, visitors: list[str]) -> dict[str, bytes]:
        """Return the stored states of these visitors."""
        self.loads.append(visitors)
        return await super().load(bot, visitors)


async def test_which_states_leave_memory_does_not_depend_on_the_order_of_a_set() -> None:
    """Of one batch's visitors those with the highest ids stay, in every process and under any hash seed."""
    store = Asked(a_database())
    everybody = sorted(visitor(number) for number in range(40))
    async with Running(a_shard(store, visitors_in_memory_max=5)) as shard:
        for number in (1, 2):
            shard.deliver(a_chunk(number, *(entered(each, f"c{number}") for each in range(40))))
            await settle(shard, number)
    assert store.loads == [everybody, everybody[:-5]]
