"""Page through lists by time or by name: where the next page goes on stands in its address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from messaging.gateway.console.door import Visit
from messaging.gateway.paging import After, cut_behind, read_place
from messaging.gateway.problems import ProblemError

PAGE_ROWS = 50

AFTER_CHARACTERS_MAX = 600

UNKNOWN_PAGE = "this page of the list is not known: begin with the first"

Row = TypeVar("Row")


def after_of(visit: Visit) -> After | None:
    """Return where the page that was asked for begins, None for the first. Raise 422."""
    given = visit.text("after", AFTER_CHARACTERS_MAX)
    after = read_place(given)
    if given and after is None:
        raise ProblemError(422, UNKNOWN_PAGE, field="after")
    return after


def page_of(
    visit: Visit, rows: Sequence[Row], key: Callable[[Row], str]
) -> tuple[list[Row], str, str | None]:
    """Return a page of a list that is at hand, where it begins, and where the next one does. Raise 422."""
    after = visit.text("after", AFTER_CHARACTERS_MAX)
    found = cut_behind(rows, key, after, PAGE_ROWS)
    if found is None:
        raise ProblemError(422, UNKNOWN_PAGE, field="after")
    return found[0], after, found[1]


def addresses(
    path: str, given: dict[str, str], here: object, after: After | str | None
) -> dict[str, str]:
    """Return the addresses of the first page and of the next one, empty where there is none.

    `given`: what the list is chosen by; `here`: where this page begins, None or empty for the first.
    """
    chosen = {name: value for name, value in given.items() if value}
    newer = _with(path, chosen) if here else ""
    if not after:
        return {"newer": newer, "older": ""}
    place = after if isinstance(after, str) else f"{after[0].isoformat()}~{after[1]}"
    return {"newer": newer, "older": _with(path, {**chosen, "after": place})}


def _with(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
