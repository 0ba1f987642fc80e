"""Let a made-up colleague answer the alerts of the demo, as a person with working hours would.

Rules
1. When and how an alert is answered follows from (seed, alert): a demo that goes on answers what an earlier one left.
2. They work by their own clock on working days, and take some hours; some alerts they put off for a week.
3. Who used up the attempts may get a second chance, never a third; for whom there is nothing to try it is closed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from learning.audience.chance import Chance

NAME = "Noor (made up)"
"""Stands wherever the system says by whom an alert was answered."""

ZONE = ZoneInfo("Europe/Berlin")
FROM_HOUR, TO_HOUR = 9, 17
SATURDAY = 5

SOONEST_HOURS = 0.5
WAITS_HOURS = 3.0
PUTS_OFF = 0.1
PUT_OFF_HOURS = 40.0
"""Working hours, as all waits here: a week."""

USED_UP = "attempts used"
"""Stands in the kind of an alert about somebody who got all e-mails of a run."""
FIRST_RUN = "1"
RESUMES, CHANGES = 0.35, 0.25
"""Share of the leads who used up their attempts that are written to again, and that were called by phone."""
CALLED = "talk"
"""The stage of the routine for who talks to a person."""


class Alert(msgspec.Struct, frozen=True):
    """Hold what an open alert says, as the admin API shows it."""

    id: str
    kind: str
    run: str
    at: datetime


class Answer(msgspec.Struct, frozen=True):
    """Hold what is done about an alert, and when; `stage` is where a changed run goes on."""

    at: datetime
    action: str
    stage: str = ""


def answer(seed: int, alert: Alert) -> Answer:
    """Return what the colleague does about an alert: `resume`, `change` or `close`."""
    chance = Chance(seed, "colleague", alert.id)
    hours = SOONEST_HOURS + chance.waits(WAITS_HOURS)
    if chance.happens(PUTS_OFF):
        hours += PUT_OFF_HOURS
    at = _after(alert.at, hours)
    drawn = chance.uniform()
    if USED_UP not in alert.kind or alert.run != FIRST_RUN or drawn >= RESUMES + CHANGES:
        return Answer(at, "close")
    return Answer(at, "resume") if drawn < RESUMES else Answer(at, "change", CALLED)


def works_at(at: datetime) -> bool:
    """Say whether the colleague is at work.

    >>> from datetime import UTC
    >>> [works_at(datetime(2026, 11, day, 15, tzinfo=UTC)) for day in (27, 28)]
    [True, False]
    """
    return _at_work(at) == at


def _after(at: datetime, hours: float) -> datetime:
    """Return the moment after so many working hours."""
    now = _at_work(at)
    while (left := (_at_hour(now, TO_HOUR) - now) / timedelta(hours=1)) <= hours:
        hours -= left
        now = _at_work(_at_hour(now, TO_HOUR))
    return now + timedelta(hours=hours)


def _at_work(at: datetime) -> datetime:
    """Return this moment, or the next one at which the colleague is at work."""
    local = at.astimezone(ZONE)
    if local.hour >= TO_HOUR:
        local = _at_hour(local + timedelta(days=1), FROM_HOUR)
    elif local.hour < FROM_HOUR:
        local = _at_hour(local, FROM_HOUR)
    while local.weekday() >= SATURDAY:
        local = _at_hour(local + timedelta(days=1), FROM_HOUR)
    return local


def _at_hour(local: datetime, hour: int) -> datetime:
    return local.replace(hour=hour, minute=0, second=0, microsecond=0)
