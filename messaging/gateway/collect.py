"""Write the journal by group commit: one insert under way, whoever comes meanwhile shares the next.

Rules
1. One insert under way in a stream, or numbers become visible out of order and a reader's watermark skips
   records for good. Throughput comes from groups that grow with load, not from parallel inserts.
2. A request is acknowledged after its records are durable, never before, never after a guess.
3. An insert without an answer is repeated with the same positions, which is harmless. When it stays without
   an answer, the stream is given up: it may still appear, and nothing may be numbered after it.
4. What waits is bounded; over the bound the answer is 503 at once.
5. Where many requests come again and again, an insert waits for a moment until those of the last are back:
   an insert costs about as much as 50 records, and half of them alternating with the other half pay twice.
   A few requests never wait.
6. A repeat (known message id) is a success for its sender and is handed to nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from datetime import datetime

import structlog

from messaging.gateway.crowd import Crowd
from messaging.gateway.handover import HandOver
from messaging.gateway.limits import Limits
from messaging.gateway.lowwater import LowWater, oldest
from messaging.gateway.metrics import GatewayMetrics
from messaging.gateway.problems import overloaded
from messaging.gateway.supervise import end, supervise
from messaging.ports import Clock, Journal
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import own_id, position, stream_of

log = structlog.get_logger()

RETRY_SECONDS_FIRST = 0.05
RETRY_SECONDS_MAX = 1.0


class _Request:
    """Hold the records of one request until they are durable."""

    __slots__ = ("done", "records", "size")

    def __init__(self, records: list[Record], done: asyncio.Future[list[bool]]) -> None:
        self.records = records
        self.size = sum([len(record.raw) for record in records])
        self.done = done


class Collector:
    """Take records from requests and facts, make them durable, and pass them on to Behavior."""

    def __init__(
        self,
        journal: Journal,
        handover: HandOver,
        clock: Clock,
        writer: str,
        limits: Limits,
        metrics: GatewayMetrics,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._journal = journal
        self._handover = handover
        self._clock = clock
        self._writer = writer
        self._limits = limits
        self._metrics = metrics
        self._jitter = jitter
        self._waiting: deque[_Request] = deque()
        self._waiting_events = 0
        self._waiting_bytes = 0
        self._group: list[_Request] = []
        self._next = 0
        self._low = LowWater()
        self._wanted = asyncio.Event()
        self._crowd = Crowd(limits)
        self._crowded = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._open = False
        self._writing: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Return whether records are taken and the last insert found its journal."""
        return self._open and self._next > 0

    async def start(self) -> None:
        """Begin to take records; a journal that cannot be reached now is tried again until it can."""
        with contextlib.suppress(Unavailable):
            await self._open_stream()
        self._open = True
        self._writing = supervise("collect", self._write_always)

    async def stop(self) -> None:
        """Take nothing more, write what waits (within the drain time), and end."""
        self._open = False
        try:
            async with asyncio.timeout(self._limits.drain_seconds_max):
                await self._idle.wait()
        except TimeoutError:
            log.warning("collect.undrained", events=self._waiting_events)
        if self._writing is not None:
            await end(self._writing)
        self._refuse(self._group)
        self._refuse(self._take_waiting(everything=True))

    async def take(self, records: list[Record]) -> list[bool]:
        """Return, once the records are durable, which are new (True) and which were known (False).

        Positions are set here, and the message id where there is none. Raise a 503 problem if they cannot
        be made durable now; the same records may be sent again.
        """
        if not records:
            return []
        request = _Request(records, asyncio.get_running_loop().create_future())
        if not self._open:
            raise overloaded("the gateway is stopping")
        if (
            self._waiting_events + len(records) > self._limits.waiting_events_max
            or self._waiting_bytes + request.size > self._limits.waiting_bytes_max
        ):
            self._metrics.refused.inc(len(records))
            raise overloaded("too many events wait for the journal")
        self._waiting.append(request)
        self._waiting_events += len(records)
        self._waiting_bytes += request.size
        self._low.saw(records[0].received_at)
        self._idle.clear()
        self._wanted.set()
        if self._crowd.is_there(len(self._waiting), self._waiting_events):
            self._crowded.set()
        return await request.done

    def held_since(self) -> datetime | None:
        """Return the world time of the oldest thing held at any time since the last question, None if none.

        Held is what was taken and is not yet in the hands of Behavior.
        """
        return self._low.ask(self._held_now())

    def waiting(self) -> tuple[int, int]:
        """Return how many events and bytes wait for the journal."""
        return self._waiting_events, self._waiting_bytes

    def _held_now(self) -> datetime | None:
        first = self._group[0] if self._group else self._waiting[0] if self._waiting else None
        taken = first.records[0].received_at if first is not None else None
        return oldest(taken, self._handover.oldest())

    async def _write_always(self) -> None:
        while True:
            if not self._next:
                await self._reopen()
            await self._wanted.wait()
            await self._linger()
            self._group = self._take_waiting()
            if not self._group:
                self._wanted.clear()
                self._idle.set()
                continue
            try:
                await self._write(self._group)
            except Unavailable:
                log.warning("journal.unavailable", requests=len(self._group))
            finally:
                if any(not request.done.done() for request in self._group):
                    self._next = 0  # rule 3
                    self._refuse(self._group)
                self._group = []

    async def _linger(self) -> None:
        """Wait a moment for those who are expected; see rule 5."""
        seconds = self._crowd.wait_seconds(self._clock.machine())
        if seconds <= 0 or self._crowd.is_there(len(self._waiting), self._waiting_events):
            return
        self._crowded.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._crowded.wait()

    async def _reopen(self) -> None:
        """Open a new stream, as often as it takes; who waits meanwhile is refused at each failure."""
        pause = RETRY_SECONDS_FIRST
        while True:
            try:
                await self._open_stream()
            except Unavailable:
                self._refuse(self._take_waiting(everything=True))
                await self._clock.sleep(pause * (0.5 + self._jitter()))
                pause = min(2 * pause, RETRY_SECONDS_MAX)
            else:
                return

    def _take_waiting(self, *, everything: bool = False) -> list[_Request]:
        group: list[_Request] = []
        events = size = 0
        while self._waiting:
            request = self._waiting[0]
            events += len(request.records)
            size += request.size
            if not everything and group and self._is_over(events, size):
                break
            group.append(self._waiting.popleft())
            self._waiting_events -= len(request.records)
            self._waiting_bytes -= request.size
        return group

    def _is_over(self, events: int, size: int) -> bool:
        return events > self._limits.commit_events_max or size > self._limits.commit_bytes_max

    async def _write(self, group: list[_Request]) -> None:
        records = [record for request in group for record in request.records]
        self._number(records)
        began = self._clock.machine()
        fresh = await self._append(records, began + self._limits.append_seconds_max)
        assert len(fresh) == len(records), "a journal answers for each record"
        ended = self._clock.machine()
        self._crowd.saw(len(group) + len(self._waiting), ended - began, ended)
        self._metrics.commit_seconds.observe(ended - began)
        self._metrics.commit_events.observe(len(records))
        self._handover.add(records, fresh)
        at = 0
        for request in group:
            size = len(request.records)
            if not request.done.done():  # its handler may be gone
                request.done.set_result(fresh[at : at + size])
            at += size
        new = sum(fresh)
        self._metrics.taken.inc(new)
        self._metrics.repeated.inc(len(fresh) - new)

    async def _append(self, records: list[Record], give_up_at: float) -> list[bool]:
        pause = RETRY_SECONDS_FIRST
        while True:
            try:
                return (await self._journal.append(records)).fresh
            except Unavailable:
                if self._clock.machine() >= give_up_at:
                    raise
                await self._clock.sleep(pause * (0.5 + self._jitter()))
                pause = min(2 * pause, RETRY_SECONDS_MAX)

    async def _open_stream(self) -> None:
        self._next = position(await self._journal.open_stream(self._writer), 1)

    def _number(self, records: list[Record]) -> None:
        for at, record in enumerate(records, self._next):
            record.position = at
            if not record.message_id:
                record.message_id = own_id("message", str(at))
        self._next += len(records)
        assert stream_of(self._next) == stream_of(records[0].position), "a stream is never used up"

    def _refuse(self, group: list[_Request]) -> None:
        for request in group:
            if not request.done.done():
                self._metrics.refused.inc(len(request.records))
                request.done.set_exception(overloaded("the journal does not answer"))
