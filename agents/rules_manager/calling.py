"""Call a person in, and say what became of the call.

Rule 1: a person is called once a run; of a flow again only after the call before was answered.
"""

from __future__ import annotations

from datetime import datetime

from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn
from messaging.vocabulary.effects import PutAlert
from messaging.vocabulary.ids import derive


def alert(turn: Turn, run: Run, reason: str, title: str = "") -> None:
    """Call a person in, once a run, with what was tried; `title` is the marketer's own for this reason."""
    if run.alert_id or run.broadcast is not None:
        return
    again = [str(run.calls)] if run.calls else []
    run.alert_id = derive("alert", turn.state.visitor, run.path, run.run, *again)
    run.calls += 1
    run.alerted_at = turn.now
    run.alert_kind = f"{title} ({reason})" if title else reason
    run.planned_at = None
    turn.effects.append(_alert(turn, run, "open"))


def settle_alert(turn: Turn, run: Run, status: str, by: str, at: datetime, stage: str = "") -> None:
    """Add to what the alert says how, by whom and when it was settled."""
    alert = _alert(turn, run, status)
    alert.by, alert.settled_at, alert.stage = by, at, stage
    turn.effects.append(alert)
    run.alert_id = ""


def _alert(turn: Turn, run: Run, status: str) -> PutAlert:
    history = [
        {
            "attempt": t.attempt,
            "send_id": t.send_id,
            "template": t.template,
            "stage": t.stage,
            "at": t.at,
            "status": t.status,
            "opened": t.opened,
            "clicked": t.clicked,
        }
        for t in run.tries
    ]
    at = run.alerted_at or turn.now
    about = (run.alert_id, run.alert_kind, run.path, run.run)
    return PutAlert(*about, status, at, history, rules_version=run.version)
