"""Let both runs of one path go on after a merge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agents.rules_manager import merge
from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn
from tests.simulation.mutants.plant import replaced

_merge_run = merge._merge_run


def merge_run(turn: Turn, other: Run) -> None:
    if other.path not in turn.state.runs:
        _merge_run(turn, other)
        return
    turn.state.runs[f"{other.path}/younger"] = other
    merge._rearm(turn, other)


@contextmanager
def planted() -> Iterator[None]:
    with replaced(merge, "_merge_run", merge_run):
        yield
