"""Hand what is durable over to the Behavior shards, in order, in chunks that grow with load.

Rules
1. Chunks of one stream follow each other without a hole: each begins after the last position of the one
   before, also where records of other shards lie between.
2. One chunk is under way to a shard; what comes meanwhile joins the next. After a large chunk the next waits
   a little, unless it is full: a call costs the gateway about a millisecond and the shard a whole batch,
   whatever is in it. What comes alone never waits.
3. What is held for a slow shard is bounded. Over the bound the payload is dropped and the shard gets a hint
   (an empty body): the records are in the journal, and it reads them at its own pace.
4. A failure is harmless: it is tried again, and the shard's sweeper reads the journal anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from datetime import datetime

from messaging.gateway.limits import Limits
from messaging.gateway.lowwater import oldest
from messaging.gateway.metrics import GatewayMetrics
from messaging.gateway.supervise import end, supervise
from messaging.ports import Chunk, Clock, Peers
from messaging.vocabulary.errors import WorldError
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import PARTITIONS, position, stream_of
from messaging.vocabulary.letters import encode_records

RETRY_SECONDS_FIRST = 0.02
RETRY_SECONDS_MAX = 1.0


class HandOver:
    """Hold one lane for each Behavior shard."""

    def __init__(
        self,
        peers: Peers,
        clock: Clock,
        shards: int,
        limits: Limits,
        metrics: GatewayMetrics,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._lanes = [
            _Lane(f"behavior-{shard}", peers, clock, limits, metrics, jitter)
            for shard in range(shards)
        ]
        self._limits = limits
        self._shard_of = [partition * shards // PARTITIONS for partition in range(PARTITIONS)]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to deliver."""
        self._tasks = [
            supervise(f"handover.{lane.to}", lane.deliver_always) for lane in self._lanes
        ]

    async def stop(self) -> None:
        """Deliver what is held (within the drain time), and end."""
        for lane in self._lanes:
            lane.hurry()
        try:
            async with asyncio.timeout(self._limits.drain_seconds_max):
                await asyncio.gather(*(lane.empty.wait() for lane in self._lanes))
        except TimeoutError:
            pass  # the shard finds the rest in the journal
        for task in self._tasks:
            await end(task)

    def add(self, records: list[Record], fresh: list[bool]) -> None:
        """Take records that are durable: contiguous positions of one stream; repeats are left out."""
        new = [record for record, is_new in zip(records, fresh, strict=True) if is_new]
        last = records[-1].position
        if len(self._lanes) == 1:
            self._lanes[0].add(new, last)
            return
        shares: list[list[Record]] = [[] for _ in self._lanes]
        for record in new:
            shares[self._shard_of[record.partition]].append(record)
        for lane, share in zip(self._lanes, shares, strict=True):
            lane.add(share, last)

    def oldest(self) -> datetime | None:
        """Return when the oldest record was taken that a shard does not hold yet."""
        return oldest(*(lane.oldest() for lane in self._lanes))

    def backlog(self) -> dict[str, int]:
        """Return shard -> events held for it."""
        return {lane.to: lane.events for lane in self._lanes}


class _Piece:
    """Hold what becomes one chunk."""

    __slots__ = ("at", "first", "is_hint", "is_sealed", "last", "records", "size")

    def __init__(self, first: int, at: datetime) -> None:
        self.first = first
        self.last = first
        self.records: list[Record] = []
        self.size = 0
        self.at = at
        self.is_hint = False
        self.is_sealed = False
        """True once it was sent: a repeat must name the same positions."""

    def chunk(self) -> Chunk:
        """Return what is sent; from now on nothing is added."""
        self.is_sealed = True
        body = b"" if self.is_hint else encode_records(self.records)
        return Chunk(f"journal:{stream_of(self.last)}", self.first, self.last, self.at, body)


class _Lane:
    """Keep the order of what goes to one shard."""

    def __init__(
        self,
        to: str,
        peers: Peers,
        clock: Clock,
        limits: Limits,
        metrics: GatewayMetrics,
        jitter: Callable[[], float],
    ) -> None:
        self.to = to
        self.events = 0
        self.empty = asyncio.Event()
        self.empty.set()
        self._peers = peers
        self._clock = clock
        self._limits = limits
        self._metrics = metrics
        self._jitter = jitter
        self._bytes = 0
        self._next = 0
        self._pieces: deque[_Piece] = deque()
        self._wanted = asyncio.Event()
        self._grown = asyncio.Event()
        self._linger_until = 0.0
        self._hurries = False

    def add(self, records: list[Record], last: int) -> None:
        """Take this shard's records of the positions up to `last`."""
        if not self._next or stream_of(self._next) != stream_of(last):
            self._next = position(stream_of(last), 1)  # a new stream begins at its first number
        if not records:
            return
        for at in range(0, len(records), self._limits.chunk_events_max):
            part = records[at : at + self._limits.chunk_events_max]
            is_final = at + len(part) == len(records)
            self._add_part(part, last if is_final else part[-1].position)
        if self._is_over():
            self._drop_payload()
        self.empty.clear()
        self._wanted.set()

    def oldest(self) -> datetime | None:
        """Return when the oldest record that is held was taken."""
        return self._pieces[0].at if self._pieces else None

    async def deliver_always(self) -> None:
        """Deliver piece after piece; a piece leaves the line when the shard holds it."""
        while True:
            await self._wanted.wait()
            while self._pieces:
                await self._linger()
                piece = self._pieces[0]
                await self._deliver(piece)
                self._linger_until = self._clock.machine() + self._linger_seconds(piece)
                self._forget(piece)
            self._wanted.clear()
            self.empty.set()

    def hurry(self) -> None:
        """Let no chunk wait any more."""
        self._hurries = True
        self._grown.set()

    async def _linger(self) -> None:
        """Let the next chunk grow after a large one; see rule 2."""
        seconds = self._linger_until - self._clock.machine()
        if seconds <= 0 or self._hurries or len(self._pieces) > 1:
            return
        self._grown.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._grown.wait()

    def _linger_seconds(self, piece: _Piece) -> float:
        many = len(piece.records) * self._limits.linger_seconds_an_event
        return min(many, self._limits.linger_seconds_max)

    async def _deliver(self, piece: _Piece) -> None:
        pause = RETRY_SECONDS_FIRST
        while True:
            try:
                if await self._peers.deliver(self.to, piece.chunk()):
                    return
            except WorldError:
                pass  # rule 4
            await self._clock.sleep(pause * (0.5 + self._jitter()))
            pause = min(2 * pause, RETRY_SECONDS_MAX)

    def _add_part(self, records: list[Record], last: int) -> None:
        size = sum(len(record.raw) for record in records)
        piece = self._pieces[-1] if self._pieces else None
        if piece is None or not self._fits(piece, last, len(records), size):
            piece = _Piece(self._next, records[0].received_at)
            self._pieces.append(piece)
            if len(self._pieces) > 1:
                self._grown.set()  # the first is full
        piece.last = last
        self._next = last + 1
        if not piece.is_hint:
            piece.records += records
            piece.size += size
            self.events += len(records)
            self._bytes += size

    def _fits(self, piece: _Piece, last: int, events: int, size: int) -> bool:
        if piece.is_sealed or stream_of(piece.last) != stream_of(last):
            return False
        return piece.is_hint or (
            len(piece.records) + events <= self._limits.chunk_events_max
            and piece.size + size <= self._limits.chunk_bytes_max
        )

    def _is_over(self) -> bool:
        return (
            self.events > self._limits.backlog_events_max
            or self._bytes > self._limits.backlog_bytes_max
        )

    def _drop_payload(self) -> None:
        """Turn everything that is held into hints, one for what is under way and one for each stream."""
        hints: deque[_Piece] = deque()
        for piece in self._pieces:
            self._forget_payload(piece)
            piece.is_hint = True
            before = hints[-1] if hints else None
            if before is None or not self._fits(before, piece.last, 0, 0):
                hints.append(piece)
            else:
                before.last = piece.last
        self._pieces = hints
        self._metrics.hints.inc()

    def _forget(self, piece: _Piece) -> None:
        done = self._pieces.popleft()
        assert done is piece, "pieces leave the line in order"
        self._forget_payload(piece)

    def _forget_payload(self, piece: _Piece) -> None:
        self.events -= len(piece.records)
        self._bytes -= piece.size
        piece.records = []
        piece.size = 0
