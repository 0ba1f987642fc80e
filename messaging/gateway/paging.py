"""Go on through a list by time or by name: where the next page begins is a text, the same for API and console."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

Row = TypeVar("Row")

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


def written_place(after: After | None) -> str | None:
    """Return the text of a place, None for none."""
    return f"{after[0].isoformat()}~{after[1]}" if after is not None else None


def place_of(row: dict[str, Any]) -> str:
    """Return the text of a row's place."""
    return f"{row['at'].isoformat()}~{row['id']}"


def cut(rows: list[dict[str, Any]], limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows of a page, and where the next one begins (None: this is the last).

    `rows`: one more than the page holds, where there are so many.
    """
    page = rows[:limit]
    return page, place_of(page[-1]) if len(rows) > limit else None


def cut_behind(
    rows: Sequence[Row], key: Callable[[Row], str], after: str, limit: int
) -> tuple[list[Row], str | None] | None:
    """Return a page of a list that is at hand, and after which key the next one begins (None: this is the last).

    None where no row has the key `after` (any more); an empty one begins with the first.

    >>> cut_behind(["a", "b", "c"], str, "a", 1), cut_behind(["a"], str, "b", 1)
    ((['b'], 'b'), None)
    """
    keys = [key(row) for row in rows]
    if after and after not in keys:
        return None
    begin = keys.index(after) + 1 if after else 0
    page = list(rows[begin : begin + limit])
    return page, keys[begin + limit - 1] if begin + limit < len(rows) else None
