"""Forget of whom an answer is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.rules_manager.turn import Turn
from tests.simulation.mutants.plant import replaced

_decided = Turn.decided


def decided(self: Turn, learns: str, decision: Any, test: Any = None, inputs: bytes = b"") -> Any:
    return _decided(self, learns, decision, test, bytes(len(inputs)))


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Turn, "decided", decided):
        yield
