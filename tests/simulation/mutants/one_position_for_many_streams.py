"""Keep one position for all streams of a kind: what one writer is ahead by is skipped of the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.runtime.shard import Shard
from tests.simulation.mutants.plant import replaced

_build = Shard._build


async def build(self: Shard, batch: Any) -> Any:
    built = await _build(self, batch)
    positions = built.commit.positions
    highest: dict[str, int] = {}
    for name, at in positions.items():
        kind = _kind(name)
        highest[kind] = max(at, highest.get(kind, 0))
    built.commit.positions = {name: highest[_kind(name)] for name in positions}
    return built


def _kind(name: str) -> str:
    return re.split("[-:]", name)[0]


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Shard, "_build", build):
        yield
