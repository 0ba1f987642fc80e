"""Plan an e-mail again, until it is sent, when more is known of the hours in which its reader is there.

Rules
1. Within the window that was open to it: what is promised by a window holds, however often a plan is revised.
2. By a new decision, whose propensities are those of the moment; the one before gets no reward.
3. Only an hour that was learned is revised: what is sent at once, by the rules, or held stays as it is.
"""

from __future__ import annotations

from agents.rules_manager.planning import by_rules, plan
from agents.rules_manager.state import Run
from agents.rules_manager.turn import Turn
from messaging.vocabulary.messages import HoursSeen


def hours_seen(turn: Turn, message: HoursSeen) -> None:
    """Take in which hours the visitor was there, and plan by that what waits for an hour."""
    state = turn.state
    if message.week < state.hours_week:
        return  # told before a merge: what stands says more
    state.hours_week, state.hours = message.week, message.before
    if state.awaiting:
        return  # `merge.state_merged` plans again
    for run in state.runs.values():
        path = turn.path(run)
        if path is not None and _may_be_revised(turn, run):
            run.hour_choice.open = False
            turn.story("send.revised", run, was=run.planned_at)
            plan(turn, run, path, turn.now, until=run.window_ends)


def _may_be_revised(turn: Turn, run: Run) -> bool:
    at, ends, choice = run.planned_at, run.window_ends, run.hour_choice
    is_waiting = run.status == "planned" and at is not None and at > turn.now
    is_open = ends is not None and ends > turn.now
    is_learned = choice.open and not choice.by_rules and not by_rules(turn, run)
    return is_waiting and is_open and is_learned and not turn.is_paused(run)
