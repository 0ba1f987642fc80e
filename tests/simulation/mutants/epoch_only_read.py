"""Read the epoch at the transaction's begin and write nothing there: a zombie's commit goes through."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from messaging.ports import Commit
from messaging.store.memory import MemoryStore
from messaging.vocabulary.errors import Fenced
from tests.simulation.mutants.plant import replaced

_commit = MemoryStore.commit


async def commit(self: MemoryStore, batch: Commit) -> None:
    owner = self._database.shards[batch.shard]
    if owner.epoch != batch.epoch:
        raise Fenced("seen at the begin")
    await asyncio.sleep(0.05)
    epoch = owner.epoch
    owner.epoch = batch.epoch
    if epoch != batch.epoch and owner.batch >= batch.batch:
        owner.batch = batch.batch - 1
    try:
        await _commit(self, batch)
    finally:
        owner.epoch = epoch


@contextmanager
def planted() -> Iterator[None]:
    with replaced(MemoryStore, "commit", commit):
        yield
