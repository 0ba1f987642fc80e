"""Make two visitors' places on their paths one: the further stage, attempts added, the goal wins."""

from __future__ import annotations

from datetime import datetime

import msgspec

from agents.rules.compiled import PathRule
from agents.rules_manager import engaging, flow, guarding, windows
from agents.rules_manager.alerts import go_on
from agents.rules_manager.broadcast_rule import (
    CALLED_OFF,
    CANCELLED,
    MOVED,
    PLANNED,
    REFUSED,
    SENT,
)
from agents.rules_manager.calling import settle_alert
from agents.rules_manager.counted import together, without_arms
from agents.rules_manager.loop import leave_alone, win
from agents.rules_manager.planning import plan, stop
from agents.rules_manager.sending import MERGED
from agents.rules_manager.state import (
    ABSORBED_MAX,
    ACTIVE,
    BROADCASTS_MAX,
    SHOWN_MAX,
    TOUCHES_MAX,
    TRIES_MAX,
    RulesState,
    Run,
)
from agents.rules_manager.turn import Turn
from agents.rules_manager.working import add
from learning.serving.presence import joined
from messaging.vocabulary.effects import Moved, Tell
from messaging.vocabulary.messages import MergedInto, MergeStarted, SendSettled, StateMerged

ENDS = ("planned", "sending", "waiting", "visiting", "ended", "closed", "alerted", "stopped", "won")
"""Statuses by what wins in a merge: later ones end the merged run."""

_decoder = msgspec.msgpack.Decoder(RulesState)


def merged_into(turn: Turn, message: MergedInto) -> None:
    """Send this (younger) visitor's state to the older one and leave a tombstone."""
    for run in turn.state.runs.values():
        if run.broadcast is not None and run.status == "planned":
            turn.show_recipient(run.broadcast.id, MOVED)
    state = msgspec.msgpack.encode(turn.state)
    turn.effects.append(
        Tell(
            "rules",
            StateMerged(
                visitor=message.into, at=message.at, younger=turn.state.visitor, state=state
            ),
        )
    )
    turn.effects.append(Moved(message.into))


def merge_started(turn: Turn, message: MergeStarted) -> None:
    """Send nothing until the younger visitor's state has come: its touches count for the caps."""
    state = turn.state
    if message.younger not in state.absorbed and message.younger not in state.awaiting:
        state.awaiting.append(message.younger)


def state_merged(turn: Turn, message: StateMerged) -> None:
    """Take the younger visitor's state into this (older) one."""
    younger = _decoder.decode(message.state)
    state = turn.state
    crossed = _crossed(turn, younger)
    state.mixed = state.mixed or younger.mixed or turn.held_out() != turn.held_out(younger.visitor)
    if not state.known:  # else what Behavior said of this visitor holds, until it says more
        state.known, state.owns_mailbox = younger.known, younger.owns_mailbox
        state.may_email, state.mailbox = younger.may_email, younger.mailbox
        state.bounced = younger.bounced
    state.past = together(state.past, younger.past)
    if state.mixed:
        state.past = without_arms(state.past)
    state.kept_off = {**younger.kept_off, **state.kept_off}
    state.merged_at = turn.now
    state.zone = state.zone or younger.zone
    state.orders += younger.orders
    state.traits = {**younger.traits, **state.traits}
    state.refused += younger.refused
    state.offers = max(state.offers, younger.offers)
    add(state, younger.work)
    state.note_visits(younger.visits)
    engaging.merged(turn, younger)
    state.touches = sorted([*state.touches, *younger.touches], key=lambda t: t.at)[-TOUCHES_MAX:]
    state.hours_week, state.hours = joined(
        (state.hours_week, state.hours), (younger.hours_week, younger.hours)
    )
    state.shown = sorted([*state.shown, *younger.shown])[-SHOWN_MAX:]
    guarding.merged(state, younger)
    for path, at in younger.goals.items():
        state.goals[path] = max(at, state.goals.get(path, at))
    for path, number in younger.entries.items():
        state.entries[path] = max(number, state.entries.get(path, 0))
    for run in younger.runs.values():
        _merge_run(turn, run, message.younger)
    state.keep_replaced(sorted([*state.replaced, *younger.replaced], key=_let_go_at))
    for run in state.replaced:
        for attempt in run.tries:
            windows.await_end(turn, run.slot, attempt.attempt)
    for run in state.runs.values():
        goal = state.goals.get(run.path)
        if goal is None or run.status == "won":
            continue
        if goal >= run.goal_since or run.path in crossed:
            win(turn, run, goal)
    state.broadcasts = list(dict.fromkeys([*younger.broadcasts, *state.broadcasts]))[
        -BROADCASTS_MAX:
    ]
    state.absorbed = [*state.absorbed, *younger.absorbed, message.younger][-ABSORBED_MAX:]
    waiting = dict.fromkeys([*state.awaiting, *younger.awaiting])
    state.awaiting = [each for each in waiting if each not in state.absorbed]
    if not state.awaiting:
        _plan_again(turn)
    turn.story("visitor.merged", None, younger=message.younger)


def send_settled(turn: Turn, message: SendSettled) -> None:
    """Go on with the run after an e-mail that the merge took back: nothing is wrong with the lead."""
    if message.reason != MERGED:
        return
    for run in turn.state.runs_on(message.path):
        if run.status == "sending":
            _rearm(turn, run)


def _let_go_at(run: Run) -> datetime:
    return max((each.at for each in run.tries), default=run.entered_at)


def _crossed(turn: Turn, younger: RulesState) -> set[str]:
    """Return the paths on which one of the two is a lead and the other a customer, who enters there no more.

    Had they been known as one from the start, the run would not go on, however long before it the goal was reached.
    """
    state = turn.state
    pairs = ((state.runs, younger.goals), (younger.runs, state.goals))
    both = {run.path: run for runs, goals in pairs for run in runs.values() if run.path in goals}
    rules = {path: turn.path(run) for path, run in both.items()}
    return {path for path, rule in rules.items() if rule is not None and rule.reentry == "never"}


def _plan_again(turn: Turn) -> None:
    """Plan again what came due while nothing was sent."""
    for run in turn.state.runs.values():
        path = turn.path(run)
        # One that is held has no time, and its look again may have been slept through.
        due = run.planned_at is None or run.planned_at <= turn.now
        if run.status == "planned" and due and path is not None:
            run.hour_choice.open = False
            plan(turn, run, path, turn.now)


def _merge_run(turn: Turn, other: Run, younger: str) -> None:
    state = turn.state
    path = turn.path(other)
    if path is not None and path.reentry == "every_time" and other.key:
        # Numbered apart: two entries are two runs, and no send of the one has the id of one of the other.
        other.key = other.run = f"{other.run}.{younger[:8]}"
    mine = state.runs.get(other.slot)
    if mine is None:
        mine = other
        state.put_run(mine)
        mine.holdout = turn.held_out()
        if mine.broadcast is not None and mine.status == "planned":
            turn.show_recipient(mine.broadcast.id, PLANNED)
    else:
        path = turn.path(mine)
        names = path.places if path is not None else []
        further = max(mine.stage, other.stage, key=lambda s: names.index(s) if s in names else -1)
        if path is not None and path.steps:
            further = flow.merged(mine, other, further)
        else:
            for stage, at in other.reached.items():
                mine.reached[stage] = min(at, mine.reached.get(stage, at))
        mine.stage = further
        mine.won_at = mine.won_at or other.won_at
        _count_once(mine, other)
        mine.attempts += other.attempts
        mine.tries = sorted([*mine.tries, *other.tries], key=lambda t: t.at)[-TRIES_MAX:]
        limits = [limit for limit in (mine.open_limit, other.open_limit) if limit]
        clicked = any(attempt.clicked for attempt in mine.tries)
        mine.open_limit = 0 if clicked else min(limits, default=0)
        since = min(mine.goal_since, other.goal_since)
        mine.entered_at = min(mine.entered_at, other.entered_at)
        mine.since = since if since < mine.entered_at else None
        mine.earlier = [*mine.earlier, *other.earlier][-TRIES_MAX:]
        mine.status = max(mine.status, other.status, key=ENDS.index)
        _one_alert(turn, mine, other)
        mine.called_off |= other.called_off
        mine.by_people = mine.by_people or other.by_people
        mine.given_back += other.given_back + 1
        mine.given_up += other.given_up
        mine.calls = max(mine.calls, other.calls)
        visits = [at for at in (mine.visit_over_at, other.visit_over_at) if at is not None]
        mine.visit_over_at = max(visits, default=None)
        _show_once(turn, mine)
    _rearm(turn, mine)


def _show_once(turn: Turn, run: Run) -> None:
    """Show what became of a broadcast that came to both halves of a visitor: sent where either of them got it."""
    gone = [attempt for attempt in run.tries if attempt.status != "reserved"]
    if run.broadcast is not None and gone:
        turn.show_recipient(run.broadcast.id, SENT, gone[-1].status)
    elif (
        run.broadcast is not None and not run.active
    ):  # it was called off, or refused, for one of them
        turn.show_recipient(run.broadcast.id, CANCELLED if run.status == "closed" else REFUSED)


def _count_once(mine: Run, other: Run) -> None:
    """Let a split test that both halves of a visitor took part in count the older one's variant alone."""
    tests = {attempt.template_choice.test for attempt in mine.tries}
    for attempt in other.tries:
        if attempt.template_choice.test in tests:
            attempt.template_choice.test = ""


def _one_alert(turn: Turn, mine: Run, other: Run) -> None:
    """Keep the alert that waits for a person, one for one lead, and none for a customer."""
    if mine.alert_id and other.alert_id:
        settle_alert(turn, other, "closed", "merge", turn.now)
    elif other.alert_id:
        mine.alert_id = other.alert_id
        mine.alert_kind = other.alert_kind
        mine.alerted_at = other.alerted_at
    if mine.alert_id and mine.won_at is not None:
        settle_alert(turn, mine, "closed", "goal", mine.won_at)


def _rearm(turn: Turn, run: Run) -> None:
    """Ask for the wake-ups that the merged run needs; an ended one needs none."""
    path: PathRule | None = turn.path(run)
    for number in sorted({each.attempt for each in run.emails if each.awaited}):
        windows.await_end(turn, run.slot, number)
    if run.status not in ACTIVE or path is None:
        run.planned_at = None
        turn.cancel(f"send:{run.slot}")
        turn.cancel(f"visit:{run.slot}")
        if run.until is not None:
            run.until = None
            turn.cancel(f"flow:{run.slot}")
        return
    if any(t.status == "reserved" for t in run.tries):
        run.status = "sending"
        turn.cancel(f"send:{run.slot}")
        return
    if run.called_off and not run.attempts:
        stop(turn, run, CALLED_OFF, "closed")
        return
    if path.steps:
        flow.take_up(turn, run, path)
        return
    if run.visit_over_at is not None:
        run.planned_at = None
        turn.cancel(f"send:{run.slot}")
        leave_alone(turn, run)
        return
    last = run.last_try()
    if last is not None and last.window_ends is not None and last.window_ends > turn.now:
        run.status = "waiting"
        turn.cancel(f"send:{run.slot}")
        windows.await_end(turn, run.slot, last.attempt)
    elif run.attempts:
        go_on(turn, run, path)
    else:
        plan(turn, run, path, turn.now)
