"""Forget, after some wake-ups fired, that there are others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.runtime.shard import Shard
from tests.simulation.mutants.plant import replaced


async def refresh_due(self: Shard, intake: Any, built: Any) -> None:
    if intake.wakes_due or built is None:
        self._next_due = None
    if built is None:
        return
    for write in built.commit.states:
        if write.due is not None and (self._next_due is None or write.due < self._next_due):
            self._next_due = write.due


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Shard, "_refresh_due", refresh_due):
        yield
