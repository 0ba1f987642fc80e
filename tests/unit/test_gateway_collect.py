"""Group commit and hand-over: durable before acknowledged, one insert under way, no hole, bounded."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from messaging.gateway.limits import Limits
from messaging.gateway.problems import ProblemError
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.ids import number_of, stream_of
from messaging.vocabulary.letters import decode_records
from tests.gateway_builders import (
    NOON,
    FailingJournal,
    FakePeers,
    StillClock,
    a_gateway,
    a_record,
    until,
)


def _limits(**changes: object) -> Limits:
    return Limits(**{"append_seconds_max": 0.2, "drain_seconds_max": 0.5, **changes})


async def test_requests_that_come_during_an_insert_share_the_next() -> None:
    journal = FailingJournal(MemoryDatabase())
    async with a_gateway(journal=journal) as gateway:
        journal.gate.clear()
        takes = [asyncio.create_task(gateway.collector.take([a_record(n)])) for n in range(20)]
        await until(lambda: journal.under_way == 1)
        await asyncio.sleep(0)
        journal.gate.set()
        assert await asyncio.gather(*takes) == [[True]] * 20
    assert len(journal.sizes) <= 2
    assert sum(journal.sizes) == 20


async def test_an_acknowledged_record_stands_in_the_journal_and_reaches_its_shard() -> None:
    database = MemoryDatabase()
    peers = FakePeers()
    async with a_gateway(database=database, peers=peers) as gateway:
        assert await gateway.collector.take([a_record(1), a_record(2)]) == [True, True]
        assert [record.message_id for record in database.streams[0]] == ["m1", "m2"]
        await until(lambda: len(peers.records()) == 2)
        chunk = peers.chunks["behavior-0"][0]
        assert (chunk.stream, number_of(chunk.first), number_of(chunk.last)) == ("journal:1", 1, 2)


async def test_a_repeat_is_a_success_and_is_handed_to_nobody() -> None:
    peers = FakePeers()
    async with a_gateway(peers=peers) as gateway:
        assert await gateway.collector.take([a_record(1), a_record(1)]) == [True, False]
        assert await gateway.collector.take([a_record(1), a_record(2)]) == [False, True]
        await until(lambda: len(peers.records()) == 2)
    assert [record.message_id for record in peers.records()] == ["m1", "m2"]


async def test_a_record_without_message_id_gets_one_that_no_other_has() -> None:
    database = MemoryDatabase()
    async with a_gateway(database=database) as gateway:
        records = [a_record(n) for n in range(3)]
        for record in records:
            record.message_id = ""
        assert await gateway.collector.take(records) == [True] * 3
    assert len({record.message_id for record in database.streams[0]} - {""}) == 3


@pytest.mark.parametrize("kind", ["before", "after"])
async def test_an_insert_without_an_answer_is_repeated_with_the_same_positions(kind: str) -> None:
    journal = FailingJournal(database := MemoryDatabase(), **{kind: 1})
    async with a_gateway(journal=journal) as gateway:
        assert await gateway.collector.take([a_record(1), a_record(2)]) == [True, True]
    assert [number_of(record.position) for record in database.streams[0]] == [1, 2]
    assert len(database.streams) == 1


async def test_what_cannot_be_made_durable_is_never_acknowledged_and_the_stream_is_left() -> None:
    """The insert may still appear: nothing may be numbered after it."""
    journal = FailingJournal(database := MemoryDatabase())
    peers = FakePeers()
    async with a_gateway(journal=journal, peers=peers, limits=_limits()) as gateway:
        await gateway.collector.take([a_record(0)])
        journal.before = 1000
        with pytest.raises(ProblemError) as refused:
            await gateway.collector.take([a_record(1)])
        assert refused.value.status == 503
        assert refused.value.retry_after_seconds is not None
        journal.before = 0
        assert await gateway.collector.take([a_record(1)]) == [True]
        await until(lambda: len(peers.records()) == 2)
    assert [len(stream) for stream in database.streams] == [1, 1]
    assert [stream_of(chunk.first) for chunk in peers.chunks["behavior-0"]] == [1, 2]
    assert number_of(peers.chunks["behavior-0"][1].first) == 1


async def test_a_journal_that_cannot_be_reached_at_the_start_is_found_later() -> None:
    journal = FailingJournal(MemoryDatabase())
    journal.openings_failing = 2
    async with a_gateway(journal=journal) as gateway:
        await until(lambda: gateway.collector.ready)
        assert await gateway.collector.take([a_record(1)]) == [True]


async def test_an_error_of_ours_refuses_the_requests_and_the_collector_goes_on() -> None:
    journal = FailingJournal(MemoryDatabase())
    async with a_gateway(journal=journal) as gateway:
        bad = a_record(1)
        bad.partition = None  # type: ignore[assignment]
        good_append = journal.append

        async def broken(records):
            journal.append = good_append
            raise AssertionError("a bug")

        journal.append = broken
        with pytest.raises(ProblemError):
            await gateway.collector.take([a_record(1)])
        assert await gateway.collector.take([a_record(2)]) == [True]


async def test_over_the_bound_of_events_or_bytes_the_answer_is_503_at_once() -> None:
    journal = FailingJournal(MemoryDatabase())
    limits = _limits(waiting_events_max=3, waiting_bytes_max=1000)
    async with a_gateway(journal=journal, limits=limits) as gateway:
        journal.gate.clear()
        first = asyncio.create_task(gateway.collector.take([a_record(0)]))
        await until(lambda: journal.under_way == 1)
        second = asyncio.create_task(gateway.collector.take([a_record(n) for n in (1, 2, 3)]))
        await asyncio.sleep(0)
        with pytest.raises(ProblemError) as refused:
            await gateway.collector.take([a_record(4)])
        assert refused.value.status == 503
        journal.gate.set()
        assert await first == [True]
        assert await second == [True] * 3
        with pytest.raises(ProblemError):
            await gateway.collector.take([a_record(5, size=2000)])


async def test_every_shard_gets_its_own_records_and_chunks_without_a_hole() -> None:
    peers = FakePeers()
    async with a_gateway(peers=peers, behavior_shards=3) as gateway:
        for number in range(60):
            partition = number * 37 % 256
            await gateway.collector.take([a_record(number, partition=partition)])
        await until(lambda: sum(len(peers.records(f"behavior-{s}")) for s in range(3)) == 60)
    for shard in range(3):
        to = f"behavior-{shard}"
        after = 0
        for chunk in peers.chunks[to]:
            assert number_of(chunk.first) == after + 1
            after = number_of(chunk.last)
        assert all(record.partition * 3 // 256 == shard for record in peers.records(to))
        positions = [record.position for record in peers.records(to)]
        assert positions == sorted(positions)


async def test_a_refused_chunk_is_offered_again_and_comes_once() -> None:
    peers = FakePeers(refusals=3)
    async with a_gateway(peers=peers) as gateway:
        await gateway.collector.take([a_record(1)])
        await until(lambda: len(peers.records()) == 1)


async def test_a_shard_far_behind_gets_a_hint_in_place_of_the_payload() -> None:
    peers = FakePeers()
    limits = _limits(backlog_events_max=10, chunk_events_max=4)
    async with a_gateway(peers=peers, limits=limits) as gateway:
        peers.gate.clear()
        for number in range(30):
            await gateway.collector.take([a_record(number)])
        assert gateway.handover.backlog() == {"behavior-0": pytest.approx(0, abs=10)}
        peers.gate.set()
        await until(lambda: gateway.handover.oldest() is None)
        await gateway.collector.take([a_record(99)])
        await until(lambda: bool(peers.records()) and peers.records()[-1].message_id == "m99")
    chunks = peers.chunks["behavior-0"]
    assert any(not chunk.body for chunk in chunks)
    assert [number_of(c.first) for c in chunks] == [1] + [
        number_of(c.last) + 1 for c in chunks[:-1]
    ]
    assert number_of(chunks[-1].last) == 31


async def test_the_gate_hears_of_the_oldest_thing_held_also_when_it_is_gone_again() -> None:
    peers = FakePeers()
    async with a_gateway(peers=peers) as gateway:
        assert gateway.held_since() is None
        peers.gate.clear()
        await gateway.collector.take([a_record(1, at=NOON)])
        await gateway.collector.take([a_record(2, at=NOON + timedelta(hours=1))])
        assert gateway.held_since() == NOON
        assert gateway.held_since() == NOON
        peers.gate.set()
        await until(lambda: gateway.handover.oldest() is None)
        assert gateway.held_since() == NOON  # held since the last question
        assert gateway.held_since() is None


async def test_stopping_writes_and_hands_over_what_was_taken() -> None:
    peers = FakePeers()
    async with a_gateway(peers=peers) as gateway:
        take = asyncio.create_task(gateway.collector.take([a_record(1)]))
        await asyncio.sleep(0)
    assert await take == [True]
    assert len(peers.records()) == 1
    with pytest.raises(ProblemError):
        await gateway.collector.take([a_record(2)])


class SetClock(StillClock):
    """Tell the machine time it was set to."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 1000.0

    def machine(self) -> float:
        return self.at


async def test_after_a_large_chunk_the_next_grows_until_the_stop_and_what_comes_alone_goes() -> (
    None
):
    peers, clock = FakePeers(), SetClock()
    limits = _limits(linger_seconds_an_event=1.0, linger_seconds_max=100.0)
    async with a_gateway(peers=peers, clock=clock, limits=limits) as gateway:
        await gateway.collector.take([a_record(n) for n in range(100)])
        await until(lambda: len(peers.records()) == 100)
        clock.at += 101.0
        await gateway.collector.take([a_record(100)])
        await until(lambda: len(peers.records()) == 101)
        clock.at += 2.0
        await gateway.collector.take([a_record(n) for n in range(101, 131)])
        await until(lambda: len(peers.records()) == 131)
        for number in range(131, 136):
            await gateway.collector.take([a_record(number)])
        assert len(peers.chunks["behavior-0"]) == 3
    assert [len(decode_records(c.body)) for c in peers.chunks["behavior-0"]] == [100, 1, 30, 5]


async def test_a_full_chunk_waits_no_longer() -> None:
    peers, clock = FakePeers(), SetClock()
    limits = _limits(chunk_events_max=10, linger_seconds_an_event=100.0, linger_seconds_max=1000.0)
    async with a_gateway(peers=peers, clock=clock, limits=limits) as gateway:
        await gateway.collector.take([a_record(n) for n in range(10)])
        await until(lambda: len(peers.records()) == 10)
        for number in range(10, 25):
            await gateway.collector.take([a_record(number)])
        await until(lambda: len(peers.records()) == 20)
        assert gateway.handover.backlog() == {"behavior-0": 5}


async def test_an_insert_waits_for_the_crowd_of_the_last_to_be_back() -> None:
    """64 clients in two halves that alternate would pay for twice as many inserts."""
    journal, clock = FailingJournal(MemoryDatabase()), SetClock()
    limits = _limits(crowd_seconds_max=30.0)
    async with a_gateway(journal=journal, clock=clock, limits=limits) as gateway:

        async def client(number: int) -> None:
            await gateway.collector.take([a_record(number)])
            for _ in range(number):  # they do not come back in one turn of the loop
                await asyncio.sleep(0)
            await gateway.collector.take([a_record(100 + number)])

        journal.gate.clear()
        clients = [asyncio.create_task(client(number)) for number in range(16)]
        await until(lambda: journal.under_way == 1)
        clock.at += 50.0  # a slow insert is worth a wait
        journal.gate.set()
        await asyncio.gather(*clients)
    assert journal.sizes[-1] == 16
    assert sum(journal.sizes) == 32


async def test_a_few_requests_never_wait_for_more() -> None:
    journal, clock = FailingJournal(MemoryDatabase()), SetClock()
    limits = _limits(crowd_seconds_max=1e6)
    async with a_gateway(journal=journal, clock=clock, limits=limits) as gateway:
        journal.gate.clear()
        first = asyncio.create_task(gateway.collector.take([a_record(0)]))
        others = [asyncio.create_task(gateway.collector.take([a_record(n)])) for n in range(1, 5)]
        await until(lambda: journal.under_way == 1)
        clock.at += 50.0
        journal.gate.set()
        await asyncio.gather(first, *others)
        async with asyncio.timeout(5.0):
            await gateway.collector.take([a_record(9)])


async def test_a_crowd_that_does_not_come_back_is_not_waited_for_long() -> None:
    journal, clock = FailingJournal(MemoryDatabase()), SetClock()
    limits = _limits(crowd_seconds_max=0.01)
    async with a_gateway(journal=journal, clock=clock, limits=limits) as gateway:
        journal.gate.clear()
        crowd = [asyncio.create_task(gateway.collector.take([a_record(n)])) for n in range(16)]
        await until(lambda: journal.under_way == 1)
        clock.at += 50.0
        journal.gate.set()
        await asyncio.gather(*crowd)
        async with asyncio.timeout(5.0):
            await gateway.collector.take([a_record(99)])
