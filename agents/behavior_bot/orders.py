"""Count a visitor's orders, less what was given back of them: the same in whatever order it is told.

Rules
1. An order that was given back still is one: they bought, and the way to a first purchase lies behind them. What
   goes is its value, so that nobody is spoken to as a big spender for what they returned.
2. No more goes than the order was worth. A refund is taken once; one that comes before its order waits for it.
3. A refund may call an order by its payment's id, where the order's own event names both.
4. The newest so many are remembered one by one. What is older is a sum, of which nothing is taken back any more, and
   known by name, the newest so many again: told again it is counted no second time.
"""

from __future__ import annotations

from math import fsum

from agents.behavior_bot.state import (
    ORDER_NAMES_MAX,
    ORDERS_MAX,
    REFUNDS_MAX,
    BehaviorState,
    Order,
    Refund,
)
from agents.protocol.known import knows, remember, shared, united

CENTS = 6
"""Decimals that sums of money are rounded to: added in another order they differ by less."""


def note_order(state: BehaviorState, order_id: str, order: Order) -> None:
    """Count an order unless it is known, less the refunds that came before it."""
    known = state.orders.get(order_id)
    if known is not None:
        before = _remembered(state)
        known.payment_id = known.payment_id or order.payment_id
        state.orders_value = round(state.orders_value - before + _remembered(state), CENTS)
        return
    if knows(state.order_names, order_id):
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
    known = {each for each in young.orders if knows(state.order_names, each)}
    young.orders = {each: order for each, order in young.orders.items() if each not in known}
    twice = {each for each in state.orders if knows(young.order_names, each)}
    summed -= fsum(_left(state, each) for each in twice)
    both = young.orders.keys() & state.orders.keys()
    same = len(both | known | twice) + shared(state.order_names, young.order_names)
    state.orders_count += young.orders_count - same
    state.order_names = united(state.order_names, young.order_names, ORDER_NAMES_MAX)
    for order_id in both:
        mine, theirs = state.orders[order_id], young.orders[order_id]
        mine.payment_id = mine.payment_id or theirs.payment_id
    state.orders = young.orders | state.orders
    state.refunds = young.refunds | state.refunds
    state.orders_value = round(summed + _remembered(state), CENTS)
    trim_orders(state)


def trim_orders(
    state: BehaviorState, orders_max: int = ORDERS_MAX, refunds_max: int = REFUNDS_MAX
) -> None:
    """Let the oldest orders and refunds go; what they came to stays counted, and that an order was counted known."""
    while len(state.orders) > orders_max:
        order_id = min(state.orders, key=lambda each: (state.orders[each].at, each))
        at = state.orders.pop(order_id).at
        state.order_names = remember(state.order_names, order_id, at, ORDER_NAMES_MAX)
    while len(state.refunds) > refunds_max:
        oldest = min(state.refunds, key=lambda each: (state.refunds[each].at, each))
        name = state.refunds[oldest].order_id
        orders = [each for each, order in state.orders.items() if name in (each, order.payment_id)]
        left = {order_id: _left(state, order_id) for order_id in orders}
        del state.refunds[oldest]
        for order_id in orders:  # it keeps what is left as its value, so that no sum changes
            state.orders[order_id].value -= round(_left(state, order_id) - left[order_id], CENTS)


def _left(state: BehaviorState, order_id: str) -> float:
    """Return what is left of a remembered order."""
    value, names = state.orders[order_id].value, (order_id, state.orders[order_id].payment_id)
    amounts = [each.amount for each in state.refunds.values() if each.order_id in names]
    known = [amount for amount in amounts if amount is not None]
    return 0.0 if len(known) < len(amounts) else max(0.0, round(value - fsum(known), CENTS))


def _remembered(state: BehaviorState) -> float:
    return fsum(_left(state, order_id) for order_id in state.orders)
