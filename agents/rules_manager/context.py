"""Describe the moment of a decision by numbers, so that a policy may later learn what depends on it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from agents.rules_manager.calendar import slot_of
from agents.rules_manager.state import RulesState, Run

NAMES = (
    "attempts of the run",
    "days since the run was entered",
    "days since its last e-mail, -1 for none",
    "its e-mails opened",
    "its e-mails clicked",
    "orders of the visitor",
    "touches that the caps remember",
    "hour of the week in the visitor's zone, 0 = Monday 00:00",
)
"""What each float of a decision's `context` is; new ones are added at the end."""

DAY_SECONDS = 86_400.0


def context_of(state: RulesState, run: Run, now: datetime, zone: ZoneInfo) -> list[float]:
    """Return the context of a decision made for a run at `now`: one float for each of `NAMES`."""
    last = run.last_try()
    return [
        float(run.attempts),
        _days(run.entered_at, now),
        -1.0 if last is None else _days(last.at, now),
        float(sum(attempt.opened for attempt in run.tries)),
        float(sum(attempt.clicked for attempt in run.tries)),
        float(state.orders),
        float(len(state.touches)),
        float(slot_of(now, zone)),
    ]


def _days(since: datetime, now: datetime) -> float:
    return round(max(0.0, (now - since).total_seconds() / DAY_SECONDS), 3)
