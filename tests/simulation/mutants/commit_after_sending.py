"""Deliver and hand over first, commit afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.runtime.committing import Batch, mail_messages
from agents.runtime.shard import Shard
from messaging.ports import Chunk
from tests.simulation.mutants.plant import replaced

_build = Shard._build


async def build(self: Shard, batch: Batch) -> Any:
    built = await _build(self, batch)
    for out in built.commit.outbox:
        chunk = Chunk(self.spec.name, out.number, out.number, out.at, out.body)
        self._courier.send(out.to, chunk)
    if self.spec.postman is not None:
        settled, asked = mail_messages(batch.intake.local)
        self.spec.postman.committed(built.folded.acts, settled, asked)
        built.folded.acts = []
    return built


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Shard, "_build", build):
        yield
