"""Take one message for one visitor: the Rules Manager's step.

Rules
1. Messages it is not meant to get are named and ignored; nothing falls through unseen.
2. What a message says of the visitor is kept before anything is decided by it.
"""

from __future__ import annotations

from datetime import datetime

from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from agents.rules_manager import (
    broadcasting,
    editing,
    engaging,
    entering,
    flow,
    loop,
    merge,
    sending,
    windows,
)
from agents.rules_manager.planning import leave, news_until, trigger_due
from agents.rules_manager.revising import hours_seen
from agents.rules_manager.state import RulesState, Visit
from agents.rules_manager.turn import Turn
from messaging.vocabulary.effects import Effect
from messaging.vocabulary.messages import (
    AlertAnswered,
    BroadcastReached,
    CohortEntered,
    CohortLeft,
    EngagementSettled,
    EntryMet,
    GoalReached,
    HistoryAwaited,
    HoursSeen,
    Identified,
    MergedInto,
    MergeStarted,
    Message,
    Responded,
    RunNoted,
    RunsMoved,
    SendSettled,
    SessionEnded,
    SiteConsent,
    StateMerged,
    WebhookSettled,
    Woke,
)


def step(
    state: RulesState, message: Message, now: datetime, view: View, draw: DrawFor
) -> list[Effect]:
    """Take one message; the state is changed in place."""
    turn = Turn(state, now, view, draw)
    match message:
        case Identified():
            _identified(turn, message)
        case CohortEntered(cohort=cohort):
            if cohort not in state.cohorts:
                state.cohorts.append(cohort)
            entering.cohort_entered(turn, message)
            loop.cohort_entered(turn, cohort, message.at)
            engaging.entered(turn, message)
        case CohortLeft(cohort=cohort):
            if cohort in state.cohorts:
                state.cohorts.remove(cohort)
            engaging.left(turn, cohort)
        case Responded():
            sending.responded(turn, message)
        case SessionEnded():
            state.note_visits([Visit(message.ended_at, message.depth)])
            loop.session_ended(turn, message)
            engaging.visit_over(turn)
        case EngagementSettled() | SiteConsent():
            engaging.heard(turn, message)
        case SendSettled():
            sending.send_settled(turn, message)
            merge.send_settled(turn, message)
        case GoalReached():
            loop.goal_reached(turn, message)
        case (
            AlertAnswered()
            | RunsMoved()
            | EntryMet()
            | BroadcastReached()
            | WebhookSettled()
            | RunNoted()
            | HistoryAwaited()
        ):
            _decided(turn, message)
        case HoursSeen():
            hours_seen(turn, message)
        case MergedInto() | MergeStarted() | StateMerged():
            _merging(turn, message)
        case Woke():
            _woke(turn, message.key)
        case _:
            pass  # ScoreCrossed: kept for conditions on bands; nothing in the loop depends on it
    return turn.effects


Decided = (
    AlertAnswered
    | RunsMoved
    | EntryMet
    | BroadcastReached
    | WebhookSettled
    | RunNoted
    | HistoryAwaited
)


def _decided(turn: Turn, message: Decided) -> None:
    """Do what was decided elsewhere: by a person, by the rules of an entry, by an answer that was waited for."""
    match message:
        case AlertAnswered():
            loop.alert_answered(turn, message)
        case RunsMoved():
            editing.runs_moved(turn, message)
        case EntryMet():
            entering.entry_met(turn, message)
        case BroadcastReached():
            broadcasting.reached(turn, message)
        case WebhookSettled():
            flow.webhook_settled(turn, message)
        case RunNoted():
            flow.noted(turn, message)
        case HistoryAwaited():
            flow.awaited(turn, message)


def _merging(turn: Turn, message: MergedInto | MergeStarted | StateMerged) -> None:
    """Make one of two visitors who are one."""
    match message:
        case MergedInto():
            merge.merged_into(turn, message)
        case MergeStarted():
            merge.merge_started(turn, message)
        case StateMerged():
            merge.state_merged(turn, message)


def _identified(turn: Turn, message: Identified) -> None:
    state = turn.state
    state.known = bool(message.address)
    state.mailbox = turn.view.mailbox(message.address) if message.address else ""
    state.may_email = message.may_email
    state.bounced = message.bounced
    state.owns_mailbox = message.owns_mailbox
    state.zone = message.zone
    state.orders = message.orders
    state.traits = message.traits
    reason = turn.state.not_agreed
    if not reason:
        entering.agreed(turn, message.at)
    if not reason or news_until(turn) is not None:
        return  # after a merge this may be older than what both halves know: each e-mail asks again
    for run in state.runs.values():
        if run.active:
            leave(turn, run, reason)


def _woke(turn: Turn, key: str) -> None:
    kind, _, rest = key.partition(":")
    if kind == "send":
        trigger_due(turn)
    elif kind == "visit":
        run = turn.state.runs.get(rest)
        if run is not None:
            loop.visit_over(turn, run)
    elif kind == "flow":
        run = turn.state.runs.get(rest)
        if run is not None:
            flow.waited(turn, run)
    elif kind == "window":
        slot, _, number = rest.rpartition(":")
        for run, attempt in windows.of_number(turn, slot, int(number)):
            if windows.is_over(turn, attempt):
                sending.window_ended(turn, run, attempt)
        turn.state.keep_replaced(turn.state.replaced)
        windows.await_end(turn, slot, int(number))
