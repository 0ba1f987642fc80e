"""Hold what Sales knows of one visitor: orders, goals, and the touches that may get the credit."""

from __future__ import annotations

from datetime import datetime

import msgspec

VERSION = 1
"""Version of the state's layout."""

ORDERS_MAX = 64
"""Orders remembered one by one, so that a repeat is known; older ones are only summed."""
TOUCHES_MAX = 32
ABSORBED_MAX = 16


class Order(msgspec.Struct, array_like=True):
    """Remember one order, or one reaching of a path's own goal (`value` as it was told)."""

    value: float
    at: datetime
    counted: bool
    """True for an order, False for a goal that is no purchase."""


class Touch(msgspec.Struct, array_like=True):
    """Remember one send and when a human last answered it."""

    send_id: str
    path: str = ""
    at: datetime | None = None
    """When it was handed over; None as long as only an answer to it is known."""
    answered_at: datetime | None = None


class SalesState(msgspec.Struct, array_like=True):
    """Hold one visitor. Its rules: sums are added, sets united, the newest kept, in any order."""

    orders: dict[str, Order] = {}
    """Order id -> the order; goals that are no purchase stand under `<event>:<id>`."""
    orders_count: int = 0
    revenue: float = 0.0
    touches: list[Touch] = []
    goals: dict[str, datetime] = {}
    """Path -> when its goal was first reached."""
    absorbed: list[str] = []
    """Younger visitors whose state was taken in."""


def touch_of(state: SalesState, send_id: str) -> Touch:
    """Return what is known of a send, new if nothing is."""
    for touch in state.touches:
        if touch.send_id == send_id:
            return touch
    touch = Touch(send_id)
    state.touches = [*state.touches, touch][-TOUCHES_MAX:]
    return touch


def note_order(state: SalesState, key: str, order: Order) -> None:
    """Count an order that is new."""
    if order.counted:
        state.orders_count += 1
        state.revenue += order.value
    state.orders[key] = order
    trim_orders(state)


def trim_orders(state: SalesState) -> None:
    """Let the oldest orders go; their number and value stay counted."""
    while len(state.orders) > ORDERS_MAX:
        del state.orders[min(state.orders, key=lambda key: (state.orders[key].at, key))]


def absorb(state: SalesState, younger: str, young: SalesState) -> None:
    """Take a younger visitor's state in, once; an order that both know is one order."""
    if younger in state.absorbed:
        return
    state.absorbed = [*state.absorbed, younger][-ABSORBED_MAX:]
    both = [each for key, each in young.orders.items() if key in state.orders and each.counted]
    state.orders_count += young.orders_count - len(both)
    state.revenue += young.revenue - sum(order.value for order in both)
    state.orders = young.orders | state.orders
    trim_orders(state)
    for path, at in young.goals.items():
        state.goals[path] = min(at, state.goals.get(path, at))
    _absorb_touches(state, young.touches)


def _absorb_touches(state: SalesState, touches: list[Touch]) -> None:
    held = {touch.send_id: touch for touch in state.touches}
    for theirs in touches:
        mine = held.setdefault(theirs.send_id, theirs)
        mine.path = mine.path or theirs.path
        mine.at = mine.at or theirs.at
        answers = [at for at in (mine.answered_at, theirs.answered_at) if at is not None]
        mine.answered_at = max(answers, default=None)
    state.touches = sorted(held.values(), key=_age)[-TOUCHES_MAX:]


def _age(touch: Touch) -> tuple[float, str]:
    at = touch.at or touch.answered_at
    return (at.timestamp() if at is not None else 0.0, touch.send_id)
