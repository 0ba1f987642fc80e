"""Read a stranger's JSON value by value: what has another type than it should is not there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

COUNT_MAX = 1_000_000_000


def text_of(value: Any) -> str:
    """Return a text without outer blanks, empty if it is none.

    >>> text_of(" a "), text_of(["a"]), text_of(None)
    ('a', '', '')
    """
    return value.strip() if isinstance(value, str) else ""


def count_of(value: Any) -> int | None:
    """Return a count, None if it is none.

    >>> count_of(3), count_of(True), count_of(-1), count_of("3"), count_of(10**30)
    (3, None, None, None, 1000000000)
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return min(value, COUNT_MAX)


def moment_of(value: Any) -> datetime | None:
    """Return a moment in UTC, None if it is none.

    >>> moment_of("2026-11-01T10:00:00Z").hour, moment_of("yesterday"), moment_of(5)
    (10, None, None)
    """
    try:
        at = datetime.fromisoformat(text_of(value))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def past_moment_of(value: Any, now: datetime) -> datetime | None:
    """Return a moment that is not to come, None if it is none: a clock is wrong there, or somebody wants to look busy.

    >>> now = datetime(2026, 11, 27, tzinfo=UTC)
    >>> past_moment_of("2026-11-01", now).day, past_moment_of("9999-12-31", now)
    (1, None)
    """
    at = moment_of(value)
    return at if at is not None and at <= now else None


def objects_of(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; one that stands alone is a list of one, as JSON-LD has it.

    >>> objects_of([{"a": 1}, 2]), objects_of({"a": 1}), objects_of("a")
    ([{'a': 1}], [{'a': 1}], [])
    """
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, dict)]
