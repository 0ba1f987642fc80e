"""Count how often each template was sent at each stage: of the ledger itself, not of what a policy weighs.

Rule 1: sent is what a server had a word about, as on the page about deliverability: also what came back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from messaging.ports import Clock, Store
from scripts.resting import Resting
from scripts.wording import moment

FIELDS = ("day", "path", "stage", "template", "status", "opened", "clicked")
EVERY_DAY = ""
"""A text that no day is less than."""


class Sent(msgspec.Struct):
    """Count one template at one stage."""

    sent: int = 0
    bounced: int = 0
    """Of these, they came back."""
    opened: int = 0
    """By people, as far as can be told."""
    clicked: int = 0


class SentNow(msgspec.Struct):
    """Hold what was sent until a moment."""

    as_of: str
    counts: dict[tuple[str, str, str], Sent]
    """(path, stage, template) -> how often."""


class SentCounts:
    """Count the ledger. Parameters: where it is, and the clock."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._resting = Resting(self._count, clock)

    async def now(self) -> SentNow:
        """Return the counts as they were a moment ago."""
        return await self._resting.now()

    async def _count(self) -> SentNow:
        as_of = moment(self._clock.now())
        return SentNow(as_of, counted_up(await self._store.tallies("sends", FIELDS, EVERY_DAY)))


def counted_up(sums: dict[tuple[Any, ...], int]) -> dict[tuple[str, str, str], Sent]:
    """Return (path, stage, template) -> how often it was sent; `sums`: values of `FIELDS` -> e-mails.

    >>> counted_up({("2026-11-26", "lead", "new", "hello", "bounced", False, False): 2})
    {('lead', 'new', 'hello'): Sent(sent=2, bounced=2, opened=0, clicked=0)}
    """
    found: dict[tuple[str, str, str], Sent] = {}
    for (day, path, stage, template, status, opened, clicked), count in sums.items():
        if not day:
            continue  # no server had a word about it yet
        each = found.setdefault((path, stage, template), Sent())
        each.sent += count
        each.bounced += count if status == "bounced" else 0
        each.opened += count if opened else 0
        each.clicked += count if clicked else 0
    return found
