"""Say how far the world clock may go: no more than a quantum past the oldest thing that is not done.

Rules
1. A part reports the oldest world time of anything it *held at any time since its last report that was heard*. What
   one part hands to another between two reports is then in at least one of them, whatever the order of asking.
2. A part that does not answer, or is still recovering, holds everything up: nobody knows what it holds.
3. A limit never goes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

QUANTUM = timedelta(minutes=5)
"""World time between the oldest thing due and the clock: all that falls into it is done side by side."""


class GateReport(msgspec.Struct, frozen=True, array_like=True):
    """Say what the world clock must wait for at one part of the system."""

    held_since: datetime | None
    """World time of the oldest thing held since the previous report, or None."""
    next_due: datetime | None
    """The earliest wake-up or replayed call still to come, or None."""
    number: int = 0
    """Says which report this is; with the next question the part is told which one was heard."""


class Unheard:
    """Keep what a part held until it is known that a report of it was heard.

    An answer that comes too late is lost, and its question may be worked at late, between two others. What it found
    must then be in the next report: else the clock goes on past what is not done.

    Parameters:
        number: of the last report before; higher than any of an earlier life of the same part.
    """

    __slots__ = ("number", "oldest")

    def __init__(self, number: int) -> None:
        self.number = number
        self.oldest: datetime | None = None
        """World time of the oldest thing that was not heard of."""

    def note(self, held: datetime | None) -> None:
        """Take what the part reports to have held.

        >>> from datetime import UTC
        >>> unheard = Unheard(0)
        >>> unheard.note(datetime(2017, 6, 1, 12, tzinfo=UTC))
        >>> unheard.note(None)
        >>> unheard.oldest.hour
        12
        >>> unheard.heard(2)
        >>> unheard.oldest
        """
        self.number += 1
        if held is not None and (self.oldest is None or held < self.oldest):
            self.oldest = held

    def heard(self, number: int) -> None:
        """Forget what was told, if nothing was noted after that report."""
        if number >= self.number:
            self.oldest = None


def limit(reports: Iterable[GateReport | None], quantum: timedelta = QUANTUM) -> datetime | None:
    """Return how far the clock may go, None where a part is silent or nothing is due anywhere.

    >>> from datetime import UTC
    >>> noon = datetime(2017, 6, 1, 12, tzinfo=UTC)
    >>> limit([GateReport(None, noon), GateReport(None, None)]).minute
    5
    >>> limit([GateReport(None, noon), None]) is None
    True
    """
    oldest = None
    for report in reports:
        if report is None:
            return None
        for at in (report.held_since, report.next_due):
            if at is not None and (oldest is None or at < oldest):
                oldest = at
    return None if oldest is None else oldest + quantum


def idle(reports: Iterable[GateReport | None]) -> bool:
    """Say whether every part answered and none has anything due or held."""
    return all(
        report is not None and report.held_since is None and report.next_due is None
        for report in reports
    )
