"""Take what comes too late for a person who was erased, as if they had never been."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.runtime import batch
from tests.simulation.mutants.plant import replaced


def is_late(*_: Any) -> bool:
    return False


@contextmanager
def planted() -> Iterator[None]:
    with replaced(batch, "is_late", is_late):
        yield
