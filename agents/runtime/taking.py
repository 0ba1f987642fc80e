"""Take what has arrived for a shard, in the order a batch has it, and read what nobody brought.

Rules
1. Peers push; what a push loses is found by the sweep and read from the store.
2. A batch takes journal streams first, in the order they were opened, then peers, each in its own order.
3. While a batch is built and committed, the next part of a journal that is far behind is read already.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from agents.runtime.inbox import Inbox, weight_of
from agents.runtime.patience import patiently
from agents.runtime.spec import ShardSpec
from messaging.ports import Chunk
from messaging.vocabulary.errors import Unavailable

SOURCES = "journal:"
"""What the names of journal streams begin with; outbox streams are named by their shard."""


class Taker:
    """Hold the input streams of one shard."""

    def __init__(self, spec: ShardSpec, wake: Callable[[], None]) -> None:
        """`wake` is called when something was read ahead."""
        self._spec = spec
        self._wake = wake
        self._ahead: dict[str, asyncio.Task[None]] = {}
        """Journal stream -> the reading of what follows."""
        self.inbox = Inbox({}, spec.limits.inbox_chunks_max)
        self.swept = 0.0
        """Machine time of the last sweep."""

    def start(self, positions: dict[str, int]) -> None:
        """Begin where the last owner stopped."""
        self.inbox = Inbox(positions, self._spec.limits.inbox_chunks_max)

    def stop(self) -> None:
        """End the reading that is under way."""
        for task in self._ahead.values():
            task.cancel()

    def pending(self, *, choked: bool = False) -> bool:
        """Return whether there is anything to take; choked: from peers alone."""
        return any(
            stream.pending() and not (choked and name.startswith(SOURCES))
            for name, stream in self.inbox.streams.items()
        )

    async def sweep(self) -> None:
        """Find input that nobody told us of: what a dead writer had written and not handed over."""
        spec, inbox = self._spec, self.inbox
        self.swept = spec.clock.machine()
        now = spec.clock.now()
        if spec.journal is not None:
            for stream, tail in (await spec.journal.tails()).items():
                inbox.learn(f"{SOURCES}{stream}", tail, now)
        tails = await spec.store.outbox_tails(list(spec.senders), spec.name)
        for sender, tail in tails.items():
            inbox.learn(sender, tail, now)
        for name, found in list(inbox.streams.items()):
            if found.pending() and not found.queue:
                await self._refill(name)

    async def take(self, positions: dict[str, int], *, choked: bool) -> list[Chunk]:
        """Take chunks up to a batch's size; what was taken before (`positions`) is left out."""
        chunks: list[Chunk] = []
        room = self._spec.limits.batch_letters_max
        for name in sorted(self.inbox.streams, key=stream_order):
            stream = self.inbox.streams[name]
            if choked and name.startswith(SOURCES):
                continue
            if not stream.queue and stream.pending():
                await self._read_on(name)
            while stream.queue and room > 0:
                chunk = stream.queue.popleft()
                if chunk.last <= positions.get(name, 0):
                    continue
                if not chunk.body and chunk.records is None:
                    raise AssertionError(f"an empty chunk in the queue of {name}")
                chunks.append(chunk)
                room -= weight_of(chunk)
            self._read_ahead(name)
        return chunks

    async def _read_on(self, name: str) -> None:
        """Read what follows on a stream; mostly the batch before has begun to."""
        ahead = self._ahead.pop(name, None)
        if ahead is not None:
            await asyncio.wait({ahead})
        stream = self.inbox.stream(name)
        if not stream.queue and stream.pending():
            await patiently(self._spec, lambda: self._refill(name))

    def _read_ahead(self, name: str) -> None:
        stream = self.inbox.stream(name)
        if name.startswith(SOURCES) and stream.pending() and not stream.queue:
            self._ahead[name] = asyncio.ensure_future(self._refill_if_there(name))

    async def _refill_if_there(self, name: str) -> None:
        with contextlib.suppress(Unavailable):  # `_read_on` asks again, and patiently
            await self._refill(name)
            self._wake()  # a batch may be begun upon the commit under way

    async def _refill(self, name: str) -> None:
        spec = self._spec
        stream = self.inbox.stream(name)
        after = stream.queued
        if not name.startswith(SOURCES):
            limit = spec.limits.read_chunks_max
            chunks = await spec.store.read_outbox(name, spec.name, after, limit)
            self.inbox.refill(name, chunks, chunks[-1].last if chunks else after)
            return
        room = spec.limits.batch_letters_max
        while room > 0 and stream.known > stream.queued:
            chunk = await self._read_journal(name, stream.queued, stream.known)
            self.inbox.refill(name, [chunk], chunk.last)
            room -= weight_of(chunk)

    async def _read_journal(self, name: str, after: int, known: int) -> Chunk:
        """Read the next records of a journal stream; what is not there up to `known` was a repeat."""
        spec = self._spec
        assert spec.journal is not None, "only a bot with identities reads the journal"
        number = int(name.removeprefix(SOURCES))
        limit = spec.limits.journal_read_max
        records, reached = await spec.journal.read(number, after, limit, spec.slice)
        if reached == after:
            reached = known  # everything up to it was durable before we knew of it
        at = min((r.received_at for r in records), default=spec.clock.now())
        return Chunk(name, after + 1, reached, at, b"", records)

    def oldest(self) -> datetime | None:
        """Return the world time of the oldest thing not taken."""
        return self.inbox.oldest()


@lru_cache(maxsize=1024)
def stream_order(name: str) -> tuple[str, int]:
    """Return the place of an input stream in a batch: journal streams in the order they were opened.

    >>> sorted(["rules-0", "journal:10", "journal:2"], key=stream_order)
    ['journal:2', 'journal:10', 'rules-0']
    """
    kind, _, number = name.partition(":")
    return kind, int(number or 0)
