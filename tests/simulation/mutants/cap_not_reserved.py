"""Ask the cap, and reserve nothing: the next one who asks finds it free as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.rules_manager import planning
from tests.simulation.mutants.plant import replaced

_request = planning._request


def request(turn: Any, *rest: Any) -> None:
    before = list(turn.state.touches)
    _request(turn, *rest)
    turn.state.touches = before


@contextmanager
def planted() -> Iterator[None]:
    with replaced(planning, "_request", request):
        yield
