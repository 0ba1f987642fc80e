"""Page through lists by time: where the next page goes on stands in its address."""

from __future__ import annotations

from urllib.parse import urlencode

from messaging.gateway.console.door import Visit
from messaging.gateway.paging import After, read_place
from messaging.gateway.problems import ProblemError

PAGE_ROWS = 50

AFTER_CHARACTERS_MAX = 600


def after_of(visit: Visit) -> After | None:
    """Return where the page that was asked for begins, None for the first. Raise 422."""
    given = visit.text("after", AFTER_CHARACTERS_MAX)
    after = read_place(given)
    if given and after is None:
        raise ProblemError(
            422, "this page of the list is not known: begin with the first", field="after"
        )
    return after


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
