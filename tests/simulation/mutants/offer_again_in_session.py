"""Never ask the cap of a session: whoever enters a cohort once more gets its type once more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.rules_manager import engaging
from tests.simulation.mutants.plant import replaced

_refusal = engaging._refusal


def refusal(turn: Any, rule: Any) -> str:
    why = _refusal(turn, rule)
    return "" if why == engaging.CAP_SESSION else why


@contextmanager
def planted() -> Iterator[None]:
    with replaced(engaging, "_refusal", refusal):
        yield
