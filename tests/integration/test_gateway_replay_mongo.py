"""The replay queue: the one in memory and the one in MongoDB keep the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from messaging.gateway.readers import MemoryReplayQueue, ReplayCall
from messaging.gateway.replay_mongo import MongoReplayQueue
from messaging.journal.mongo import MongoJournal
from messaging.store.connection import connect
from messaging.store.embedded import EmbeddedMongo
from tests.gateway_builders import NOON, StillClock, a_gateway, until


@pytest.fixture(scope="module")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    mongo = EmbeddedMongo(tmp_path_factory.mktemp("gateway-mongo"))
    yield asyncio.run(mongo.start())
    asyncio.run(mongo.stop())


@pytest.fixture(params=["memory", "mongo"])
def kept_at(request: pytest.FixtureRequest) -> str:
    """Return the URL of a server, or nothing."""
    return str(request.getfixturevalue("mongo_url")) if request.param == "mongo" else ""


def _call(name: str, minutes: int, order: int) -> ReplayCall:
    at = NOON + timedelta(minutes=minutes, microseconds=7)
    raw = b'{"type":"page","userId":"u","messageId":"%b"}' % name.encode()
    return ReplayCall(name, at, order, raw)


async def test_a_queue_gives_calls_by_time_then_upload_and_forgets_what_is_done(
    kept_at: str,
) -> None:
    queue: MemoryReplayQueue | MongoReplayQueue = MemoryReplayQueue()
    connection = None
    if kept_at:
        connection = connect(kept_at)
        queue = MongoReplayQueue(connection)
        await queue.ensure_indexes()
    calls = [_call("c", 2, 1), _call("b", 1, 3), _call("a", 1, 2)]
    assert await queue.add(calls) == 3
    assert await queue.add([*calls, _call("d", 0, 9)]) == 1
    assert await queue.add([]) == 0
    assert [call.id for call in await queue.first(3)] == ["d", "a", "b"]
    assert (await queue.first(4))[3] == calls[0]
    await queue.done(["d", "a"])
    assert await queue.count() == 2
    if connection is not None:
        await queue.done(["b", "c"])
        await connection.close()


async def test_a_thousand_calls_are_fed_into_the_real_journal_once_and_in_order(
    mongo_url: str,
) -> None:
    connection = connect(mongo_url)
    journal = MongoJournal(connection)
    await journal.ensure_indexes()
    queue = MongoReplayQueue(connection)
    await queue.ensure_indexes()
    clock = StillClock()
    calls = [_call(f"r{number:04}", number // 10, number) for number in range(1000)]
    async with a_gateway(journal=journal, replay=queue, clock=clock) as gateway:
        await gateway.feeder.add(calls[500:])
        await gateway.feeder.add(calls[:500])
        clock.world = NOON + timedelta(minutes=31)
        async with asyncio.timeout(20):
            while await queue.count() != 690:
                await asyncio.sleep(0.01)
        clock.world = NOON + timedelta(days=1)
        async with asyncio.timeout(20):
            while await queue.count():
                await asyncio.sleep(0.01)
        await until(lambda: gateway.feeder.next_due() is None)
    [(stream, _)] = (await journal.tails()).items()
    records, _ = await journal.read(stream, 0, 5000, (0, 1))
    assert [record.message_id for record in records] == [call.id for call in calls]
    assert records[15].at == calls[15].at
    await connection.close()
