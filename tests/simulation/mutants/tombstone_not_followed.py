"""Drop what comes for a visitor who was merged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.runtime.fold import Folding
from tests.simulation.mutants.plant import replaced


def follow(self: Folding, into: str, message: Any) -> list[Any]:
    return []


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Folding, "_follow", follow):
        yield
