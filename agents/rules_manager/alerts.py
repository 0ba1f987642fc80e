"""Go on within the budget of attempts, or call a person in: for loops and flows alike.

Rules
1. The tightest limit holds: of the whole run, or since an open without a click.
2. A person is called once a run; of a flow again only after the call before was answered.
"""

from __future__ import annotations

from datetime import datetime

from agents.rules.compiled import PathRule
from agents.rules_manager import windows
from agents.rules_manager.planning import plan, stop
from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn
from messaging.vocabulary.effects import PutAlert
from messaging.vocabulary.ids import derive


def limit_of(run: Run, path: PathRule) -> int:
    """Return how many attempts the run may have by now."""
    total = path.attempts_total
    return min(total, run.open_limit) if run.open_limit else total


def go_on(turn: Turn, run: Run, path: PathRule) -> None:
    """Plan the next e-mail, or alert a person when the budget is used and the last window has ended."""
    if run.attempts < limit_of(run, path):
        plan(turn, run, path, turn.now)
        return
    last = run.last_try()
    if last is not None and last.window_ends is not None and last.window_ends > turn.now:
        run.status = "waiting"
        windows.await_end(turn, run.slot, last.attempt)
        return
    if run.broadcast is not None:
        stop(turn, run, "its window is over", "closed")
        return
    alert(turn, run, "attempts used", path.alert)
    run.status = "alerted"
    run.visit_over_at = None
    turn.cancel(f"visit:{run.slot}")
    turn.story("run.alerted", run, attempts=run.attempts)


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
