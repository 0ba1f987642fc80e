"""Be a gateway without HTTP: the real reader, collector and hand-over, on faulty ports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from messaging.gateway.collect import Collector
from messaging.gateway.handover import HandOver
from messaging.gateway.limits import Limits
from messaging.gateway.problems import ProblemError
from messaging.gateway.validate import Reader
from messaging.ports import Clock, Journal, Peers, Store
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.events import Fact, Record
from messaging.vocabulary.ids import partition_of
from tests.simulation.process import Process


class Nothing:
    """Stand for every metric: counted elsewhere, looked at by nobody."""

    def __getattr__(self, name: str) -> Nothing:
        return self

    def inc(self, count: float = 1) -> None: ...

    def observe(self, value: float) -> None: ...


class SimGateway:
    """Take calls and facts, and answer when they are durable."""

    def __init__(
        self,
        process: Process,
        *,
        store: Store,
        journal: Journal,
        peers: Peers,
        clock: Clock,
        behaviors: int,
        jitter: Callable[[], float],
    ) -> None:
        self.process = process
        self._store = store
        self._clock = clock
        nothing: Any = Nothing()
        limits = Limits()
        self._handover = HandOver(peers, clock, behaviors, limits, nothing, jitter)
        self._collector = Collector(
            journal, self._handover, clock, process.name, limits, nothing, jitter
        )
        self._reader = Reader(lambda tag: tag, clock.now, clock.now)

    async def run(self) -> None:
        """Open a stream and begin."""
        while True:
            try:
                await self._collector.start()
                break
            except Unavailable:
                await self._clock.sleep(1.0)
        self._handover.start()

    def deliver(self, chunk: Any) -> bool:
        """Take no chunks: nobody writes to a gateway."""
        raise AssertionError(f"a chunk for a gateway: {chunk}")

    async def calls(self, raws: list[bytes], tagged: str) -> bool:
        """Journal a client's calls; True is HTTP 200."""
        envelope_times = self._reader._given_times()
        records = []
        for raw in raws:
            record = self._reader._record(raw, envelope_times, suspicious=False)
            record.tagged = tagged
            records.append(record)
        return await self._take(records)

    async def unreadable(self, message_id: str, raw: bytes, visitor: str) -> bool:
        """Journal an event that no reader of today can read: an older gateway let it in."""
        now = self._clock.now()
        record = Record(0, message_id, partition_of(visitor), now, now, "", raw)
        return await self._take([record])

    async def fact(self, fact: Fact, message_id: str) -> bool:
        """Journal something the gateway saw itself."""
        now = self._clock.now()
        raw = msgspec.json.encode(fact)
        record = Record(0, message_id, partition_of(fact.visitor), now, now, "", raw)
        return await self._take([record])

    async def suppress(self, mailbox: str, reason: str) -> bool:
        """Write the suppression row, before anything is answered."""
        try:
            await self._store.suppress(mailbox, reason, self._clock.now())
        except Unavailable:
            return False
        return True

    async def _take(self, records: list[Record]) -> bool:
        try:
            await self._collector.take(records)
        except ProblemError:
            return False
        await self.process.enter()
        return True


async def ask(make: Callable[[], Any], seconds: float) -> bool:
    """Wait for an answer as a client does: not for ever."""
    try:
        answered: bool = await asyncio.wait_for(make(), seconds)
    except TimeoutError:
        return False
    return answered
