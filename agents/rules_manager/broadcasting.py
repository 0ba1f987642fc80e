"""Send a broadcast: one e-mail of a template to a visitor, by the caps, quiet hours and sender of a path.

Rules
1. It is a run of its own, of one attempt: so it is reserved, arbitrated, refused and answered as every other e-mail.
2. It comes to a visitor once, however often it is told.
3. Nobody is called for want of an answer, and nothing is learned from one: with a single template there is no choice.
4. What became of it is a row for each visitor, with the reason where it was refused, or waits and until when.
5. Who has left its cohort by the time that it would be sent, by buying for one, gets it no more.
6. What Email was asked for before it was called off may go out; if it does not, it is not planned again.
"""

from __future__ import annotations

from agents.rules.compiled import CompiledRules
from agents.rules_manager.broadcast_rule import (
    BROADCAST,
    CALLED_OFF,
    REFUSED,
    cohorts_of,
    name_of,
)
from agents.rules_manager.planning import news_until, plan, stop
from agents.rules_manager.state import BROADCASTS_MAX, RulesState, Run
from agents.rules_manager.turn import Turn
from agents.rules_manager.working import LET_IN, WHOM, count
from messaging.vocabulary.messages import BroadcastReached
from messaging.vocabulary.plans import Broadcast

OPEN_MAX = 8
"""Broadcasts that may wait for a visitor at once: more would go out weeks late."""


def reached(turn: Turn, message: BroadcastReached) -> None:
    """Plan a broadcast's e-mail for this visitor, or call it off."""
    if message.cancel:
        _cancel(turn, message.broadcast)
        return
    state, broadcast = turn.state, message.broadcast
    if broadcast.id in state.broadcasts:
        return
    state.broadcasts = [*state.broadcasts, broadcast.id][-BROADCASTS_MAX:]
    reason = refusal(state, turn.view.pinned.get(broadcast.version), broadcast)
    waiting = sum(run.broadcast is not None and run.active for run in state.runs.values())
    if not reason and waiting >= OPEN_MAX:
        reason = "open_runs"
    if reason and (reason != turn.state.not_agreed or news_until(turn) is None):
        state.refused += 1
        turn.story("broadcast.refused", None, broadcast=broadcast.id, rule=reason)
        turn.show_recipient(broadcast.id, REFUSED, reason)
        return
    run = Run(
        name_of(broadcast.id),
        broadcast.version,
        "1",
        message.at,
        BROADCAST,
        "planned",
        turn.held_out(),
        broadcast=broadcast,
        by_people=LET_IN,
    )
    path = turn.path(run)
    assert path is not None, "it was looked for"
    state.put_run(run)
    count(state, WHOM, by_people=True)
    turn.story("broadcast.planned", None, broadcast=broadcast.id, template=broadcast.template)
    plan(turn, run, path, turn.now)


def refusal(state: RulesState, rules: CompiledRules | None, broadcast: Broadcast) -> str:
    """Return why a visitor does not get a broadcast, empty if they do: consent is asked before all else.

    `rules`: the version that the broadcast names, None where it is not kept.
    """
    if state.not_agreed:
        return state.not_agreed
    if rules is None or broadcast.path not in rules.paths:
        return "no_such_path"
    if broadcast.template not in rules.templates:
        return "no_such_template"
    return "" if cohorts_of(rules, broadcast) <= set(state.cohorts) else "cohort"


def _cancel(turn: Turn, broadcast: Broadcast) -> None:
    run = turn.state.runs.get(name_of(broadcast.id))
    if run is not None and run.status == "planned":
        stop(turn, run, CALLED_OFF, "closed")
    elif run is not None and run.status == "sending":
        run.called_off = True


def may_go(run: Run | None) -> bool:
    """Say whether a broadcast's e-mail may go out that has not yet, unless the run is told that it was called off."""
    if run is None or run.called_off:
        return False
    return run.status in ("planned", "sending")
