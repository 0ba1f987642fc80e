"""Know days and hours of the clock in a zone, and at which moments they begin.

Rules
1. A day begins at the first moment that bears its date there: where clocks leap over midnight, at the leap.
2. A time without a zone is one of the visitor's; a day without a time begins at their midnight.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from agents.rules.values import number
from messaging.vocabulary.iso_times import read_iso

YEARS = range(1900, 2201)
"""Days beyond are typing errors, and a datetime must not run over."""

MILLISECONDS_FROM = 1e11
"""A greater number of seconds lies beyond the year 5000: it is one of milliseconds."""

SECONDS_FROM = 1e8
"""A text with a smaller number is a year, a day or a typing error, and not a moment of the early seventies."""

BASIC_DAYS = 1900_01_01, 2200_12_31
"""The first and the last day of
ISO 8601's basic format, which many exports hold, also as a number: `20261130` is a day, and no moment of 1970."""

DAY = timedelta(days=1)


def moment_of(value: Any, zone: tzinfo) -> datetime | None:
    """Return the moment that a value tells: ISO 8601, or seconds or milliseconds since 1970; None for what tells none.

    >>> moment_of("20261130", UTC).isoformat(), moment_of("2026-11-29T24:00", UTC).isoformat()
    ('2026-11-30T00:00:00+00:00', '2026-11-30T00:00:00+00:00')
    >>> moment_of(1_700_000_000, UTC).year, moment_of("soon", UTC)
    (2023, None)
    """
    try:
        found = _read(value, zone)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found is not None and found.year in YEARS else None


def _read(value: Any, zone: tzinfo) -> datetime | None:
    seconds = number(value)
    if seconds is not None and _is_basic_day(seconds):
        value, seconds = str(int(seconds)), None
    if seconds is not None:
        if isinstance(value, str) and abs(seconds) < SECONDS_FROM:
            return None
        return datetime.fromtimestamp(
            seconds / 1000 if abs(seconds) > MILLISECONDS_FROM else seconds, UTC
        )
    if not isinstance(value, str):
        return None
    found = read_iso(value.strip())
    if found.year not in YEARS:  # near the first and the last year zones cannot be reckoned with
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)


def _is_basic_day(seconds: float) -> bool:
    first, last = BASIC_DAYS
    return first <= seconds <= last and seconds.is_integer()


def day_of(at: datetime, zone: tzinfo) -> date:
    """Return the date that a moment has in a zone."""
    return at.astimezone(zone).date()


def begins(day: date, zone: tzinfo) -> datetime:
    """Return the moment at which a day begins in a zone."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def next_hour_that_is(hours: set[int], now: datetime, zone: tzinfo) -> datetime:
    """Return the first moment after now at which the clock may begin to show one of these hours.

    It may show it already: where clocks are set back an hour begins twice.
    """
    today = day_of(now, zone)
    found = [
        at
        for day in (today, today + DAY, today + 2 * DAY)
        for hour in hours
        for fold in (0, 1)
        if (at := datetime.combine(day, time(hour, fold=fold), zone).astimezone(UTC)) > now
    ]
    return min(found)


def anniversary_from(day: date, today: date) -> date:
    """Return the first return of a day that is not before today, the day itself among them.

    >>> anniversary_from(date(2024, 2, 29), date(2026, 3, 1)).isoformat()
    '2027-02-28'
    """
    if day >= today:
        return day
    this_year = _in_year(day, today.year)
    return this_year if this_year >= today else _in_year(day, today.year + 1)


def _in_year(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
