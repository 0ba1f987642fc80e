"""Commit a hand-over without a look at the mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from messaging.ports import Commit
from messaging.store.memory import MemoryStore
from tests.simulation.mutants.plant import replaced

_commit = MemoryStore.commit


async def commit(self: MemoryStore, batch: Commit) -> None:
    await _commit(self, msgspec.structs.replace(batch, guards=[]))


@contextmanager
def planted() -> Iterator[None]:
    with replaced(MemoryStore, "commit", commit):
        yield
