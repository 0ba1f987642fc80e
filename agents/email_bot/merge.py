"""Make one of two visitors: the younger's state travels to the older, and no e-mail goes out twice.

Rules
1. The younger's marketing that is not on its way is cancelled; what is being handed over travels along,
   and its outcome follows by the tombstone.
2. A success e-mail that still waits travels too: the purchase was real. For one order there is one: what went out
   for either stops what waits for the other, and of two that wait the older visitor's goes.
"""

from __future__ import annotations

from agents.email_bot.state import (
    ABSORBED_MAX,
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

DOUBLED = "another success e-mail for this order"

NEVER_SENT = frozenset({"refused", "cancelled", "given up"})
"""Ends of a send that no server took a word about; one that bounced is not tried again for the other half."""


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


def merge_started(turn: Turn, younger: str) -> None:
    """Thank nobody until the younger visitor's state has come: it says for which orders they were thanked."""
    state = turn.state
    if younger not in state.absorbed and younger not in state.awaiting:
        state.awaiting.append(younger)


def state_merged(turn: Turn, message: StateMerged) -> None:
    """Take the younger visitor's state in."""
    state, younger = turn.state, unpack(message.state)
    state.absorbed = [*state.absorbed, *younger.absorbed, message.younger][-ABSORBED_MAX:]
    waiting_for = dict.fromkeys([*state.awaiting, *younger.awaiting])
    state.awaiting = [each for each in waiting_for if each not in state.absorbed]
    for send in list(turn.state.open.values()):
        if send.status != HANDING_OVER and _went_out(younger, _order_of(send)):
            turn.cancel(send, DOUBLED)
    waiting = {_order_of(send) for send in turn.state.open.values()} - {None}
    doubled = {
        order for order in younger.orders if order in waiting or _went_out(turn.state, order)
    }
    merge_facts(turn.state, younger)
    for send in younger.open.values():
        _take_over(turn, younger, send, doubled=_order_of(send) in doubled)
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
        turn.cancel(send, DOUBLED)
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


def _went_out(state: EmailState, order: tuple[str, str] | None) -> bool:
    """Return whether somebody was thanked for an order, or is about to be, past recall."""
    if order is None or order not in state.orders:
        return False
    mine = [send for send in state.open.values() if _order_of(send) == order]
    if mine:
        return any(send.status == HANDING_OVER for send in mine)
    past = [p for p in state.past if p.plan.success and (p.plan.path, p.plan.run) == order]
    return all(each.status not in NEVER_SENT for each in past)
