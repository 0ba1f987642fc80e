"""Cancel at the goal what waits, and take the trigger that comes a moment later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agents.email_bot import step
from agents.email_bot.turn import Turn
from messaging.vocabulary.messages import GoalReached
from tests.simulation.mutants.plant import replaced

_goal_reached = step._goal_reached


def goal_reached(turn: Turn, message: GoalReached) -> None:
    _goal_reached(turn, message)
    for path in message.paths:
        turn.state.closed.pop(path, None)


@contextmanager
def planted() -> Iterator[None]:
    with replaced(step, "_goal_reached", goal_reached):
        yield
