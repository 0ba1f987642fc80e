"""Say until when a planned e-mail waits, and why: in the visitor's story, and in a broadcast's row of them.

Rules
1. What may go at once waits for nothing, and no reason is named.
2. What would have let it go last is named: an hour that was picked, else the caps and quiet hours, else a visit.
3. The plan says so, not the clock: once the time is over, the e-mail is with Email.
"""

from __future__ import annotations

from datetime import datetime

from agents.rules_manager.broadcast_rule import PLANNED
from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn

AFTER_VISIT, SEND_TIME = "after_visit", "send_time"
CAP, QUIET_HOURS, BOTH = "cap", "quiet_hours", "cap_then_quiet_hours"


def why_waiting(
    now: datetime, earliest: datetime, free: datetime, first: datetime, at: datetime
) -> str:
    """Return why an e-mail goes at `at` and not now, empty where it goes now.

    Args:
        now: the moment of planning.
        earliest: from when on the run may be written to, by what the visitor did.
        free: from when on the caps let it go, by that.
        first: from when on the quiet hours do as well.
        at: when it is planned for.

    >>> from datetime import UTC
    >>> noon, four, eight = (datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in (12, 16, 20))
    >>> why_waiting(noon, noon, four, four, four), why_waiting(noon, noon, noon, four, eight)
    ('cap', 'send_time')
    """
    if at <= now:
        return ""
    if at > first:
        return SEND_TIME
    if first > free:
        return BOTH if free > earliest else QUIET_HOURS
    return CAP if free > earliest else AFTER_VISIT


def tell_planned(turn: Turn, run: Run, step: str, why: str) -> None:
    """Tell when a run's e-mail is planned for; `why`: why not for now."""
    said = {"why": why} if why else {}
    turn.story("send.planned", run, step=step, at=run.planned_at, **said)
    tell_waiting(turn, run, why)


def tell_waiting(turn: Turn, run: Run, why: str) -> None:
    """Show until when a broadcast waits for this visitor, where it is one and `why` says that it waits."""
    if run.broadcast is not None:
        turn.show_recipient(run.broadcast.id, PLANNED, why, run.planned_at if why else None)
