"""Choose hours by what was learned, though that was taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agents.rules_manager import planning
from messaging.vocabulary.records import Snapshot
from tests.simulation.mutants.plant import replaced


def is_taken_back(snapshot: Snapshot | None) -> bool:
    del snapshot
    return False


@contextmanager
def planted() -> Iterator[None]:
    with replaced(planning, "is_taken_back", is_taken_back):
        yield
