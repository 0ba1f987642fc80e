"""Describe the moment of a decision by numbers: as they are logged, and as a policy reads them.

Rules
1. What is logged (`NAMES`) is in its own units, so that a person can read it; what a policy reads (`INPUTS`) follows
   from that alone, by scales that never change: an answer of last month means the same as one of today.
2. An input is a whole number of sixteenths, one byte: a choice remembers it until its answer is known, and sums of such
   numbers are the same on every machine. How far an input is from most leads' is the snapshot's to say.
3. Cohorts are known by a marketer's names, which come and go: they count in a fixed number of groups by a hash of the
   name (Weinberger et al., *Feature Hashing for Large Scale Multitask Learning*, ICML 2009).
4. What is no number is left out: it reads as 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from zlib import crc32
from zoneinfo import ZoneInfo

from agents.rules.flow import is_hidden
from agents.rules_manager.calendar import slot_of
from agents.rules_manager.state import RulesState, Run

GROUPS = 7
"""Groups that cohorts count in."""

NAMES = (
    "attempts of the run",
    "days since the run was entered",
    "days since its last e-mail, -1 for none",
    "its e-mails opened",
    "its e-mails clicked",
    "orders of the visitor",
    "touches that the caps remember",
    "hour of the week in the visitor's zone, 0 = Monday 00:00",
    "visits that ended in 7 days",
    "visits that ended in 30 days",
    "days since the last visit ended, -1 for none",
    "pages of the last visit",
    "e-mails opened on all paths",
    "e-mails clicked on all paths",
    *(f"cohorts of group {group + 1} of {GROUPS}" for group in range(GROUPS)),
)
"""What each float of a decision's `context` is; new ones are added at the end."""

INPUTS = (
    "attempts",
    "days_on_path",
    "first_of_run",
    "days_since_mail",
    "opened",
    "clicked",
    "orders",
    "touches",
    "hour_sine",
    "hour_cosine",
    "weekend",
    "visits_7_days",
    "visits_30_days",
    "days_since_visit",
    "pages_of_visit",
    "opened_anywhere",
    "clicked_anywhere",
    *(f"group {group}" for group in range(GROUPS)),
)
"""What a policy reads of a context; new ones are added at the end, and what was learned of fewer begins anew."""

STEPS = 16
"""Of an input, in one unit."""
STEPS_MAX = 96
"""As many deviations as an input may count (`learning.serving.contextual.INPUT_MAX`)."""

NEVER_DAYS = 60.0
"""How long ago a thing counts as that never happened."""

DAY_SECONDS = 86_400.0
WEEK = 168
WEEKEND = 120
"""First hour of it."""

_VISITS = len(NAMES) - GROUPS - 6


def context_of(state: RulesState, run: Run, now: datetime, zone: ZoneInfo) -> list[float]:
    """Return the context of a decision made for a run at `now`: one float for each of `NAMES`."""
    last = run.last_try()
    groups = [0.0] * GROUPS
    for cohort in state.cohorts:
        if not is_hidden(cohort):
            groups[group_of(cohort)] += 1.0
    tries = [attempt for each in state.runs.values() for attempt in each.tries]
    return [
        float(run.attempts),
        _days(run.entered_at, now),
        -1.0 if last is None else _days(last.at, now),
        float(sum(attempt.opened for attempt in run.tries)),
        float(sum(attempt.clicked for attempt in run.tries)),
        float(state.orders),
        float(len(state.touches)),
        float(slot_of(now, zone)),
        float(_visits(state, now - timedelta(days=7))),
        float(_visits(state, now - timedelta(days=30))),
        _days(state.visits[-1].ended_at, now) if state.visits else -1.0,
        float(state.visits[-1].pages) if state.visits else 0.0,
        float(sum(attempt.opened for attempt in tries)),
        float(sum(attempt.clicked for attempt in tries)),
        *groups,
    ]


def inputs_of(context: Sequence[float]) -> bytes:
    """Return a context as a policy reads it: a byte for each of `INPUTS`, in sixteenths.

    >>> len(inputs_of([0.0] * len(NAMES))) == len(INPUTS)
    True
    """
    attempts, entered, mailed, opened, clicked, orders, touches, hour = context[:8]
    week, month, seen, pages, all_opened, all_clicked = context[_VISITS : _VISITS + 6]
    turn = 2.0 * math.pi * (hour % 24.0) / 24.0 if math.isfinite(hour) else math.nan
    values = (
        _log(attempts),
        _log(entered),
        1.0 if mailed < 0.0 else 0.0,
        _log(NEVER_DAYS if mailed < 0.0 else mailed),
        _log(opened),
        _log(clicked),
        _log(orders),
        _log(touches),
        math.sin(turn),
        math.cos(turn),
        1.0 if hour >= WEEKEND else 0.0,
        _log(week),
        _log(month),
        _log(NEVER_DAYS if seen < 0.0 else seen),
        _log(pages),
        _log(all_opened),
        _log(all_clicked),
        *context[_VISITS + 6 :],
    )
    return bytes(_steps(value) & 0xFF for value in values)


def named_reasons(because: Sequence[str], cohorts: Sequence[str]) -> list[str]:
    """Return reasons with the visitor's cohorts in the place of the groups that these count in.

    >>> named_reasons(["opened", f"group {group_of('keen')}"], ["keen", ".welcome.has-bought"])
    ['opened', 'cohort keen']
    """
    groups = {f"group {group}": group for group in range(GROUPS)}
    named: list[str] = []
    for reason in because:
        if reason not in groups:
            named.append(reason)
            continue
        theirs = [c for c in cohorts if not is_hidden(c) and group_of(c) == groups[reason]]
        named += [f"cohort {cohort}" for cohort in sorted(theirs)] or ["no cohort"]
    return list(dict.fromkeys(named))


def group_of(cohort: str) -> int:
    """Return the group that a cohort counts in."""
    return crc32(cohort.encode()) % GROUPS


def _visits(state: RulesState, since: datetime) -> int:
    return sum(visit.ended_at > since for visit in state.visits)


def _days(since: datetime, now: datetime) -> float:
    return round(max(0.0, (now - since).total_seconds() / DAY_SECONDS), 3)


def _log(value: float) -> float:
    return math.log1p(value) if 0.0 <= value < math.inf else math.nan


def _steps(value: float) -> int:
    if not math.isfinite(value):
        return 0
    return round(min(max(value * STEPS, -STEPS_MAX), STEPS_MAX))
