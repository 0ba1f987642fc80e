"""Say what "within 3 days" means: whole buckets, so that a count needs no list of events.

Rules
1. A window of up to 7 days is made of hours, a longer one of days in the visitor's zone. A day begins with the UTC hour
   in which the visitor's midnight lies: the same, but in zones that are off by half an hour.
2. A window holds the running bucket and as many whole buckets before it as it says, so that nothing
   that happened within the time is left out; what is older by less than one bucket may still be in.
3. So a count changes by time alone only when a bucket starts, and `leaves_at` says at which.
4. The zone is the one of the moment of asking. Who moves has other days from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache

HOURS_IN_HOURS_MAX = 7 * 24
"""The longest window, in hours, that is counted in hours."""

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
QUARTER_SECONDS = 900
"""Midnights of all zones lie on a quarter of an hour."""


def has_days(hours: int | None) -> bool:
    """Say whether a window of so many hours is made of days, and so of the visitor's zone."""
    return hours is not None and hours > HOURS_IN_HOURS_MAX


def floor_hour(at: datetime) -> datetime:
    """Return the start of the hour (UTC) that a moment lies in."""
    return at.replace(minute=0, second=0, microsecond=0)


def midnight(at: datetime, zone: tzinfo, days: int = 0) -> datetime:
    """Return the first moment (UTC) of the day in a zone that `at` lies in, or of one so many days later.

    >>> from zoneinfo import ZoneInfo
    >>> midnight(
    ...     datetime(2024, 5, 10, 1, 30, tzinfo=UTC), ZoneInfo("America/Sao_Paulo")
    ... ).isoformat()
    '2024-05-09T03:00:00+00:00'
    """
    return _midnight(int(at.timestamp() // QUARTER_SECONDS), zone, days)


@lru_cache(maxsize=256)
def window_start(now: datetime, hours: int, zone: tzinfo) -> datetime:
    """Return the start of the oldest bucket in a window that ends now; it is the start of an hour (UTC).

    >>> window_start(datetime(2024, 5, 10, 12, 30, tzinfo=UTC), 24, UTC).isoformat()
    '2024-05-09T12:00:00+00:00'
    """
    back = now - timedelta(hours=hours)
    return floor_hour(midnight(back, zone) if has_days(hours) else back)


def leaves_at(
    count: Callable[[datetime], int], at_least: int, now: datetime, hours: int, zone: tzinfo
) -> datetime | None:
    """Return when `count(since) >= at_least` stops to hold by time alone; None if it does not hold.

    Args:
        count: how many in the buckets from a start on; never grows with a later start.
        at_least: how many there must be.
        now: the moment of asking.
        hours: the window's length.
        zone: the visitor's, in which days begin.
    """
    if has_days(hours):
        first = midnight(now - timedelta(hours=hours), zone)
        steps = (now.astimezone(zone).date() - first.astimezone(zone).date()).days

        def bucket(step: int) -> datetime:
            return midnight(first, zone, step)

        def holds(step: int) -> bool:
            return count(floor_hour(bucket(step))) >= at_least

    else:
        first = floor_hour(now - timedelta(hours=hours))
        steps = (floor_hour(now) - first) // HOUR

        def bucket(step: int) -> datetime:
            return first + step * HOUR

        def holds(step: int) -> bool:
            return count(bucket(step)) >= at_least

    if not holds(0):
        return None
    # The latest start that still holds enough: the count falls when the window's start passes it.
    low, high = 0, steps
    if holds(high):
        low = high  # the running bucket holds enough: mostly it has just happened
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return bucket(low + 1) + timedelta(hours=hours)


def left_at(at: datetime, hours: int, zone: tzinfo) -> datetime:
    """Return when a moment leaves a window that ends now: when the window's start passes its bucket."""
    if not has_days(hours):
        return floor_hour(at) + HOUR + timedelta(hours=hours)
    # Within the hour of a midnight a moment counts for the day that begins then.
    return midnight(floor_hour(at) + HOUR - timedelta(microseconds=1), zone, 1) + timedelta(
        hours=hours
    )


@lru_cache(maxsize=16_384)
def _midnight(quarter: int, zone: tzinfo, days: int) -> datetime:
    at = datetime.fromtimestamp(quarter * QUARTER_SECONDS, UTC)
    day = at.astimezone(zone).date() + timedelta(days=days)
    return datetime.combine(day, time(), zone).astimezone(UTC)
