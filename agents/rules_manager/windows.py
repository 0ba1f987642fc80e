"""Wait for the end of response windows: e-mails of one number in one place have one wake-up.

A merge leaves a run two of a number, and a new run takes the place of another that is still waited for.
"""

from __future__ import annotations

from agents.rules_manager.state import Run, Try
from agents.rules_manager.turn import Turn


def is_over(turn: Turn, attempt: Try) -> bool:
    """Say whether the e-mail's window has ended; an e-mail that is not known to have left has none yet."""
    return attempt.window_ends is not None and attempt.window_ends <= turn.now


def of_number(turn: Turn, slot: str, number: int) -> list[tuple[Run, Try]]:
    """Return the e-mails of this number in a place, those of replaced runs last."""
    runs = [run for run in turn.state.waiting_for() if run.slot == slot]
    return [(run, each) for run in runs for each in run.emails if each.attempt == number]


def await_end(turn: Turn, slot: str, number: int) -> None:
    """Ask to be woken at the next end of a window of the e-mails of this number; at once for a missed one."""
    ends = [
        max(each.window_ends, turn.now)
        for _, each in of_number(turn, slot, number)
        if each.window_ends is not None and (each.window_ends > turn.now or each.awaited)
    ]
    if ends:
        turn.wake(f"window:{slot}:{number}", min(ends))
