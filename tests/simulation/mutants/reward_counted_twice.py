"""Forget that a decision has its reward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.rules_manager.turn import Turn
from tests.simulation.mutants.plant import replaced

_reward = Turn.reward


def reward(self: Turn, choice: Any, *rest: Any) -> None:
    _reward(self, choice, *rest)
    if choice.at is not None:
        choice.open = True


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Turn, "reward", reward):
        yield
