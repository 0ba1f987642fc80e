"""Compile what is asked of dates and the clock: each gives the exact moment at which time alone changes it.

Rules
1. Days are counted by the calendar of the visitor's zone, so a day of 23 or 25 hours is one day.
2. A span of days, first to last, holds from the moment the first begins to the moment the day after the last does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo

from agents.rules.calendar import (
    DAY,
    anniversary_from,
    begins,
    day_of,
    moment_of,
    next_hour_that_is,
)
from agents.rules.compiled import BORN, Need
from agents.rules.facts import Facts
from agents.rules.parts import ACTIVITY, ORDERS, SESSION, ZONE, Around, Part, every, kinds_of
from agents.rules.time_models import ClockIs, DateIs, HoursOfDay

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRST, LAST = date(1900, 1, 1), date(2300, 1, 1)
"""Days before and after all that a date can be: what begins or ends there never changes."""

At = Callable[[Facts, tzinfo], datetime | None]
Span = tuple[datetime, datetime]
"""From (included), to (not included)."""


def compile_date(asked: DateIs, around: Around) -> Part:
    """Return the part that asks one thing of one date."""
    if asked.of == "now":
        return _today(asked)
    at, kinds, needs = _source(asked, around)
    if asked.before is not None or asked.after is not None or asked.between is not None:
        first, last = _fixed(asked)

        def lies(facts: Facts, _: datetime) -> bool:
            zone = facts.zone()
            found = at(facts, zone)
            return found is not None and first <= day_of(found, zone) <= last

        return Part(lies, None, kinds | ZONE, needs)

    def span(facts: Facts, now: datetime) -> Span | None:
        zone = facts.zone()
        found = at(facts, zone)
        return None if found is None else _around(asked, found, zone, now)

    return _spanned(span, kinds | ZONE, needs)


def compile_clock(asked: ClockIs, _: Around) -> Part:
    """Return the part that asks for weekday and hour where the visitor is."""
    parts = []
    if asked.weekdays is not None:
        parts.append(_weekdays({WEEKDAYS.index(day) for day in asked.weekdays}))
    if asked.hours is not None:
        parts.append(_hours(asked.hours))
    return every(parts)


# -------------------------------------------------------------------------------------- dates


def _source(asked: DateIs, around: Around) -> tuple[At, frozenset[str], frozenset[Need]]:
    if asked.trait is not None:
        trait = asked.trait
        kinds, needs = frozenset({f"trait:{trait}"}), frozenset({("trait", trait)})
        return lambda facts, zone: moment_of(facts.trait(trait), zone), kinds, needs
    if asked.first is not None:
        first = asked.first
        needs = frozenset({("seen", first)})
        return lambda facts, _: facts.first(first), kinds_of(first), needs
    if asked.last is not None:
        last = asked.last
        needs = frozenset({("seen", last)})
        return lambda facts, _: facts.last(last), kinds_of(last), needs
    what = asked.of or ""
    if what == "last_order":
        return lambda facts, _: facts.known_since(what), around.purchases, ORDERS
    kinds = ACTIVITY | {SESSION, "identify", "group", "alias"}
    return lambda facts, _: facts.known_since(what), kinds, frozenset()


def _fixed(asked: DateIs) -> tuple[date, date]:
    """Return the first and the last day that a date may be."""
    if asked.before is not None:
        return FIRST, date.fromisoformat(asked.before) - DAY
    if asked.after is not None:
        return date.fromisoformat(asked.after) + DAY, LAST
    assert asked.between is not None, "a date is asked one thing"
    first, last = map(date.fromisoformat, asked.between)
    return first, last


def _today(asked: DateIs) -> Part:
    first, last = _fixed(asked)
    return _spanned(lambda facts, _: _days(first, last, facts.zone()), ZONE | {BORN})


def _around(asked: DateIs, at: datetime, zone: tzinfo, now: datetime) -> Span:
    """Return the span of moments in which what is asked holds; of an anniversary the next one."""
    if asked.in_last_hours is not None:
        return at, at + timedelta(hours=asked.in_last_hours)
    if asked.in_next_hours is not None:
        return at - timedelta(hours=asked.in_next_hours), at
    day = day_of(at, zone)
    if asked.in_last_days is not None:
        return _days(day, day + asked.in_last_days * DAY, zone)
    if asked.in_next_days is not None:
        return _days(day - asked.in_next_days * DAY, day, zone)
    if asked.days_after is not None:
        day += asked.days_after * DAY
        return _days(day, day, zone)
    if asked.days_after_anniversary is not None:
        after = asked.days_after_anniversary * DAY
        day = anniversary_from(day, day_of(now, zone) - after) + after
        return _days(day, day, zone)
    assert asked.anniversary_in_days is not None, "a date is asked one thing"
    day = anniversary_from(day, day_of(now, zone))
    return _days(day - asked.anniversary_in_days * DAY, day, zone)


def _days(first: date, last: date, zone: tzinfo) -> Span:
    return begins(first, zone), begins(last + DAY, zone)


def _spanned(
    span: Callable[[Facts, datetime], Span | None],
    kinds: frozenset[str],
    needs: frozenset[Need] = frozenset(),
) -> Part:
    def test(facts: Facts, now: datetime) -> bool:
        found = span(facts, now)
        return found is not None and found[0] <= now < found[1]

    def until(facts: Facts, now: datetime) -> datetime | None:
        found = span(facts, now)
        if found is None:
            return None
        return next((at for at in found if at > now and at.year < LAST.year), None)

    return Part(test, until, kinds, needs)


# -------------------------------------------------------------------------------------- clock


def _weekdays(days: set[int]) -> Part:
    def until(facts: Facts, now: datetime) -> datetime | None:
        zone = facts.zone()
        today = day_of(now, zone)
        is_in = today.weekday() in days
        for ahead in range(1, 8):
            day = today + ahead * DAY
            if (day.weekday() in days) != is_in:
                return begins(day, zone)
        return None  # all seven

    kinds = ZONE | {BORN}
    return Part(lambda facts, now: now.astimezone(facts.zone()).weekday() in days, until, kinds)


def _hours(asked: HoursOfDay) -> Part:
    start, end = asked.start, asked.end

    def test(facts: Facts, now: datetime) -> bool:
        hour = now.astimezone(facts.zone()).hour
        return start <= hour < end if start < end else hour >= start or hour < end

    def until(facts: Facts, now: datetime) -> datetime:
        return next_hour_that_is({start, end}, now, facts.zone())

    return Part(test, until, ZONE | {BORN})
