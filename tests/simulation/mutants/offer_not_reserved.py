"""Count for the caps on the site only what was seen: what stands open is offered once more, and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.rules_manager import engaging
from tests.simulation.mutants.plant import replaced

_refusal = engaging._refusal


def refusal(turn: Any, rule: Any) -> str:
    offered = turn.state.offered
    turn.state.offered = {id_: each for id_, each in offered.items() if not each.unseen}
    why = _refusal(turn, rule)
    turn.state.offered = offered
    return why


@contextmanager
def planted() -> Iterator[None]:
    with replaced(engaging, "_refusal", refusal):
        yield
