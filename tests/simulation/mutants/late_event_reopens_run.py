"""Go on with a run that has ended when a late answer comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.rules_manager import sending
from agents.rules_manager.planning import plan
from tests.simulation.mutants.plant import replaced

_answered = sending._answered


def answered(turn: Any, run: Any, attempt: Any, message: Any) -> None:
    _answered(turn, run, attempt, message)
    path = turn.path(run)
    if not run.active and path is not None:
        plan(turn, run, path, turn.now)


@contextmanager
def planted() -> Iterator[None]:
    with replaced(sending, "_answered", answered):
        yield
