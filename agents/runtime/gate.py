"""Say how far the world clock may go: no more than a quantum past the oldest thing that is not done.

Rules
1. A part reports the oldest world time of anything it *held at any time since its previous report*. What one
   part hands to another between two reports is then in at least one of them, whatever the order of asking.
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
