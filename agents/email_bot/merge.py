"""Make one of two visitors: the younger's state travels to the older, and no e-mail goes out twice.

Rules
1. The younger's marketing that is not on its way is cancelled; what is being handed over travels along,
   and its outcome follows by the tombstone.
2. A success e-mail that still waits travels too: the purchase was real. For one order there is one.
"""

from __future__ import annotations

from agents.email_bot.state import (
    DEFERRED,
    HANDING_OVER,
    HELD,
    WAITING,
    EmailState,
    OpenSend,
    merge_facts,
    pack,
    unpack,
)
from agents.email_bot.turn import RETRY_FIRST, Turn, retry_key
from messaging.vocabulary.effects import Moved, Tell, WakeAt
from messaging.vocabulary.messages import StateMerged


def merged_into(turn: Turn, into: str) -> None:
    """Cancel, hand the state on, leave a tombstone."""
    state = turn.state
    turn.cancel_marketing("merged")
    handed_on = StateMerged(visitor=into, at=turn.at, younger=turn.visitor, state=pack(state))
    turn.effects.append(Tell("email", handed_on))
    turn.effects.append(Moved(into))
    # The tombstone keeps nothing that could be told twice.
    state.open = {}
    state.past = []


def state_merged(turn: Turn, body: bytes) -> None:
    """Take the younger visitor's state in."""
    younger = unpack(body)
    had = set(turn.state.orders)
    merge_facts(turn.state, younger)
    for send in younger.open.values():
        _take_over(turn, younger, send, doubled=_order_of(send) in had)
    turn.cancel_refused()
    turn.release()


def _take_over(turn: Turn, younger: EmailState, send: OpenSend, *, doubled: bool) -> None:
    """Go on with a send of the younger visitor; its ledger row names the older from now on."""
    if send.plan.send_id in turn.state.open:
        return
    if not send.address:
        send.address = younger.address
    if doubled and send.status != HANDING_OVER:
        # Its wake-up ended with the younger visitor; there is none to cancel here.
        send.status = WAITING
        turn.cancel(send, "another success e-mail for this order")
        return
    turn.state.open[send.plan.send_id] = send
    if send.status == WAITING:
        turn.queue(send, "merged")
        return
    if send.status == HELD:
        turn.hold(send, "merged")
        return
    turn.put(send, "merged")
    if send.status == DEFERRED:
        turn.effects.append(WakeAt(retry_key(send.plan.send_id), turn.now + RETRY_FIRST))


def _order_of(send: OpenSend) -> tuple[str, str] | None:
    return (send.plan.path, send.plan.run) if send.plan.success else None
