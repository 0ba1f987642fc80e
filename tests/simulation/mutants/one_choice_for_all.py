"""Move everybody by what was chosen for all, and nobody by what was chosen for their group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.runtime import mover
from tests.simulation.mutants.plant import replaced


def no_groups(_: dict[str, Any]) -> dict[str, str]:
    return {}


@contextmanager
def planted() -> Iterator[None]:
    with replaced(mover, "groups_of", no_groups):
        yield
