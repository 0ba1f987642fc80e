"""Count a visitor's orders, less what was given back of them: the same in whatever order it is told.

Rules
1. An order that was given back still is one: they bought, and the way to a first purchase lies behind them. What
   goes is its value, so that nobody is spoken to as a big spender for what they returned.
2. No more goes than the order was worth. A refund is taken once; one that comes before its order waits for it.
3. A refund may call an order by its payment's id, where the order's own event names both.
4. The newest so many are remembered one by one. What is older is a sum, of which nothing is taken back any more, and
   known by name, the newest so many again: told again it is counted no second time.
5. Sums of two currencies are none. The value of all orders is that of those in the visitor's own currency, the first in
   which they bought, and of those that name none. A part that was given back in another currency than its order's
   takes nothing off; who gives back the whole order takes it in whatever currency.
"""

from __future__ import annotations

from math import fsum

from agents.behavior_bot.state import (
    CURRENCIES_MAX,
    ORDER_NAMES_MAX,
    ORDERS_MAX,
    REFUNDS_MAX,
    BehaviorState,
    Order,
    Refund,
)
from agents.protocol.currency import is_same
from agents.protocol.known import knows, remember, shared, united

CENTS = 6
"""Decimals that sums of money are rounded to: added in another order they differ by less."""


def orders_value(state: BehaviorState) -> float:
    """Return what is left of all orders in the visitor's own currency."""
    own = _own(state)
    remembered = fsum(
        _left(state, each) for each, order in state.orders.items() if order.currency in own
    )
    return round(fsum(state.orders_older.get(each, 0.0) for each in own) + remembered, CENTS)


def note_order(state: BehaviorState, order_id: str, order: Order) -> None:
    """Count an order unless it is known, less the refunds that came before it."""
    known = state.orders.get(order_id)
    if known is not None:
        _learn(known, order)
        _note_currency(state, known)
        return
    if knows(state.order_names, order_id):
        return
    state.orders[order_id] = order
    state.orders_count += 1
    _note_currency(state, order)
    trim_orders(state)


def note_refund(
    state: BehaviorState, refund_id: str, refund: Refund, *, failed: bool = False
) -> bool:
    """Take a refund unless it is known; return whether the value of all orders changed.

    One that failed takes nothing off, whatever is told of it before or after.
    """
    known = state.refunds.get(refund_id)
    if known is not None and (not failed or known.amount == 0.0):
        return False
    before = orders_value(state)
    state.refunds[refund_id] = refund
    is_other = orders_value(state) != before
    trim_orders(state)
    return is_other


def absorb_orders(state: BehaviorState, young: BehaviorState) -> None:
    """Add a younger visitor's orders; an order or a refund that both know is one."""
    known = {each for each in young.orders if knows(state.order_names, each)}
    young.orders = {each: order for each, order in young.orders.items() if each not in known}
    twice = {each for each in state.orders if knows(young.order_names, each)}
    for each in twice:  # the younger has it among its sums
        _add_older(young, state.orders[each].currency, -_left(state, each))
    both = young.orders.keys() & state.orders.keys()
    same = len(both | known | twice) + shared(state.order_names, young.order_names)
    state.orders_count += young.orders_count - same
    state.order_names = united(state.order_names, young.order_names, ORDER_NAMES_MAX)
    for order_id in both:
        _learn(state.orders[order_id], young.orders[order_id])
    state.orders = young.orders | state.orders
    state.refunds = young.refunds | state.refunds | nothing_came_of(young.refunds)
    firsts = [each for each in (state.first_currency, young.first_currency) if each is not None]
    state.first_currency = min(firsts, default=None)
    for order in state.orders.values():
        _note_currency(state, order)
    for currency, left in young.orders_older.items():
        _add_older(state, currency, left)
    trim_orders(state)


def nothing_came_of(refunds: dict[str, Refund]) -> dict[str, Refund]:
    """Return the refunds that take nothing off: one of them is none, whatever else was told of it."""
    return {each: refund for each, refund in refunds.items() if refund.amount == 0.0}


def trim_orders(
    state: BehaviorState, orders_max: int = ORDERS_MAX, refunds_max: int = REFUNDS_MAX
) -> None:
    """Let the oldest orders and refunds go; what they came to stays counted, and that an order was counted known."""
    while len(state.orders) > orders_max:
        order_id = min(state.orders, key=lambda each: (state.orders[each].at, each))
        _add_older(state, state.orders[order_id].currency, _left(state, order_id))
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


def _own(state: BehaviorState) -> set[str]:
    """Return the currencies of which the value of all orders is made: the visitor's own, and that of who names none."""
    return {"", state.first_currency[1]} if state.first_currency is not None else {""}


def _learn(known: Order, told: Order) -> None:
    """Take from an order that is told again what was not known of it; it is as old as it was ever said to be."""
    known.at = min(known.at, told.at)
    known.payment_id = known.payment_id or told.payment_id
    known.currency = known.currency or told.currency


def _note_currency(state: BehaviorState, order: Order) -> None:
    if order.currency:
        found = (order.at, order.currency)
        state.first_currency = min(found, state.first_currency or found)


def _add_older(state: BehaviorState, currency: str, left: float) -> None:
    """Add to what older orders in a currency came to; beyond the bound one that is not the visitor's own goes."""
    older = state.orders_older
    older[currency] = round(older.get(currency, 0.0) + left, CENTS)
    while len(older) > CURRENCIES_MAX:
        del older[max(older.keys() - _own(state))]


def _left(state: BehaviorState, order_id: str) -> float:
    """Return what is left of a remembered order."""
    order = state.orders[order_id]
    names = (order_id, order.payment_id)
    refunds = [each for each in state.refunds.values() if each.order_id in names]
    if any(each.amount is None for each in refunds):
        return 0.0
    parts = (each.amount or 0.0 for each in refunds if is_same(order.currency, each.currency))
    return max(0.0, round(order.value - fsum(parts), CENTS))
