"""Count a visitor's orders, less what was given back of them: the same in whatever order it is told.

Rules
1. An order that was given back still is one: they bought, and the way to a first purchase lies behind them. What
   goes is its value, so that nobody is spoken to as a big spender for what they returned.
2. No more goes than the order was worth. A refund is taken once; one that comes before its order waits for it.
3. The newest so many are remembered one by one. What is older is a sum, of which nothing is taken back any more.
"""

from __future__ import annotations

from math import fsum

from agents.behavior_bot.state import ORDERS_MAX, REFUNDS_MAX, BehaviorState, Order, Refund

CENTS = 6
"""Decimals that sums of money are rounded to: added in another order they differ by less."""


def note_order(state: BehaviorState, order_id: str, order: Order) -> None:
    """Count an order unless it is known, less the refunds that came before it."""
    if order_id in state.orders:
        return
    state.orders[order_id] = order
    state.orders_count += 1
    state.orders_value = round(state.orders_value + _left(state, order_id), CENTS)
    trim_orders(state)


def note_refund(state: BehaviorState, refund_id: str, refund: Refund) -> bool:
    """Take a refund unless it is known; return whether the value of all orders changed."""
    if refund_id in state.refunds:
        return False
    before = _remembered(state)
    state.refunds[refund_id] = refund
    taken = round(before - _remembered(state), CENTS)
    state.orders_value = round(state.orders_value - taken, CENTS)
    trim_orders(state)
    return taken > 0


def absorb_orders(state: BehaviorState, young: BehaviorState) -> None:
    """Add a younger visitor's orders; an order or a refund that both know is one."""
    summed = state.orders_value - _remembered(state) + young.orders_value - _remembered(young)
    both = young.orders.keys() & state.orders.keys()
    state.orders_count += young.orders_count - len(both)
    state.orders = young.orders | state.orders
    state.refunds = young.refunds | state.refunds
    state.orders_value = round(summed + _remembered(state), CENTS)
    trim_orders(state)


def trim_orders(state: BehaviorState) -> None:
    """Let the oldest orders and refunds go; what they came to stays counted."""
    while len(state.orders) > ORDERS_MAX:
        del state.orders[min(state.orders, key=lambda each: (state.orders[each].at, each))]
    while len(state.refunds) > REFUNDS_MAX:
        oldest = min(state.refunds, key=lambda each: (state.refunds[each].at, each))
        order_id = state.refunds[oldest].order_id
        left = _left(state, order_id) if order_id in state.orders else 0.0
        del state.refunds[oldest]
        if order_id in state.orders:  # it keeps what is left as its value, so that no sum changes
            state.orders[order_id].value -= round(_left(state, order_id) - left, CENTS)


def _left(state: BehaviorState, order_id: str) -> float:
    """Return what is left of a remembered order."""
    value = state.orders[order_id].value
    amounts = [each.amount for each in state.refunds.values() if each.order_id == order_id]
    known = [amount for amount in amounts if amount is not None]
    return 0.0 if len(known) < len(amounts) else max(0.0, round(value - fsum(known), CENTS))


def _remembered(state: BehaviorState) -> float:
    return fsum(_left(state, order_id) for order_id in state.orders)
