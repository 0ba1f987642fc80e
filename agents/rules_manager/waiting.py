"""Say until when a planned e-mail waits, and why: in the visitor's story, and in a broadcast's row of them.

Rules
1. What may go at once waits for nothing, and no reason is named.
2. What would have let it go last is named: an hour that was picked, else the caps and quiet hours, else a visit. Of
   several caps, the one that does so last.
3. The plan says so, not the clock: once the time is over, the e-mail is with Email.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from agents.rules.compiled import Cap
from agents.rules_manager.broadcast_rule import PLANNED
from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn
from messaging.vocabulary.effects import CapReached

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


def tell_planned(turn: Turn, run: Run, step: str, why: str, cap: Cap | None) -> None:
    """Tell when a run's e-mail is planned for; `why`: why not for now; `cap`: which one let it go last."""
    held = cap if why in (CAP, BOTH) else None
    said = {"why": why, **named(held)} if why else {}
    turn.story("send.planned", run, step=step, at=run.planned_at, **said)
    tell_waiting(turn, run, why, held)


def tell_waiting(turn: Turn, run: Run, why: str, cap: Cap | None = None) -> None:
    """Show until when a broadcast waits for this visitor, where it is one and `why` says that it waits."""
    if run.broadcast is not None:
        until = run.planned_at if why else None
        reached = CapReached(cap.channel, cap.count, cap.hours) if cap is not None else None
        turn.show_recipient(run.broadcast.id, PLANNED, why, until=until, cap=reached)


def named(cap: Cap | None) -> dict[str, Any]:
    """Return what a line of the story has of a cap, to be said with the reason.

    >>> named(Cap("email", 4, 336)), named(None)
    ({'cap': {'channel': 'email', 'count': 4, 'hours': 336}}, {})
    """
    return {} if cap is None else {"cap": msgspec.structs.asdict(cap)}
