"""Compute when a touch may happen: the visitor's hours, quiet hours and caps. Pure arithmetic on times.

Rules
1. A slot is an hour of the week in the visitor's zone: 0 is Monday 00:00, 167 Sunday 23:00.
2. A cap counts touches in any rolling window; a touch exactly `hours` after another is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agents.rules.compiled import Cap, PathRule
from agents.rules_manager.state import Touch

HOUR = timedelta(hours=1)
SEARCH_HOURS = 24 * 21
"""How far ahead a free hour is looked for: longer than the longest cap of the routine (14 days)."""


@lru_cache(maxsize=1024)
def zone_of(name: str, fallback: str) -> ZoneInfo:
    """Return a time zone by its IANA name; an unknown one gives the fallback, else UTC."""
    for candidate in (name, fallback):
        try:
            if candidate:
                return ZoneInfo(candidate)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")


def slot_of(at: datetime, zone: ZoneInfo) -> int:
    """Return the hour of the week.

    >>> slot_of(datetime(2026, 11, 23, 9, 30, tzinfo=UTC), ZoneInfo("UTC"))
    9
    """
    local = at.astimezone(zone)
    return local.weekday() * 24 + local.hour


def hour_of(at: datetime, zone: ZoneInfo) -> int:
    """Return the hour of day in a zone."""
    return at.astimezone(zone).hour


def caps_free_at(
    touches: list[Touch], caps: list[Cap], channel: str, at: datetime, *, now: datetime
) -> datetime:
    """Return the first moment from `at` on at which one more touch on a channel keeps every cap (`caps_hold`)."""
    return caps_hold(touches, caps, channel, at, now=now)[0]


def caps_hold(
    touches: list[Touch], caps: list[Cap], channel: str, at: datetime, *, now: datetime
) -> tuple[datetime, Cap | None]:
    """Return until when the caps hold one more touch on a channel back, and the cap that does so last.

    A touch that is reserved and has not gone out counts as of `now`: a pause may keep it for longer than a cap.
    None where no cap does: the moment is `at` then.
    """
    free, last = at, None
    for cap in caps:
        if cap.channel not in (channel, "total"):
            continue
        counted = [t for t in touches if cap.channel in (t.channel, "total")]
        times = sorted((max(t.at, now) if t.open else t.at for t in counted), reverse=True)
        if len(times) >= cap.count:
            over = times[cap.count - 1] + timedelta(hours=cap.hours)
            free, last = (over, cap) if over > free else (free, last)
    return free, last


def starts_within(earliest: datetime, hours: float, zone: ZoneInfo) -> Iterator[datetime]:
    """Give the moments a send may be planned for: `earliest`, then each full hour within the window."""
    local = earliest.astimezone(zone)
    top = (local.replace(minute=0, second=0, microsecond=0)).astimezone(UTC)
    yield earliest
    end = earliest + timedelta(hours=hours)
    following = top + HOUR
    while following < end:
        yield following
        following += HOUR


def next_allowed(path: PathRule, zone: ZoneInfo, earliest: datetime) -> datetime:
    """Return the first moment from `earliest` on that is not in the quiet hours."""
    for start in starts_within(earliest, SEARCH_HOURS, zone):
        if not path.is_quiet(hour_of(start, zone)):
            return start
    return earliest


def quiet_from(path: PathRule, zone: ZoneInfo, at: datetime) -> datetime | None:
    """Return when the next quiet hours begin, None if the path has none."""
    for start in starts_within(at, 25, zone):
        if path.is_quiet(hour_of(start, zone)):
            return start
    return None
