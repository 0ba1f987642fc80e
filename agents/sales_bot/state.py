"""Hold what Sales knows of one visitor: orders, refunds, goals, and the touches that may get the credit."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import fsum

import msgspec

from agents.protocol.currency import is_same
from agents.protocol.known import dated, knows, remember, shared, united

VERSION = 4
"""Version of the state's layout. 2: orders with currency and credit, refunds, the touches' templates. 3: sums by
currency, what is wrong with an order. 4: times of names."""
DATED = 4
"""Since when names have times."""

ORDERS_MAX = 64
"""Orders remembered one by one; older ones are only summed, and known by name."""
NAMES_MAX = 500
"""Names of orders that are not remembered any more: told again they are neither counted nor thanked for."""
REFUNDS_MAX = 64
"""Refunds remembered one by one. One for an order that isn't remembered any more takes nothing back."""
ISSUES_MAX = 3
"""Refunds in a foreign currency that one order's row names."""
TOUCHES_MAX = 32
ANSWERS_MAX = 8
"""Answers to one send that are remembered: an order may be told long after it, and after later answers."""
ABSORBED_MAX = 16

CREDIT = timedelta(days=5)
"""How long before an order a send must have been answered to get credit for it."""

CENTS = 6
"""Decimals that sums of money are rounded to: added in another order they differ by less."""


class Credit(msgspec.Struct, array_like=True):
    """Name a send that gets credit for an order, and when a human last answered it before."""

    answered_at: datetime
    send_id: str
    template: str = ""


class Order(msgspec.Struct, array_like=True):
    """Remember one order, or one reaching of a path's own goal (`value` as it was told)."""

    value: float
    at: datetime
    counted: bool
    """True for an order, False for a goal that is no purchase."""
    currency: str = ""
    credits: list[Credit] = []
    """The earliest answered first: the last of them is the last touch, and all share alike."""
    payment_id: str = ""
    """Another name of it, which refunds may call it by."""
    issue: str = ""
    """What is wrong with how its worth, or its currency, was told."""
    is_unnamed: bool = False
    """Its id is our own: the site gave none, or a very long one."""


class Refund(msgspec.Struct, array_like=True):
    """Remember one refund."""

    order_id: str
    amount: float | None
    """None: all that is left of the order."""
    at: datetime
    currency: str = ""
    """Empty: it is not named, and taken to be the order's."""


class Touch(msgspec.Struct, array_like=True):
    """Remember one send and when a human answered it."""

    send_id: str
    path: str = ""
    at: datetime | None = None
    """When it was handed over; None as long as only an answer to it is known."""
    answered_at: datetime | None = None
    """The last answer."""
    template: str = ""
    earlier: list[datetime] = []
    """The answers before it, the newest so many, in order."""


class SalesState(msgspec.Struct, array_like=True):
    """Hold one visitor. Its rules: sums are added, sets united, the newest kept, in any order."""

    orders: dict[str, Order] = {}
    """Order id -> the order; goals that are no purchase stand under `<event>:<id>`."""
    orders_count: int = 0
    revenue: float = 0.0
    """What is left of all orders after their refunds, whatever their currencies: `revenues` says it apart."""
    touches: list[Touch] = []
    goals: dict[str, datetime] = {}
    """Path -> when its goal was first reached."""
    absorbed: list[str] = []
    """Younger visitors whose state was taken in."""
    refunds: dict[str, Refund] = {}
    """Refund id -> the refund, those whose order is not known (yet) among them."""
    thanked: dict[str, datetime] = {}
    """Path -> when its goal was last reached and thanked for."""
    older: dict[str, float] = {}
    """Currency -> what is left of the orders that are not remembered any more."""
    names: bytes = b""
    """Their names (`agents.protocol.known`)."""


_decoder = msgspec.msgpack.Decoder(SalesState)


def upgrade(version: int, body: bytes) -> SalesState:
    """Return the present state from an older one's bytes: what is new stands at the ends, with defaults."""
    if not 1 <= version <= VERSION:
        raise ValueError(f"sales: no layout {version} is known ({len(body)} bytes)")
    state = _decoder.decode(body)
    if version < DATED:
        state.names = dated(state.names)
    return state


def touch_of(state: SalesState, send_id: str) -> Touch:
    """Return what is known of a send, new if nothing is."""
    for touch in state.touches:
        if touch.send_id == send_id:
            return touch
    touch = Touch(send_id)
    state.touches = [*state.touches, touch][-TOUCHES_MAX:]
    return touch


def is_new_goal(state: SalesState, paths: list[str]) -> bool:
    """Say whether one of these paths was not thanked for yet, or has written to the visitor since."""
    return any(
        path not in state.thanked
        or any(
            touch.path == path and touch.at is not None and touch.at > state.thanked[path]
            for touch in state.touches
        )
        for path in paths
    )


def credits_of(state: SalesState, at: datetime) -> list[Credit]:
    """Return the sends that a human answered in the days before `at`, the earliest answer first."""
    found = [
        (in_time[-1], touch.send_id, touch.template)
        for touch in state.touches
        if (in_time := [each for each in answers_of(touch) if at - CREDIT <= each <= at])
    ]
    return [Credit(*each) for each in sorted(found)]


def answers_of(touch: Touch) -> list[datetime]:
    """Return when a human answered a send, in order."""
    return [*touch.earlier, touch.answered_at] if touch.answered_at is not None else []


def note_answers(touch: Touch, answers: list[datetime]) -> None:
    """Remember answers to a send, in whatever order they come."""
    known = sorted({*answers_of(touch), *answers})[-ANSWERS_MAX:]
    if known:
        touch.answered_at, touch.earlier = known[-1], known[:-1]


def named(state: SalesState, name: str) -> str:
    """Return the remembered order that a refund calls by this name; empty if there is none."""
    if name in state.orders:
        return name
    return next((key for key, each in state.orders.items() if each.payment_id == name), "")


def refunded(state: SalesState, order_id: str) -> float:
    """Return what was given back of a remembered order: never more than its value.

    A part that was given back in another currency than the order's takes nothing off: sums of two currencies are
    none. Who gives back the whole order takes it in whatever currency.
    """
    value, refunds = max(0.0, state.orders[order_id].value), _refunds_of(state, order_id)
    if any(each.amount is None for each in refunds.values()):
        return value
    foreign = foreign_refunds(state, order_id)
    parts = (each.amount or 0.0 for key, each in refunds.items() if key not in foreign)
    return min(value, round(fsum(parts), CENTS))


def foreign_refunds(state: SalesState, order_id: str) -> list[str]:
    """Return the parts given back of a remembered order that take nothing off it: their currency is another."""
    own, refunds = state.orders[order_id].currency, _refunds_of(state, order_id)
    return sorted(
        key
        for key, each in refunds.items()
        if each.amount is not None and not is_same(own, each.currency)
    )


def issue_of(state: SalesState, order_id: str) -> str:
    """Return what is wrong with how a remembered order, or a refund of it, was told; empty if nothing is."""
    order = state.orders[order_id]
    told = [
        f"refund {key} is in {state.refunds[key].currency}, the order in {order.currency}:"
        " nothing was taken off"
        for key in foreign_refunds(state, order_id)
    ]
    return "; ".join([each for each in (order.issue, *told[:ISSUES_MAX]) if each])


def _refunds_of(state: SalesState, order_id: str) -> dict[str, Refund]:
    names = (order_id, state.orders[order_id].payment_id)
    return {key: each for key, each in state.refunds.items() if each.order_id in names}


def left_of(state: SalesState, order_id: str) -> float:
    """Return what is left of a remembered order after its refunds."""
    return round(state.orders[order_id].value - refunded(state, order_id), CENTS)


def revenues(state: SalesState) -> dict[str, float]:
    """Return currency -> what is left of the orders in it. Under an empty one: of those that name none."""
    found = dict(state.older)
    for key, order in state.orders.items():
        if order.counted:
            found[order.currency] = found.get(order.currency, 0.0) + left_of(state, key)
    # What was let go before sums were kept by currency.
    rest = round(state.revenue - fsum(found.values()), CENTS)
    if rest:
        found[""] = found.get("", 0.0) + rest
    return {currency: round(left, CENTS) for currency, left in sorted(found.items())}


def note_order(state: SalesState, key: str, order: Order) -> None:
    """Count an order that is new, less the refunds that came before it."""
    state.orders[key] = order
    if order.counted:
        state.orders_count += 1
        state.revenue = round(state.revenue + left_of(state, key), CENTS)
    trim(state)


def is_known(state: SalesState, key: str) -> bool:
    """Say whether an order, or a goal, was told before, however long ago."""
    return key in state.orders or knows(state.names, key)


def note_payment(state: SalesState, key: str, payment_id: str) -> float:
    """Learn by which other name a known order is called back; return what refunds under it take from the revenue."""
    order = state.orders[key]
    before = left_of(state, key)
    order.payment_id = order.payment_id or payment_id
    taken = round(before - left_of(state, key), CENTS) if order.counted else 0.0
    state.revenue = round(state.revenue - taken, CENTS)
    return taken


def note_refund(state: SalesState, refund_id: str, refund: Refund) -> float:
    """Take a refund that is new, or failed; return what it took from the revenue (0 for an order not known yet)."""
    order_id = named(state, refund.order_id)
    before = left_of(state, order_id) if order_id else 0.0
    state.refunds[refund_id] = refund
    taken = round(before - left_of(state, order_id), CENTS) if order_id else 0.0
    state.revenue = round(state.revenue - taken, CENTS)
    trim(state)
    return taken


def trim(state: SalesState) -> None:
    """Let the oldest orders and refunds go; what they came to stays counted."""
    while len(state.orders) > ORDERS_MAX:
        oldest = min(state.orders, key=lambda key: (state.orders[key].at, key))
        order, left = state.orders[oldest], left_of(state, oldest)
        del state.orders[oldest]
        state.names = remember(state.names, oldest, order.at.timestamp(), NAMES_MAX)
        if order.counted:
            summed = state.older.get(order.currency, 0.0) + left
            state.older[order.currency] = round(summed, CENTS)
    while len(state.refunds) > REFUNDS_MAX:
        _forget_refund(state)


def _forget_refund(state: SalesState) -> None:
    """Let the oldest refund go; its order keeps what is left as its value, so that no sum changes."""
    oldest = min(state.refunds, key=lambda key: (state.refunds[key].at, key))
    order_id = named(state, state.refunds[oldest].order_id)
    if order_id:
        before = left_of(state, order_id)
        del state.refunds[oldest]
        state.orders[order_id].value -= round(left_of(state, order_id) - before, CENTS)
    else:
        del state.refunds[oldest]


def absorb(state: SalesState, younger: str, young: SalesState) -> None:
    """Take a younger visitor's state in, once; an order or a refund that both know is one."""
    if younger in state.absorbed:
        return
    state.absorbed = [*state.absorbed, younger][-ABSORBED_MAX:]
    summed = round(_summed_only(state) + _summed_only(young), CENTS)
    both = [key for key, each in young.orders.items() if is_known(state, key) and each.counted]
    young.orders = {k: each for k, each in young.orders.items() if not knows(state.names, k)}
    summed -= _summed_twice(state, young)
    state.orders_count += young.orders_count - len(both) - shared(state.names, young.names)
    state.names = united(state.names, young.names, NAMES_MAX)
    _absorb_touches(state, young.touches)
    for key, order in young.orders.items():
        mine = state.orders.setdefault(key, order)
        mine.credits = _united(mine.credits, order.credits)
        mine.payment_id = mine.payment_id or order.payment_id
    for order in state.orders.values():
        order.credits = _united(order.credits, credits_of(state, order.at))
    nothing = {key: each for key, each in young.refunds.items() if each.amount == 0.0}
    state.refunds = (
        young.refunds | state.refunds | nothing
    )  # what failed for one of them has failed
    for currency, left in young.older.items():
        state.older[currency] = round(state.older.get(currency, 0.0) + left, CENTS)
    state.revenue = round(summed + _remembered(state), CENTS)
    trim(state)
    for path, at in young.goals.items():
        state.goals[path] = min(at, state.goals.get(path, at))
    for path, at in young.thanked.items():
        state.thanked[path] = max(at, state.thanked.get(path, at))


def _summed_twice(state: SalesState, young: SalesState) -> float:
    """Take what the younger only sums, and this one remembers, out of the younger's sums; return what it was."""
    twice = [k for k, each in state.orders.items() if each.counted and knows(young.names, k)]
    for key in twice:
        currency = state.orders[key].currency
        young.older[currency] = round(young.older.get(currency, 0.0) - left_of(state, key), CENTS)
    young.orders_count -= len(twice)
    return fsum(left_of(state, key) for key in twice)


def _summed_only(state: SalesState) -> float:
    """Return the revenue of the orders that are not remembered any more."""
    return state.revenue - _remembered(state)


def _remembered(state: SalesState) -> float:
    return fsum(left_of(state, key) for key, order in state.orders.items() if order.counted)


def _united(mine: list[Credit], theirs: list[Credit]) -> list[Credit]:
    """Return each send once, with its last answer."""
    found: dict[str, Credit] = {}
    for credit in sorted([*mine, *theirs], key=lambda each: (each.answered_at, each.template)):
        found[credit.send_id] = credit
    return sorted(found.values(), key=lambda each: (each.answered_at, each.send_id))


def _absorb_touches(state: SalesState, touches: list[Touch]) -> None:
    held = {touch.send_id: touch for touch in state.touches}
    for theirs in touches:
        mine = held.setdefault(theirs.send_id, theirs)
        mine.path = mine.path or theirs.path
        mine.template = mine.template or theirs.template
        mine.at = mine.at or theirs.at
        note_answers(mine, answers_of(theirs))
    state.touches = sorted(held.values(), key=_age)[-TOUCHES_MAX:]


def _age(touch: Touch) -> tuple[float, str]:
    at = touch.at or touch.answered_at
    return (at.timestamp() if at is not None else 0.0, touch.send_id)
