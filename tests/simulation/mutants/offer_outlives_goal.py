"""Forget at Engagement when the goal was reached: what was decided before it is offered after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.engagement_bot.bot import EngagementBot
from tests.simulation.mutants.plant import replaced

_step = EngagementBot.step


def step(self: EngagementBot, state: Any, *rest: Any) -> Any:
    effects = _step(self, state, *rest)
    state.goal_at = None
    return effects


@contextmanager
def planted() -> Iterator[None]:
    with replaced(EngagementBot, "step", step):
        yield
