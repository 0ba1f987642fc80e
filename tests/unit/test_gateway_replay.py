"""Replay: each call of the past when the world reaches it, in order, once, and the gate hears of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from messaging.gateway.readers import MemoryReplayQueue, ReplayCall
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.errors import Unavailable
from tests.gateway_builders import (
    ADMIN,
    NOON,
    FailingJournal,
    StillClock,
    a_gateway,
    a_site,
    until,
)

HOUR = timedelta(hours=1)


def _call(name: str, at: datetime, order: int = 0) -> ReplayCall:
    raw = json.dumps({"type": "track", "event": name, "userId": "u", "messageId": name}).encode()
    return ReplayCall(name, at, order, raw)


async def test_calls_are_fed_when_the_world_reaches_them_in_order() -> None:
    database, clock, queue = MemoryDatabase(), StillClock(), MemoryReplayQueue()
    async with a_gateway(database=database, clock=clock, replay=queue) as gateway:
        late = _call("late", NOON - HOUR)
        calls = [
            _call("c", NOON + HOUR, 3),
            _call("b", NOON + HOUR, 2),
            _call("d", NOON + 2 * HOUR),
        ]
        assert await gateway.feeder.add([*calls, late]) == 4
        await until(lambda: not queue.calls.get("late"))
        gateway.feeder.next_due()
        clock.world = NOON + HOUR
        await until(lambda: len(queue.calls) == 1)
        assert gateway.feeder.next_due() == NOON + HOUR  # the low water since the last question
        assert gateway.feeder.next_due() == NOON + 2 * HOUR
    records = database.streams[0]
    assert [record.message_id for record in records] == ["late", "b", "c"]
    assert [record.at for record in records] == [NOON - HOUR, NOON + HOUR, NOON + HOUR]
    assert [record.received_at for record in records] == [NOON, NOON + HOUR, NOON + HOUR]


async def test_a_call_stays_in_the_queue_until_it_is_durable_and_is_fed_once() -> None:
    class ForgetfulQueue(MemoryReplayQueue):
        failures = 2

        async def done(self, ids: list[str]) -> None:
            if self.failures:
                self.failures -= 1
                raise Unavailable("no queue")
            await super().done(ids)

    database, queue = MemoryDatabase(), ForgetfulQueue()
    journal = FailingJournal(database, before=100)
    async with a_gateway(journal=journal, replay=queue) as gateway:
        await gateway.feeder.add([_call("a", NOON)])
        await until(lambda: journal.before < 97)
        assert "a" in queue.calls
        assert gateway.feeder.next_due() == NOON
        journal.before = 0
        await until(lambda: not queue.calls)
    assert [len(stream) for stream in database.streams if stream] == [1]


async def test_the_gate_hears_of_a_call_before_it_stands_in_the_queue() -> None:
    class WatchedQueue(MemoryReplayQueue):
        async def add(self, calls: list[ReplayCall]) -> int:
            heard.append(gateway.low_water())
            return await super().add(calls)

    heard: list[datetime | None] = []
    async with a_gateway(replay=WatchedQueue()) as gateway:
        await until(lambda: gateway.low_water() is None)
        await gateway.feeder.add([_call("a", NOON + HOUR)])
        assert heard == [NOON + HOUR]
        assert gateway.low_water() == NOON + HOUR


async def test_the_world_waits_until_the_queue_was_read_for_the_first_time() -> None:
    class SlowQueue(MemoryReplayQueue):
        failures = 1

        async def first(self, limit: int) -> list[ReplayCall]:
            if self.failures:
                self.failures -= 1
                raise Unavailable("no queue")
            return await super().first(limit)

    queue = SlowQueue()
    await queue.add([_call("a", NOON + HOUR)])
    async with a_gateway(replay=queue) as gateway:
        told = gateway.next_due()
        assert told is not None
        assert told < NOON - 1000 * HOUR
        await until(lambda: gateway.next_due() == NOON + HOUR)


async def test_a_restart_goes_on_where_it_ended() -> None:
    database, queue = MemoryDatabase(), MemoryReplayQueue()
    await queue.add([_call("a", NOON), _call("b", NOON + HOUR)])
    async with a_gateway(database=database, replay=queue):
        await until(lambda: len(queue.calls) == 1)
    async with a_gateway(database=database, replay=queue, clock=StillClock(NOON + HOUR)):
        await until(lambda: not queue.calls)
    assert [r.message_id for stream in database.streams for r in stream] == ["a", "b"]


async def test_an_upload_takes_the_good_lines_and_names_the_bad() -> None:
    queue = MemoryReplayQueue()
    at = (NOON + HOUR).isoformat()
    lines = [
        {"at": at, "call": {"type": "page", "userId": "u", "messageId": "m"}},
        {"at": at, "call": {"type": "page", "userId": "u"}},
        {"at": at, "call": {"type": "page"}},
        {"at": "soon", "call": {"type": "page", "userId": "u"}},
        {"call": {"type": "page", "userId": "u"}},
    ]
    body = "\n".join(["", *(json.dumps(line) for line in lines), "{"]).encode()
    async with a_site(replay=queue) as (session, _):
        for added in (2, 0):  # an upload that is repeated adds nothing
            headers = {**ADMIN, "Content-Type": "application/x-ndjson"}
            async with session.post("/api/v1/replay", data=body, headers=headers) as answer:
                assert answer.status == 200
                told = await answer.json()
            assert (told["added"], told["known"]) == (added, 2 - added)
            assert [each["index"] for each in told["rejected"]] == [3, 4, 5, 6]
        async with session.get("/api/v1/replay", headers=ADMIN) as answer:
            assert (await answer.json())["waiting"] == 2
    assert "m" in queue.calls
