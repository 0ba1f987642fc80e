"""Tell the reward of an offer only where it was answered: what nobody answers looks as good as what many do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.rules_manager.turn import Turn
from tests.simulation.mutants.plant import replaced

_reward_offer = Turn.reward_offer


def reward_offer(self: Turn, offer: Any, value: float) -> None:
    if value:
        _reward_offer(self, offer, value)


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Turn, "reward_offer", reward_offer):
        yield
