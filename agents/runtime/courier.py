"""Bring committed chunks to their shards, again and again until each is held there.

Rules
1. A chunk is committed before it comes here: losing this process loses no chunk, only time.
2. At most one call is under way for each receiver, so that chunks arrive in order.
3. Beyond a bound the bodies are dropped and one hint is kept: the receiver reads the store.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime
from typing import Protocol

from agents.runtime.limits import Limits
from messaging.ports import Chunk, Clock, Peers


class Jitter(Protocol):
    """Give a random share in [0, 1): spreads retries."""

    def __call__(self) -> float:
        """Return the next number."""
        ...


def backoff(limits: Limits, tries: int, jitter: Jitter) -> float:
    """Return the seconds to wait before try `tries` (from 1): doubling, bounded, between half and all of it."""
    whole = min(
        limits.backoff_last_seconds, limits.backoff_first_seconds * 2.0 ** min(tries - 1, 16)
    )
    return whole * (0.5 + 0.5 * jitter())


class Courier:
    """Deliver chunks to all receivers of one shard."""

    def __init__(self, peers: Peers, clock: Clock, limits: Limits, jitter: Jitter) -> None:
        self._peers = peers
        self._clock = clock
        self._limits = limits
        self._jitter = jitter
        self._queues: dict[str, deque[Chunk]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def send(self, to: str, chunk: Chunk) -> None:
        """Queue a chunk and see that somebody brings it."""
        queue = self._queues.setdefault(to, deque())
        if len(queue) >= self._limits.undelivered_max:
            oldest, newest = queue[0], chunk
            hint = Chunk(chunk.stream, oldest.first, newest.last, oldest.at, b"")
            queue.clear()
            queue.append(hint)
        else:
            queue.append(chunk)
        task = self._tasks.get(to)
        if task is None or task.done():
            self._tasks[to] = asyncio.ensure_future(self._bring(to, queue))

    async def _bring(self, to: str, queue: deque[Chunk]) -> None:
        tries = 0
        while queue:
            chunk = queue[0]
            if await self._peers.deliver(to, chunk):
                tries = 0
                if queue and queue[0] is chunk:
                    queue.popleft()
            else:
                tries += 1
                await self._clock.sleep(backoff(self._limits, tries, self._jitter))

    def undelivered(self) -> int:
        """Return how many chunks are not yet held by their receivers."""
        return sum(map(len, self._queues.values()))

    def oldest(self) -> datetime | None:
        """Return the world time of the oldest undelivered chunk."""
        return min((queue[0].at for queue in self._queues.values() if queue), default=None)

    def stop(self) -> None:
        """Stop bringing; what is left will be found in the store."""
        for task in self._tasks.values():
            task.cancel()
