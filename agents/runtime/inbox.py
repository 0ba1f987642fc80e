"""Keep what has arrived on each input stream, in order and bounded; what does not fit is read from the store.

Rules
1. A stream's `taken` only grows, and only by a commit. A chunk at or below it is a repeat and is dropped.
2. A chunk is kept in memory only if it follows what is queued without a gap. Otherwise it is a hint: we know
   that there is something up to `known`, and read it when its turn comes.
3. `held` is the world time of the oldest thing known and not taken; the world clock's gate reads it.
"""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime

from messaging.ports import Chunk

LETTER_BYTES = 400
"""A letter of usual size: a chunk weighs by its bytes, for a batch of large events must not fill the memory."""


def weight_of(chunk: Chunk) -> int:
    """Return about how many letters a chunk holds."""
    if chunk.records is not None:
        return 1 + sum(len(record.raw) for record in chunk.records) // LETTER_BYTES
    return 1 + len(chunk.body) // LETTER_BYTES


class Stream:
    """Hold one input stream's queue."""

    __slots__ = ("hint_at", "known", "queue", "queued", "taken")

    def __init__(self, taken: int) -> None:
        self.taken = taken
        self.queued = taken
        self.known = taken
        self.queue: deque[Chunk] = deque()
        self.hint_at: datetime | None = None

    def pending(self) -> bool:
        """Return whether there is anything beyond what was taken."""
        return bool(self.queue) or self.known > self.queued

    def oldest(self) -> datetime | None:
        """Return the world time of the oldest thing not taken, None if there is nothing."""
        if self.queue:
            return self.queue[0].at
        return self.hint_at if self.known > self.queued else None


class Inbox:
    """Hold all input streams of a shard."""

    def __init__(self, positions: dict[str, int], chunks_max: int) -> None:
        self._chunks_max = chunks_max
        self.streams = {name: Stream(taken) for name, taken in positions.items()}

    def stream(self, name: str) -> Stream:
        """Return a stream, known or new."""
        found = self.streams.get(name)
        if found is None:
            found = self.streams[name] = Stream(0)
        return found

    def offer(self, chunk: Chunk) -> bool:
        """Take a chunk or a hint. False: the queue is full; the sender should slow down and say it again."""
        stream = self.stream(chunk.stream)
        if chunk.last <= stream.queued:
            return True
        if stream.known <= stream.queued or stream.hint_at is None or chunk.at < stream.hint_at:
            stream.hint_at = chunk.at
        stream.known = max(stream.known, chunk.last)
        if not chunk.body:
            return True
        if chunk.first > stream.queued + 1:
            return True
        if len(stream.queue) >= self._chunks_max:
            return False
        stream.queue.append(chunk)
        stream.queued = chunk.last
        return True

    def learn(self, name: str, tail: int, at: datetime) -> bool:
        """Note that a stream reaches up to `tail`; return whether that was news."""
        stream = self.stream(name)
        if tail <= stream.known:
            return False
        return self.offer(Chunk(name, stream.queued + 1, tail, at, b""))

    def refill(self, name: str, chunks: list[Chunk], reached: int) -> None:
        """Put chunks read from the store behind the queue; `reached` is how far the reading got."""
        stream = self.stream(name)
        for chunk in chunks:
            if chunk.last > stream.queued:
                stream.queue.append(chunk)
                stream.queued = chunk.last
        stream.queued = max(stream.queued, reached)
        stream.known = max(stream.known, stream.queued)
        if stream.known <= stream.queued:
            stream.hint_at = None

    def pending(self) -> bool:
        """Return whether any stream has something to take."""
        return any(stream.pending() for stream in self.streams.values())

    def oldest(self) -> datetime | None:
        """Return the world time of the oldest thing in any stream."""
        return min(
            (at for stream in self.streams.values() if (at := stream.oldest()) is not None),
            default=None,
        )

    def weight(self) -> float:
        """Return how much waits, in letters; what is only known of counts as very much."""
        if any(s.known > s.queued for s in self.streams.values()):
            return math.inf
        return sum(weight_of(chunk) for s in self.streams.values() for chunk in s.queue)

    def lag(self) -> int:
        """Return how many chunks wait in memory."""
        return sum(len(stream.queue) for stream in self.streams.values())
