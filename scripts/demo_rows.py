"""Say which rows of the routine have been taken, from what the bots have written down.

Rules
1. Only the bots' own rows are read: what the audience meant to do counts for nothing.
2. A row that was taken stays taken; it is looked for no more, and told once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Row = dict[str, Any]
Rows = Callable[[str, dict[str, Any]], Awaitable[list[Row]]]
"""Gives the newest rows of a table whose fields equal those named."""

SALE = "buys: off the path, success e-mail"
OUT = {"status": "handed over"}


def _send(row: Row, *stages: str, attempt: int = 1) -> bool:
    return row["stage"] in stages and row["attempt"] >= attempt and not row["success"]


def _seen(row: Row, *types: str) -> bool:
    return row["interaction_type"] in types and bool(row.get("shown_at"))


def _stage(row: Row, *stages: str) -> bool:
    return (row.get("detail") or {}).get("stage") in stages


ROUTINE: dict[str, tuple[str, dict[str, Any], Callable[[Row], bool]]] = {
    "bounces hard: the address is suppressed": ("sends", {"status": "bounced"}, lambda _: True),
    "does not open: another subject, another time": (
        "sends",
        OUT,
        lambda row: _send(row, "invited", attempt=2),
    ),
    "opens, does not click: another template": ("sends", OUT, lambda row: _send(row, "opened")),
    "clicks: the browser is known": (
        "story",
        {"kind": "stage.reached"},
        lambda row: _stage(row, "visited", "cart", "talk"),
    ),
    "adds to cart: left alone": (
        "story",
        {"kind": "stage.reached"},
        lambda row: _stage(row, "cart"),
    ),
    "looks closely at depth 2: opinion form": (
        "engagements",
        {},
        lambda row: _seen(row, "opinion_form"),
    ),
    "still looks at depth 4: invitation to chat": (
        "engagements",
        {},
        lambda row: _seen(row, "chat_invitation"),
    ),
    "is about to leave, or does none of it: one more interaction": (
        "engagements",
        {},
        lambda row: _seen(row, "exit_offer", "notice_bar"),
    ),
    "leaves without buying: the e-mails go on": (
        "sends",
        OUT,
        lambda row: _send(row, "visited", "cart", "talk"),
    ),
    SALE: ("sends", OUT, lambda row: bool(row["success"])),
    "uses up the attempts: a person is called": (
        "story",
        {"kind": "run.alerted"},
        lambda _: True,
    ),
}
"""Row of the routine -> (table, what its rows must equal, which of those show that it was taken)."""


async def taken(rows: Rows, missing: Iterable[str]) -> list[str]:
    """Return which of these rows of the routine have been taken by now.

    Args:
        rows: reads a table.
        missing: names in `ROUTINE`.
    """
    read: dict[str, list[Row]] = {}
    found = []
    for name in missing:
        table, match, shows = ROUTINE[name]
        key = f"{table} {sorted(match.items())}"
        if key not in read:
            read[key] = await rows(table, match)
        if any(shows(row) for row in read[key]):
            found.append(name)
    return found


class Progress:
    """Follow which rows have been taken, and tell each when it is taken for the first time.

    Parameters:
        rows: reads a table.
        say: tells the person at the console.
        seconds: gives machine seconds since the demo began.
    """

    def __init__(
        self, rows: Rows, say: Callable[[str], None], seconds: Callable[[], float]
    ) -> None:
        self._rows = rows
        self._say = say
        self._seconds = seconds
        self._missing = list(ROUTINE)
        self._sale: float | None = None

    async def look(self) -> bool:
        """Look for what is missing; return whether nothing is any more."""
        for name in await taken(self._rows, self._missing):
            self._missing.remove(name)
            self._tell(name)
        return not self._missing

    def numbers(self) -> dict[str, float]:
        """Return how far it is."""
        found = {
            "rows_taken": float(len(ROUTINE) - len(self._missing)),
            "rows_of": float(len(ROUTINE)),
        }
        return found if self._sale is None else {**found, "first_sale_seconds": self._sale}

    def _tell(self, name: str) -> None:
        seconds = self._seconds()
        if name == SALE:
            self._sale = seconds
            self._say(f"demo       first sale after {seconds:.0f} s")
        done = len(ROUTINE) - len(self._missing)
        self._say(f"demo       row {done} of {len(ROUTINE)} after {seconds:.0f} s: {name}")
        if not self._missing:
            self._say(
                "demo       every row of the routine has been taken; the world goes calmer now"
            )
