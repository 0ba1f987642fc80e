"""Walk past one table when a person is erased."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.runtime.sweeper import Sweeper
from tests.simulation.mutants.plant import replaced

_rows = Sweeper._rows


async def rows(self: Sweeper, person: Any, table: str, *, remove: bool) -> int:
    return 0 if table == "story" else await _rows(self, person, table, remove=remove)


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Sweeper, "_rows", rows):
        yield
