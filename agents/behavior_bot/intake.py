"""Take one call into the state: count it, keep it among the recent ones, and find out what it says.

Rules
1. Every event is counted exactly once, whatever else becomes of it; an order that is told again is none (`told_twice`).
2. Beyond `MINUTE_EVENTS_MAX` events of one visitor that the gateway took in one minute, an event is only
   counted; an order is still an order.
3. A call belongs to the time at which it happened, however late it comes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from agents.behavior_bot.looked import note_page
from agents.behavior_bot.money import money, worth_of
from agents.behavior_bot.orders import note_order
from agents.behavior_bot.sessions import note_activity, present
from agents.behavior_bot.state import (
    CART_CHARACTERS_MAX,
    PAGES_MAX,
    PATH_CHARACTERS_MAX,
    RECENT_CHARACTERS_MAX,
    RECENT_MAX,
    BehaviorState,
    InCart,
    Order,
    keep,
    keep_in_cart,
    keep_marks,
)
from agents.behavior_bot.tallies import put_in_hours, tally_of
from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.rules.keeping import VIEWS
from agents.rules.naming import TRACK, counted_as
from agents.rules.values import number
from agents.rules.watches import PATH
from learning.serving.presence import note
from messaging.vocabulary.events import (
    Aliased,
    Call,
    Grouped,
    Identify,
    Listed,
    PageViewed,
    Record,
    ScreenViewed,
    Track,
)
from messaging.vocabulary.ids import HOOK_PREFIX, derive
from messaging.vocabulary.messages import Purchased

MINUTE_EVENTS_MAX = 1_000
NAME_CHARACTERS_MAX = 128
"""A longer name of an event is counted by its beginning."""
TOLD_LATE = timedelta(minutes=10)
"""An order that was taken so long after it happened is dated by itself: what was answered after it did not sell it."""
ORDER_CHARACTERS_MAX = 40
"""A longer id of an order or a refund is kept as a hash: its end tells it apart."""
ORDER_NAMES = ("order_id", "orderId", "checkout_id")
"""Properties that name an order."""

CART_SIGNS = {"Product Added": 1, "Product Removed": -1}
QUANTITY_MAX = 10_000

_NAMES: dict[type[Call], str] = {
    PageViewed: "page",
    ScreenViewed: "screen",
    Identify: "identify",
    Listed: "listed",
    Grouped: "group",
    Aliased: "alias",
}


def name_of(event: Call) -> str:
    """Return the name under which a call is counted: the event's own for `track` (`counted_as`), else the call's."""
    if isinstance(event, Track):
        return counted_as(event.event[:NAME_CHARACTERS_MAX])
    return _NAMES[type(event)]


def kind_of(event: Call) -> str:
    """Return the kind of a call (`agents.rules.facts`, rule 4)."""
    if isinstance(event, Track):
        return TRACK + event.event[:NAME_CHARACTERS_MAX]
    return _NAMES[type(event)]


def count(state: BehaviorState, name: str, record: Record, rules: CompiledRules) -> bool:
    """Count an event; return whether it is within the bound of its minute."""
    tally_of(state, name, rules.counted).count += 1
    minute = int(record.received_at.timestamp() // 60)
    if minute > state.minute:
        state.minute, state.minute_count = minute, 0
    if minute == state.minute:
        state.minute_count += 1
        if state.minute_count > MINUTE_EVENTS_MAX:
            state.over_bound += 1
            return False
    return True


def remember(
    state: BehaviorState, event: Call, name: str, at: float, rules: CompiledRules, now: float
) -> list[str]:
    """Put a call of moment `at` into buckets, rings and the session, at the moment `now`.

    Return the kinds of what changed besides its own.
    """
    if not state.first_seen or at < state.first_seen:
        state.first_seen = at
    put_in_hours(state, tally_of(state, name, rules.counted), at)
    if not isinstance(event, Listed):  # of that the story has a line of its own
        keep(state.recent, (at, name[:RECENT_CHARACTERS_MAX]), RECENT_MAX)
    kinds: list[str] = []
    match event:
        case PageViewed() | ScreenViewed():
            path = both_ends(path_of(event))
            keep(state.pages, (at, path), PAGES_MAX)
            meant = rules.page_kinds(path)
            kinds += note_page(state, meant, at)
            if name in rules.watched:
                told = {**(event.properties or {}), PATH: path}
                kinds += note_marks(state, rules, name, told, at)
            note(state.presence, at)
            views = [kind[len(VIEWS) :] for kind in meant if kind.startswith(VIEWS)]
            kinds += note_activity(state, at, now, 1, views)
        case Track():
            kinds += note_marks(state, rules, name, event.properties, at)
            if rules.keeps_cart and name in CART_SIGNS:
                keep_in_cart(state, [_in_cart(event.properties or {}, CART_SIGNS[name], at)])
            context = event.context
            # What a server tells of somebody is no visit, unless it happens during one.
            seen = _is_browser(event.anonymous_id) or (context is not None and context.page)
            if seen:
                note(state.presence, at)
            if seen or present(state, at) is not None:
                kinds += note_activity(state, at, now, 0)
        case _:
            return note_marks(state, rules, name, None, at)
    return kinds


def _is_browser(anonymous_id: str | int | None) -> bool:
    return anonymous_id is not None and not str(anonymous_id).startswith(HOOK_PREFIX)


def both_ends(path: str) -> str:
    """Return a path as it is kept.

    >>> long = both_ends("/catalogue/" + 200 * "x" + "/specification")
    >>> long[:11], long[-14:], len(long) == PATH_CHARACTERS_MAX
    ('/catalogue/', '/specification', True)
    """
    if len(path) <= PATH_CHARACTERS_MAX:
        return path
    half = PATH_CHARACTERS_MAX // 2
    return f"{path[: PATH_CHARACTERS_MAX - half - 1]}…{path[-half:]}"


def path_of(event: PageViewed | ScreenViewed) -> str:
    """Return the path of a page, or the name of a screen."""
    page = event.context.page if event.context is not None else None
    properties = event.properties or {}
    for value in (page.path if page else None, properties.get("path")):
        if isinstance(value, str) and value:
            return value
    for value in (page.url if page else None, properties.get("url")):
        if isinstance(value, str) and value:
            try:
                return urlsplit(value).path or "/"
            except ValueError:
                return value
    return event.name or "/"


def purchase(
    state: BehaviorState,
    event: Track,
    record: Record,
    view: View,
    visitor: str,
    now: datetime,
) -> Purchased | None:
    """Count an order; return what Sales is told of a purchase or of a path's own goal, None if neither."""
    name = event.event
    rules: CompiledRules = view.rules
    is_order = name in rules.purchase_events
    if not is_order and name not in rules.goal_events and name not in view.older_goals:
        return None
    properties = event.properties or {}
    order_id = order_id_of(properties) or record.first_id
    value, currency, wrong = worth_of(properties)
    payment_id = payment_id_of(properties)
    if is_order:
        note_order(state, order_id, Order(value, record.at.timestamp(), payment_id, currency))
    is_late = record.received_at - record.at > TOLD_LATE
    return Purchased(
        visitor=visitor,
        at=now,
        order_id=order_id,
        value=value,
        currency=currency,
        event=name,
        address=state.address,
        bought_at=record.at if is_late else None,
        payment_id=payment_id,
        issue=wrong if is_order else "",
        is_unnamed=not is_named(properties),
    )


def note_marks(
    state: BehaviorState,
    rules: CompiledRules,
    name: str,
    properties: dict[str, Any] | None,
    at: float,
) -> list[str]:
    """Keep what rules look at one by one; return the kinds of what changed."""
    watching = rules.watched.get(name)
    if watching is None:
        return []
    kinds: list[str] = []
    told = properties or {}
    for watch in watching.of(told):
        marks = list(watch.marks(name, told, at))
        if marks:
            kinds += [f"mark:{each}" for each in keep_marks(state, watch.id, marks)]
    return kinds


def _in_cart(properties: dict[str, Any], sign: int, at: float) -> InCart:
    """Read what was put into the cart, or taken out, as Segment's e-commerce specification (v2) writes it."""
    words = [
        str(value)
        for name in ("product_id", "sku", "name", "category")
        if isinstance(value := properties.get(name), str | int) and value != ""
    ]
    quantity = number(properties.get("quantity", 1))
    pieces = min(max(int(quantity or 0), 1), QUANTITY_MAX)
    product = words[0] if words else ""
    if len(product) > CART_CHARACTERS_MAX:
        product = derive("long", product)  # its end tells it apart
    kept = [each[:CART_CHARACTERS_MAX] for each in words]
    return InCart(at, product, sign * pieces, money(properties.get("price")) or 0.0, kept)


def order_id_of(properties: dict[str, Any]) -> str:
    """Return the order an event is about, empty if it names none."""
    return _text_of(properties, ORDER_NAMES)


def is_named(properties: dict[str, Any]) -> bool:
    """Say whether an event names its order, and by an id that is kept as the site gave it.

    >>> is_named({"order_id": 7}), is_named({}), is_named({"order_id": "7" * 41})
    (True, False, False)
    """
    given = _given(properties, ORDER_NAMES)
    return given != "" and order_text(given) == given


def payment_id_of(properties: dict[str, Any]) -> str:
    """Return the payment by whose id refunds may call an order, empty if an event names none."""
    return _text_of(properties, ("payment_id",))


def _text_of(properties: dict[str, Any], names: tuple[str, ...]) -> str:
    return order_text(_given(properties, names))


def _given(properties: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = properties.get(name)
        if isinstance(value, str | int) and value != "":
            return str(value)
    return ""


def order_text(text: str) -> str:
    """Return the id of an order or a refund as it is kept: a hash of a very long one, for its end tells it apart."""
    return text if len(text) <= ORDER_CHARACTERS_MAX else derive("long", text)
