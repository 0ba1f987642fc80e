"""Wait for the end of response windows: a merge leaves a run two e-mails of one number, and these one wake-up."""

from __future__ import annotations

from agents.rules_manager import guarding
from agents.rules_manager.state import Run, Try
from agents.rules_manager.turn import Turn


def is_over(turn: Turn, attempt: Try) -> bool:
    """Say whether the e-mail's window has ended; an e-mail that is not known to have left has none yet."""
    return attempt.window_ends is not None and attempt.window_ends <= turn.now


def await_end(turn: Turn, run: Run, number: int) -> None:
    """Ask to be woken at the next end of a window of the run's e-mails of this number; at once for a missed one."""
    ends = [
        max(each.window_ends, turn.now)
        for each in run.tries
        if each.attempt == number
        and each.window_ends is not None
        and (each.window_ends > turn.now or is_unsettled(each))
    ]
    if ends:
        turn.wake(f"window:{run.slot}:{number}", min(ends))


def is_unsettled(attempt: Try) -> bool:
    """Say whether something is still to be told of an e-mail at the end of its window."""
    open_ = attempt.hour_choice.open or attempt.template_choice.open
    return open_ or guarding.waits(attempt)
