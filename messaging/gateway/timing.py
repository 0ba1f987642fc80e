"""Read the times of calls and put them on the world clock.

Rules
1. A live call happened `sentAt - timestamp` before it was sent, by its own clock, and it was sent just now:
   its world time is now minus that age. A client's wrong clock cancels out.
2. The age is held within 0 to 24 h. Without `sentAt` the client's clock is taken to be right.
3. How old something is by the machine's clock, so old it is in the world. In a world of real time the two are one
   clock, and what names a second is of that second: microseconds between two looks are no age.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from messaging.gateway.limits import SENT_AGE_MAX
from messaging.vocabulary.errors import RejectedEvent
from messaging.vocabulary.iso_times import read_iso

_ZERO = timedelta(0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_time(text: str, field: str) -> datetime:
    """Read an ISO 8601 time as aware UTC; one without a zone is UTC.

    >>> read_time("2017-06-01T02:00:00.5+02:00", "timestamp").isoformat()
    '2017-06-01T00:00:00.500000+00:00'
    """
    try:
        at = read_iso(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RejectedEvent("is no ISO 8601 time", field) from None
    if at < _EPOCH:
        raise RejectedEvent("is before 1970", field)
    return at


def both_now(
    world_now: Callable[[], datetime], wall_now: Callable[[], datetime]
) -> tuple[datetime, datetime]:
    """Return world time and the machine's own, of one moment; equal where the world is of real time (rule 3).

    >>> ticks = iter(range(3))
    >>> tick = lambda: _EPOCH + timedelta(microseconds=next(ticks))
    >>> world, wall = both_now(tick, tick)
    >>> world == wall
    True
    """
    before = wall_now()
    world = world_now()
    after = wall_now()
    return (world, world) if before <= world <= after else (world, after)


def live_time(timestamp: datetime, sent_at: datetime, now: datetime) -> datetime:
    """Return the world time of a live call: now minus its age when it was sent, 0 to 24 h.

    >>> noon = datetime(2017, 6, 1, 12, tzinfo=UTC)
    >>> live_time(noon - timedelta(days=99), noon - timedelta(days=99, hours=-1), noon).hour
    11
    """
    age = sent_at - timestamp
    if age <= _ZERO:
        return now
    return now - min(age, SENT_AGE_MAX)
