"""Take a chunk that was taken already, as if nobody kept positions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from agents.runtime.inbox import Inbox
from agents.runtime.shard import Shard
from messaging.ports import Chunk
from tests.simulation.mutants.plant import replaced

_offer = Inbox.offer
_take = Shard._take


def offer(self: Inbox, chunk: Chunk) -> bool:
    stream = self.stream(chunk.stream)
    if chunk.body and chunk.last <= stream.queued:
        stream.queue.append(chunk)
        return True
    return _offer(self, chunk)


async def take(self: Shard) -> Any:
    committer = self._committer
    head = committer.head
    committer.head = msgspec.structs.replace(head, positions={})
    try:
        return await _take(self)
    finally:
        committer.head = head


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Inbox, "offer", offer), replaced(Shard, "_take", take):
        yield
