"""Feed calls of the past as if live: each when the world clock reaches its time, through the collector.

Rules
1. In order of time, and of upload where times are equal.
2. A call leaves the queue after it is durable in the journal; one that is fed twice is a repeat there.
3. The world clock's gate hears of the oldest call that is not fed, so that the world cannot run away from it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog

from messaging.gateway.collect import Collector
from messaging.gateway.lowwater import LowWater, oldest
from messaging.gateway.problems import ProblemError
from messaging.gateway.readers import ReplayCall, ReplayQueue
from messaging.gateway.supervise import end, supervise
from messaging.gateway.validate import Reader
from messaging.ports import Clock
from messaging.vocabulary.errors import RejectedEvent, Unavailable
from messaging.vocabulary.events import Record

log = structlog.get_logger()

FETCH_MAX = 2_000
"""Calls held in memory; a fetch costs a query, and a fast world takes thousands a second."""

UNKNOWN_SECONDS = 0.01
"""How often to ask again when the clock cannot say when a time comes (it is gated)."""

FORGET_CALLS = 500
FORGET_SECONDS = 0.5
"""When fed calls leave the queue: a deletion for each step would halve the speed of a fast world."""

_UNREAD = datetime(1970, 1, 1, tzinfo=UTC)
"""Told to the gate until the queue was read for the first time: nobody knows yet what waits in it."""

WAIT_SECONDS_MAX = 5.0
PAUSE_SECONDS = 0.2


class Feeder:
    """Take calls from the queue when they are due and give them to the collector."""

    def __init__(
        self, queue: ReplayQueue, collector: Collector, reader: Reader, clock: Clock
    ) -> None:
        self._queue = queue
        self._collector = collector
        self._reader = reader
        self._clock = clock
        self._ahead: list[ReplayCall] = []
        self._fed: list[str] = []
        self._forgot_at = clock.machine()
        self._next_at: datetime | None = _UNREAD
        self._adding: list[datetime] = []
        self._low = LowWater()
        self._added = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to feed."""
        self._task = supervise("replay", self._feed_always)

    async def stop(self) -> None:
        """End; what is not fed waits for the next start."""
        if self._task is not None:
            await end(self._task)

    async def add(self, calls: list[ReplayCall]) -> int:
        """Keep calls and return how many were new; those whose time has passed are fed at once."""
        if not calls:
            return 0
        earliest = min(call.at for call in calls)
        self._low.saw(earliest)
        self._adding.append(earliest)  # before they are there: the world must not pass them
        try:
            new = await self._queue.add(calls)
            self._next_at = oldest(self._next_at, earliest)
            self._added.set()  # the queue is read again, and says which is the first
        finally:
            self._adding.remove(earliest)
        return new

    async def waiting(self) -> int:
        """Return how many calls wait."""
        return max(0, await self._queue.count() - len(self._fed))

    def next_due(self) -> datetime | None:
        """Return the oldest time at which a call was due and not fed since the last question."""
        return self._low.ask(oldest(self._next_at, *self._adding))

    async def _feed_always(self) -> None:
        while True:
            try:
                await self._feed()
            except (Unavailable, ProblemError):  # the journal is behind: the calls wait
                await self._clock.sleep(PAUSE_SECONDS)

    async def _feed(self) -> None:
        if self._added.is_set() or not self._ahead:
            await self._fetch()
        elif self._fed and self._is_time_to_forget():
            await self._forget()
        if not self._ahead:
            await self._wait(None)
            return
        seconds = self._clock.seconds_until(self._ahead[0].at)
        if seconds != 0:
            await self._wait(UNKNOWN_SECONDS if seconds is None else seconds)
            return
        now = self._clock.now()
        due = [call for call in self._ahead if call.at <= now]
        if due:
            await self._collector.take(self._records(due, now))
            self._fed += [call.id for call in due]
            self._ahead = self._ahead[len(due) :]
            if self._ahead and not self._added.is_set():
                self._next_at = self._ahead[0].at
        else:  # a clock that says 0 and stands before: never spin
            await self._wait(UNKNOWN_SECONDS)

    async def _fetch(self) -> None:
        await self._forget()
        self._added.clear()
        try:
            self._ahead = await self._queue.first(FETCH_MAX)
        except Unavailable:
            self._added.set()  # else what was added meanwhile would wait for the rest
            raise
        if not self._added.is_set():  # else calls came meanwhile, and their time is noted
            self._next_at = self._ahead[0].at if self._ahead else None

    def _is_time_to_forget(self) -> bool:
        return (
            len(self._fed) >= FORGET_CALLS
            or self._clock.machine() - self._forgot_at >= FORGET_SECONDS
        )

    async def _forget(self) -> None:
        if self._fed:
            await self._queue.done(self._fed)
            self._fed = []
        self._forgot_at = self._clock.machine()

    async def _wait(self, seconds: float | None) -> None:
        """Wait for machine time, or until calls were added."""
        if self._added.is_set():
            return
        try:
            async with asyncio.timeout(
                WAIT_SECONDS_MAX if seconds is None else min(seconds, WAIT_SECONDS_MAX)
            ):
                await self._added.wait()
        except TimeoutError:
            pass

    def _records(self, calls: list[ReplayCall], now: datetime) -> list[Record]:
        records = []
        for call in calls:
            try:
                record = self._reader.replayed(call.raw, call.at)
            except RejectedEvent as error:  # it was read at the upload: an older version kept it
                log.warning("replay.unreadable", field=error.field)
                continue
            record.message_id = call.id
            record.received_at = max(call.at, now)
            records.append(record)
        return records
