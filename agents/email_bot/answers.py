"""Take what readers and their servers answer to a send, often long after it."""

from __future__ import annotations

from agents.email_bot.state import HANDING_OVER, PastSend, past_send
from agents.email_bot.turn import Turn
from messaging.vocabulary.effects import PutAlert, PutSend
from messaging.vocabulary.ids import derive
from messaging.vocabulary.messages import Responded


def responded(turn: Turn, message: Responded) -> None:
    """Take one answer: who leaves is left alone, who opens has the mail, who bounces is not there."""
    match message.kind:
        case "unsubscribed":
            _leave(turn, "unsubscribed")
        case "complained":
            _settle_later(turn, message.send_id, "complained", {"handed over", "uncertain"})
            _leave(turn, "complained")
        case "bounced":
            _bounced(turn, message.send_id)
        case "opened" | "clicked":
            _it_arrived(turn, message.send_id, message.kind)
        case _:
            pass  # a kind that is no affair of e-mail


def _leave(turn: Turn, reason: str) -> None:
    turn.state.unsubscribed = True
    turn.cancel_marketing(reason)


def _bounced(turn: Turn, send_id: str) -> None:
    """Take a bounce told by Behavior: a provider's report, or the echo of what this bot found itself."""
    state = turn.state
    past = past_send(state, send_id)
    if past is not None and past.status == "bounced":
        return
    _settle_later(turn, send_id, "bounced", {"handed over", "uncertain"})
    # A report on an older address says nothing about the present one.
    if past is None or past.mailbox == turn.mailbox(state.address):
        state.address_bad = True
        turn.cancel_marketing("address bad")


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
    turn.effects.append(
        PutSend(
            past.plan, status, reason or f"was {was}", turn.now, past.mailbox, past.handed_over_at
        )
    )
    if past.plan.success and was == "uncertain":
        _close_alert(turn, past)


def _close_alert(turn: Turn, past: PastSend) -> None:
    plan = past.plan
    lines = [
        {"at": past.at, "send_id": plan.send_id, "reason": "uncertain"},
        {"at": turn.now, "send_id": plan.send_id, "reason": f"settled: {past.status}"},
    ]
    turn.effects.append(
        PutAlert(
            alert_id=derive("alert", plan.send_id, "uncertain"),
            kind="uncertain success mail",
            path=plan.path,
            run=plan.run,
            status="closed",
            at=past.at,
            history=lines,
            by="answer",
            settled_at=turn.now,
        )
    )
