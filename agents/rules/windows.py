"""Say what "within 3 days" means: whole buckets, so that a count needs no list of events.

Rules
1. A window of up to 7 days is made of UTC hours, a longer one of UTC days.
2. A window holds the running bucket and as many whole buckets before it as it says, so that nothing
   that happened within the time is left out; what is older by less than one bucket may still be in.
3. So a count changes by time alone only when a bucket starts, and `leaves_at` says at which.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

HOURS_IN_HOURS_MAX = 7 * 24
"""The longest window, in hours, that is counted in hours."""

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def bucket_of(hours: int) -> timedelta:
    """Return the size of the buckets that a window of so many hours is made of."""
    return HOUR if hours <= HOURS_IN_HOURS_MAX else DAY


def floor_to(at: datetime, bucket: timedelta) -> datetime:
    """Return the start of the hour or day that `at` lies in."""
    if bucket == HOUR:
        return at.replace(minute=0, second=0, microsecond=0)
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def window_start(now: datetime, hours: int) -> datetime:
    """Return the start of the oldest bucket in a window that ends now.

    >>> from datetime import UTC
    >>> window_start(datetime(2024, 5, 10, 12, 30, tzinfo=UTC), 24).isoformat()
    '2024-05-09T12:00:00+00:00'
    """
    return floor_to(now - timedelta(hours=hours), bucket_of(hours))


def leaves_at(
    count: Callable[[datetime], int], at_least: int, now: datetime, hours: int
) -> datetime | None:
    """Return when `count(since) >= at_least` stops to hold by time alone; None if it does not hold.

    Args:
        count: how many in the buckets from a start on; never grows with a later start.
        at_least: how many there must be.
        now: the moment of asking.
        hours: the window's length.
    """
    bucket, start = bucket_of(hours), window_start(now, hours)
    if count(start) < at_least:
        return None
    # The latest start that still holds enough: the count falls when the window's start passes it.
    low, high = 0, (floor_to(now, bucket) - start) // bucket
    if count(start + high * bucket) >= at_least:
        low = high  # the running bucket holds enough: mostly it has just happened
    while low < high:
        middle = (low + high + 1) // 2
        if count(start + middle * bucket) >= at_least:
            low = middle
        else:
            high = middle - 1
    return start + (low + 1) * bucket + timedelta(hours=hours)
