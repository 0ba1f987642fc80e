"""Count what comes to a visitor on all channels together: e-mails, and what is offered on the site.

Rules
1. An offer is a touch from when it was seen on; one that may still be seen counts as of now, as an e-mail does that is
   reserved. What ended unseen was none.
2. A path's cap on `total` holds for its e-mails. What is offered on the site is of no path: it keeps every path's.
"""

from __future__ import annotations

from datetime import datetime

from agents.rules_manager.calendar import caps_free_at
from agents.rules_manager.state import SHOWN_MAX, RulesState, Touch
from agents.rules_manager.turn import Turn

SITE = "site"
TOTAL = "total"


def touches_of(state: RulesState) -> list[Touch]:
    """Return every touch that a cap may count."""
    seen = [Touch(at, SITE, "") for at in state.shown]
    open_ = [
        Touch(each.at, SITE, "", open=True)
        for each in state.offered.values()
        if each.unseen and each.status != "merging"
    ]
    return [*state.touches, *seen, *open_]


def note_shown(state: RulesState, at: datetime) -> None:
    """Note when an offer was seen first."""
    state.shown = sorted([*state.shown, at])[-SHOWN_MAX:]


def is_full(turn: Turn) -> bool:
    """Say whether some path's cap on all channels together leaves no room for an offer now."""
    caps = [
        cap
        for path in turn.view.rules.paths.values()
        if path.name not in turn.view.archived
        for cap in path.caps
        if cap.channel == TOTAL
    ]
    if not caps:
        return False
    now = turn.now
    return caps_free_at(touches_of(turn.state), caps, SITE, now, now=now) > now
