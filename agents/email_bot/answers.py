"""Take what readers and their servers answer to a send, often long after it."""

from __future__ import annotations

from datetime import datetime

from agents.email_bot.state import HANDING_OVER, OpenSend, PastSend, past_send
from agents.email_bot.turn import Turn
from messaging.vocabulary.effects import UNCERTAIN_SUCCESS, LogStory, PutAlert, PutSend, Tell
from messaging.vocabulary.ids import derive
from messaging.vocabulary.messages import RETURNED, AlertAnswered, Responded
from messaging.vocabulary.plans import SendPlan

MAY_BE_LOST = frozenset({"uncertain", "bounced", "given up"})
"""Ends of a success e-mail about which a person may have been called."""

HUMAN = 0.5
"""How likely a person did it, from which on it counts as theirs."""


def responded(turn: Turn, message: Responded) -> None:
    """Take one answer: who leaves is left alone, who opens has the mail, who bounces is not there."""
    match message.kind:
        case "unsubscribed":
            _left_by(turn, message.send_id)
            _leave(turn, "unsubscribed")
        case "complained":
            _note_report(turn, message)
            _settle_later(turn, message.send_id, "complained", {"handed over", "uncertain"})
            turn.suppress(_mailbox_of(turn, message), "complained")
            _leave(turn, "complained")
            _pass_on(turn, message)
        case "bounced":
            _bounced(turn, message)
        case "opened" | "clicked":
            noted = _note(turn, message) if message.human >= HUMAN else None
            written = len(turn.effects)
            _it_arrived(turn, message.send_id, message.kind)
            if noted is not None and len(turn.effects) == written:
                turn.effects.append(_put(noted, noted.at))
        case _:
            pass  # a kind that is no affair of e-mail


def _leave(turn: Turn, reason: str) -> None:
    turn.state.unsubscribed = True
    turn.cancel_marketing(reason)


def _left_by(turn: Turn, send_id: str) -> None:
    """Note in the ledger by which e-mail somebody left; its status and time stay what they were."""
    past = past_send(turn.state, send_id)
    if past is None or past.left or past.status != "handed over":
        return
    past.left = True
    turn.effects.append(_put(past, past.at))


def _note(turn: Turn, message: Responded) -> PastSend | None:
    """Note that a person opened an e-mail, or clicked in it; return it where that is news."""
    past = past_send(turn.state, message.send_id)
    if past is None or past.status not in ("handed over", "uncertain"):
        return None
    match message.kind:
        case "opened" if not past.opened:
            past.opened = True
        case "clicked" if not past.clicked:
            past.clicked = True
        case _:
            return None
    return past


def _put(past: PastSend, at: datetime, reason: str = "") -> PutSend:
    """Return what writes the ledger row of a past send anew."""
    return PutSend(
        past.plan,
        past.status,
        reason,
        at,
        past.mailbox,
        past.handed_over_at,
        past.domain,
        past.left,
        past.opened,
        past.clicked,
    )


def _bounced(turn: Turn, message: Responded) -> None:
    """Take that an e-mail came back after its hand-over, as Behavior was told."""
    state = turn.state
    past = past_send(state, message.send_id)
    if past is not None and past.status == "bounced":
        return
    mailbox = _mailbox_of(turn, message)
    _note_report(turn, message)
    _settle_later(turn, message.send_id, "bounced", {"handed over", "uncertain"})
    turn.suppress(mailbox, "bounced")
    # A report on an older address says nothing about the present one.
    if mailbox == turn.mailbox(state.address):
        state.address_bad = True
        turn.cancel_marketing("address bad")
        _pass_on(turn, message)
    elif past is not None and past.plan.marketing:
        told = Responded(turn.visitor, turn.at, message.send_id, RETURNED, 1.0)
        turn.effects.append(Tell("rules", told))


def _note_report(turn: Turn, message: Responded) -> None:
    """Note a report on a send that is not past yet: by what is known here, it may still be on its way."""
    send = turn.state.open.get(message.send_id)
    if send is not None:
        _it_arrived(turn, message.send_id, message.kind)
        send.reported = message.kind


def settle_reported(turn: Turn, send: OpenSend) -> None:
    """Give a send that has just ended the status that was reported of it before."""
    if send.reported:
        _settle_later(turn, send.plan.send_id, send.reported, {"handed over"})


def _mailbox_of(turn: Turn, message: Responded) -> str:
    """Return the mailbox that a send went to; the present one where nothing is known of it any more."""
    past = past_send(turn.state, message.send_id)
    if past is not None:
        return past.mailbox
    return message.mailbox or turn.mailbox(turn.state.address)


def _pass_on(turn: Turn, message: Responded) -> None:
    """Tell Behavior what a report means: only here it is known whether it is about the present address."""
    address = turn.state.address if message.kind == "bounced" else ""
    told = Responded(turn.visitor, turn.at, message.send_id, message.kind, 1.0, address)
    turn.effects.append(Tell("behavior", told))


def _it_arrived(turn: Turn, send_id: str, kind: str) -> None:
    """Settle an uncertain send: even a machine can only fetch what was delivered."""
    send = turn.state.open.get(send_id)
    if send is None:
        _settle_later(turn, send_id, "handed over", {"uncertain"}, kind)
    elif send.status == HANDING_OVER:
        send.answered = True
    elif send.resends:
        # It waits to go out again after an uncertain outcome, and has arrived after all.
        turn.settle(send, "handed over", kind, turn.at)
        turn.sent(send.plan, turn.at)


def _settle_later(
    turn: Turn, send_id: str, status: str, wanted: set[str], reason: str = ""
) -> None:
    """Give a past send another status, if it has one of those that can still change."""
    past = past_send(turn.state, send_id)
    if past is None or past.status not in wanted:
        return
    was = past.status
    past.status = status
    turn.effects.append(_put(past, turn.now, reason or f"was {was}"))
    if past.plan.success and was == "uncertain" and not past.is_alert_closed:
        past.is_alert_closed = True
        _close_alert(turn, past, was=was, by="answer", reason=f"settled: {past.status}")


def call_person(turn: Turn, plan: SendPlan, reason: str) -> None:
    """Raise the alert about a success e-mail that did not arrive, or may not have. Of no other is there one."""
    if not plan.success:
        return
    line = {"at": turn.now, "send_id": plan.send_id, "reason": reason}
    turn.effects.append(
        PutAlert(
            alert_id=alert_id_of(plan),
            kind=UNCERTAIN_SUCCESS,
            path=plan.path,
            run=plan.run,
            status="open",
            at=turn.now,
            history=[line],
        )
    )


def alert_answered(turn: Turn, message: AlertAnswered) -> None:
    """Take that a person has closed the alert about a success e-mail."""
    found = [each for each in turn.state.past if alert_id_of(each.plan) == message.alert_id]
    is_open = bool(found) and found[0].status in MAY_BE_LOST and not found[0].is_alert_closed
    detail = {"path": message.path, "run": message.run, "action": message.action, "by": message.by}
    turn.effects.append(LogStory("alert.settled" if is_open else "alert.stale", detail))
    if is_open:
        found[0].is_alert_closed = True
        was, reason = found[0].status, "closed by a person"
        _close_alert(turn, found[0], was=was, by=message.by, reason=reason)


def alert_id_of(plan: SendPlan) -> str:
    """Return the id of the alert about a success e-mail that did not arrive, or may not have."""
    return derive("alert", plan.send_id, "uncertain")


def _close_alert(turn: Turn, past: PastSend, *, was: str, by: str, reason: str) -> None:
    plan = past.plan
    lines = [
        {"at": past.at, "send_id": plan.send_id, "reason": was},
        {"at": turn.now, "send_id": plan.send_id, "reason": reason},
    ]
    turn.effects.append(
        PutAlert(
            alert_id=alert_id_of(plan),
            kind=UNCERTAIN_SUCCESS,
            path=plan.path,
            run=plan.run,
            status="closed",
            at=past.at,
            history=lines,
            by=by,
            settled_at=turn.now,
        )
    )
