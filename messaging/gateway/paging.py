"""Go on through a list by time: where the next page begins is a text, the same for the API and the console."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

After = tuple[datetime, str]
"""(`at`, id) of the row that the next page of a list follows."""


def read_place(text: str) -> After | None:
    """Return the place that a page before named, None for a text that no page ever gave.

    >>> read_place("2026-11-26T14:00:00+00:00~r1")
    (datetime.datetime(2026, 11, 26, 14, 0, tzinfo=datetime.timezone.utc), 'r1')
    >>> read_place("2026-11-26T14:00:00~r1")
    """
    moment, _, key = text.partition("~")
    with contextlib.suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(moment)
        if at.tzinfo is not None and key:
            return at.astimezone(UTC), key
    return None


def place_of(row: dict[str, Any]) -> str:
    """Return the text of a row's place."""
    return f"{row['at'].isoformat()}~{row['id']}"


def cut(rows: list[dict[str, Any]], limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows of a page, and where the next one begins (None: this is the last).

    `rows`: one more than the page holds, where there are so many.
    """
    page = rows[:limit]
    return page, place_of(page[-1]) if len(rows) > limit else None
