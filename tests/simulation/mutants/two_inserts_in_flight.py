"""Begin the next insert of a stream before the last one has answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from messaging.gateway.collect import Collector
from messaging.vocabulary.errors import Unavailable
from tests.simulation.mutants.plant import replaced


async def write_always(self: Collector) -> None:
    while True:
        await self._wanted.wait()
        group = self._take_waiting()
        if not group:
            self._wanted.clear()
            self._idle.set()
            continue
        asyncio.ensure_future(_write_beside(self, group))  # noqa: RUF006 - that is the bug


async def _write_beside(self: Collector, group: list[Any]) -> None:
    try:
        await self._write(group)
    except Unavailable:
        self._next = 0
        self._refuse(group)


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Collector, "_write_always", write_always):
        yield
