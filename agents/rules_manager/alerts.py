"""Go on within the budget of attempts, or call a person in: for loops and flows alike.

Rule 1: the tightest limit holds: of the whole run, or since an open without a click.
"""

from __future__ import annotations

from agents.rules.compiled import PathRule
from agents.rules_manager import windows
from agents.rules_manager.calling import alert
from agents.rules_manager.planning import plan, stop
from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn


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
