"""Go on with a run by what became of its e-mails: how each ended, the end of its window, what its reader answered."""

from __future__ import annotations

from datetime import datetime, timedelta

from agents.rules.compiled import PathRule
from agents.rules_manager import flow, guarding, windows
from agents.rules_manager.alerts import go_on, limit_of
from agents.rules_manager.broadcast_rule import CALLED_OFF, SENT
from agents.rules_manager.calling import alert
from agents.rules_manager.loop import leave_alone, visit
from agents.rules_manager.planning import NEWS_AFTER, give_back, leave, plan, stop
from agents.rules_manager.stages import advance
from agents.rules_manager.state import BOUNCED, RulesState, Run, Try
from agents.rules_manager.turn import Turn
from agents.rules_manager.working import count_send
from messaging.vocabulary.messages import RETURNED, Responded, SendSettled

HUMAN = 0.5
"""Below this probability an open or click is a machine's."""

WENT_OUT = ("handed over", "uncertain")
"""Outcomes of a send that count as a touch and an attempt."""

GIVEN_UP_MAX = 7
"""Sends given up in one run before a person is asked: something is wrong with them."""

MISSED_ITS_HOURS = "quiet_hours"
"""Email's reason for a send that a pause or a slow server kept past its hours: nothing is wrong with it."""

ANOTHER_ADDRESS = "another address"
"""Email's reason for a send that was decided for a mailbox which is not the visitor's, by what Email knows: one of the
two has heard of the present one before the other, and whatever counts for the caps of that one may be on its way."""

NOT_HEARD_YET = frozenset({"no address", "no consent", "mailbox of another visitor"})
"""Email's reasons that what it hears next may lift; it waits for that a while by itself."""

ADDRESS_BAD = "address bad"
"""Email's reason where the address bounced before: whoever resumes such a run hears so again."""

OLDER_ADDRESS = "older address"
"""Reason of a send that was given back: the present address knows nothing of it."""

MERGED = "merged"
"""Email's reason for a send that it took back because its visitor proved to be another one."""

UNCERTAIN_FOR = timedelta(minutes=15)
"""Added, for the caps, to the hand-over time of an uncertain send: it may arrive after it was called uncertain.

A server has ten minutes for its answer to the final dot (RFC 5321, 4.5.3.2.6), which is longer than we wait; and a
process that was replaced, and has not noticed, ends the hand-over that it had begun.
"""


def send_settled(turn: Turn, message: SendSettled) -> None:
    """Count a send that was handed over (or may have been); give the reservation of any other back."""
    _date_touch(turn, message)
    found = _of_send(turn.state, message.send_id)
    if found is None or found[1].status != "reserved":
        return
    run, attempt = found
    path = turn.path(run)
    if path is None:
        return
    if message.outcome in WENT_OUT:
        _handed_over(turn, run, path, attempt, message)
        return
    if not run.owns(attempt):  # of the run before this one, which was to wait for it no more
        run.earlier.remove(attempt)
        return
    give_back(turn, run, attempt)
    turn.story("send.given_back", run, outcome=message.outcome, reason=message.reason)
    if run.status != "sending" or message.reason == MERGED:
        return  # after a merge the run is the other half's as well: `merge.send_settled` goes on with it
    if message.outcome == "bounced" or message.reason == ADDRESS_BAD:
        leave(turn, run, BOUNCED)
    elif message.outcome == "given up" or _came_first(turn, message):
        if message.reason != MISSED_ITS_HOURS:
            _let_rest(run, turn.now + _rest(run, message.reason))
        _try_again(turn, run, path, message.reason)
    elif message.reason in NOT_HEARD_YET:
        leave(turn, run, turn.state.not_agreed or message.reason)  # it is known here by now, too
    else:
        stop(turn, run, message.reason)


def _rest(run: Run, reason: str) -> timedelta:
    """Return for how long no other is tried: a server that refused one does not like it better a second later."""
    return NEWS_AFTER if reason == ANOTHER_ADDRESS else NEWS_AFTER * 2**run.given_up


def _let_rest(run: Run, until: datetime) -> None:
    run.not_before = max(until, run.not_before or until)


def _of_send(state: RulesState, send_id: str) -> tuple[Run, Try] | None:
    """Return the run and the e-mail that a send id is of."""
    found = ((run, one) for run in state.waiting_for() if (one := run.find(send_id)) is not None)
    return next(found, None)


def _came_first(turn: Turn, message: SendSettled) -> bool:
    """Say whether Email refused for not having heard yet what is known here: its letters were under way too long."""
    state = turn.state
    is_known = state.known and state.may_email and state.owns_mailbox
    return is_known and message.reason in NOT_HEARD_YET


def _try_again(turn: Turn, run: Run, path: PathRule, reason: str) -> None:
    """Plan anew what could not be sent, or call a person where that was so too often."""
    if any(each.status == "reserved" for each in run.tries):
        return  # the other half's of a merged visitor is under way: the run goes on by what becomes of that
    if run.called_off:
        stop(turn, run, CALLED_OFF, "closed")
    elif not _may_try_again(run, reason):
        stop(turn, run, "cannot be sent")
        alert(turn, run, "cannot be sent")
    elif run.visit_over_at is not None:
        leave_alone(turn, run)
    elif path.steps:
        flow.take_up(turn, run, path)
    else:
        plan(turn, run, path, turn.now)


def _may_try_again(run: Run, reason: str) -> bool:
    """Say whether a send that was given up is planned anew; what only missed its hours always is."""
    if reason == MISSED_ITS_HOURS:
        return True
    run.given_up += 1
    return run.given_up <= GIVEN_UP_MAX


def _date_touch(turn: Turn, message: SendSettled) -> None:
    """Count the touch from its hand-over, or the last moment it may be; its run may be over and replaced."""
    for touch in turn.state.touches:
        if touch.send_id == message.send_id:
            touch.open = False
            if message.outcome in WENT_OUT:
                late = message.outcome == "uncertain"
                touch.at = message.at + UNCERTAIN_FOR if late else message.at


def _handed_over(turn: Turn, run: Run, path: PathRule, attempt: Try, message: SendSettled) -> None:
    attempt.status = message.outcome
    attempt.at = message.at
    count_send(turn.state, run, attempt)
    attempt.window_ends = message.at + timedelta(hours=path.response_window_hours)
    guarding.handed_over(turn, attempt)
    windows.await_end(turn, run.slot, attempt.attempt)
    turn.story("send.settled", run, outcome=message.outcome, attempt=attempt.attempt)
    if run.broadcast is not None:
        turn.show_recipient(run.broadcast.id, SENT, message.outcome)
    if run.status != "sending" or not run.owns(attempt):
        return
    if path.steps:
        flow.sent(turn, run, path, attempt)
    elif run.visit_over_at is not None:
        leave_alone(turn, run)
    else:
        run.status = "waiting"


def window_ended(turn: Turn, run: Run, attempt: Try) -> None:
    """Close an e-mail's decisions; if the run waits for this one, go on or hand over."""
    turn.close(attempt)
    guarding.window_over(turn, run, attempt)
    path = turn.path(run)
    last = run.last_try()
    if path is None or last is None or last.send_id != attempt.send_id:
        return
    if path.steps:
        flow.window_ended(turn, run, path)
        return
    used_up = run.attempts >= limit_of(run, path)
    # Nothing more goes to this visitor: a person need not wait for the end of the visit.
    if run.status == "waiting" or (run.status == "visiting" and used_up):
        go_on(turn, run, path)


def responded(turn: Turn, message: Responded) -> None:
    """Take a visitor's answer to a send."""
    if message.kind in guarding.LEFT:
        guarding.left(turn, message)
        turn.state.may_email = False
        for run in turn.state.runs.values():
            if run.active:
                stop(turn, run, message.kind)
        return
    found = _of_send(turn.state, message.send_id)
    if found is None:
        return
    run, attempt = found
    if message.kind == "bounced":
        _bounced_later(turn, run, attempt)
    elif message.kind == RETURNED:
        _returned(turn, run, attempt)
    elif message.human < HUMAN:
        turn.story("response.by_machine", run, response=message.kind)
    elif message.kind in ("opened", "clicked"):
        _answered(turn, run, attempt, message)


def _bounced_later(turn: Turn, run: Run, attempt: Try) -> None:
    if run.active:
        if run.owns(attempt):
            give_back(turn, run, attempt)
        leave(turn, run, BOUNCED)


def _returned(turn: Turn, run: Run, attempt: Try) -> None:
    """Take that an e-mail to an older address came back: it was no attempt, and nobody waits for its answer."""
    path = turn.path(run)
    if path is None or not run.active or not run.owns(attempt) or attempt.status == "reserved":
        return
    was_last = run.last_try() is attempt
    give_back(turn, run, attempt)
    turn.story("send.given_back", run, outcome="bounced", reason=OLDER_ADDRESS)
    if run.status != "waiting":
        return
    if path.steps:
        flow.take_up(turn, run, path)
    elif was_last:
        plan(turn, run, path, turn.now)


def _answered(turn: Turn, run: Run, attempt: Try, message: Responded) -> None:
    clicked = message.kind == "clicked"
    first = not (attempt.clicked if clicked else attempt.opened)
    attempt.opened = True
    attempt.clicked = attempt.clicked or clicked
    path = turn.path(run)
    in_window = attempt.window_ends is None or turn.now <= attempt.window_ends
    if in_window:
        turn.reward(attempt.hour_choice, "response", 1.0, message.human)
    if in_window and clicked:
        turn.reward(attempt.template_choice, "response", 1.0, message.human)
    moved = False
    if path is not None:
        for stage in path.stages:
            if stage.on == message.kind:
                moved = advance(turn, run, path, stage, message.at) or moved
    if path is None or not run.active:
        if first:
            turn.story("response.late", run, response=message.kind)
        return
    if in_window and moved and not clicked:
        attempt.template_choice.moved = message.human
    if clicked and first:
        run.open_limit = 0
        if not path.steps:
            visit(turn, run, path)
    elif first and not run.open_limit:
        left = (t.attempt for t in run.tries if t is attempt or t.status != "reserved")
        sent = max(left, default=0)
        run.open_limit = sent + path.attempts_after_open
    if first and path.steps:
        flow.answered(turn, run, path, attempt)
