"""Forget a visitor: end every open send, and wait for the outcome of what is being handed over.

Rules
1. What waits, is held or deferred is cancelled in the step that takes the erasure: nothing goes out after it.
2. What is being handed over cannot be called back. Its outcome names the visitor, so the tombstone is set after it:
   whoever sweeps waits for the tombstone, and finds no later trace.
3. Nobody is told of an outcome any more; the ledger's row ends in a final status, so that no restart takes it up.
"""

from __future__ import annotations

from datetime import datetime

from agents.email_bot.state import HANDING_OVER, EmailState, unpack
from agents.email_bot.turn import Turn
from agents.protocol.bot import View
from messaging.vocabulary.effects import Effect, Forget, PutSend
from messaging.vocabulary.messages import Erased, MailOutcome, Message, StateMerged
from messaging.vocabulary.no_mailbox import about_recipient

REASON = "erased"


def begin(state: EmailState, message: Erased, now: datetime, view: View) -> list[Effect]:
    """Take the erasure."""
    turn = Turn(state, message.visitor, at=message.at, now=now, view=view)
    state.erasing = True
    for send in list(state.open.values()):
        if send.status != HANDING_OVER:
            turn.cancel(send, REASON)
    _forget_if_over(turn)
    return turn.effects


def goes_on(turn: Turn, message: Message) -> None:
    """Take a message for a visitor who is being erased: an outcome counts, all else is dropped."""
    match message:
        case MailOutcome(send_id=send_id, outcome=outcome):
            send = turn.state.open.pop(send_id, None)
            if send is not None:
                status = "cancelled" if outcome == "deferred" else outcome
                turn.effects.append(PutSend(send.plan, status, REASON, turn.now))
                if outcome == "bounced" and about_recipient(message.code, message.reason):
                    turn.suppress(turn.mailbox(send.address), "bounced")
        case StateMerged(state=body):
            younger = unpack(body).open.values()
            turn.state.open |= {
                send.plan.send_id: send for send in younger if send.status == HANDING_OVER
            }
        case _:
            pass
    _forget_if_over(turn)


def _forget_if_over(turn: Turn) -> None:
    if not turn.state.open:
        turn.effects.append(Forget())
