"""Let a person visit the shop: Segment calls, as a browser sends them.

Rules
1. A call holds what a site sees and no more: paths, products, an address that was given.
2. Eagerness shows a little in every step, so that it can be guessed from behaviour and never read off.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from learning.audience.chance import Chance, chance_of
from learning.audience.people import Person

PAGES = ("/", "/shop", "/about", "/help", "/blog")
ASSIST_PAGES = ("/specification", "/wish-list", "/help/delivery", "/returns")
PRODUCTS = 40
PAGES_MAX = 14
STAYS = timedelta(seconds=10)
"""Nobody goes on sooner: there is time to look at what is offered and to answer it in between."""

Calls = list[tuple[datetime, dict[str, Any]]]


def visit(
    person: Person, at: datetime, eager: float, chance: Chance, order: str, *, first: bool
) -> Calls:
    """Return the calls of one visit.

    Args:
        person: who comes.
        at: world time.
        eager: log odds of buying now.
        chance: of this visit.
        order: id of the order that they place, if they do.
        first: they leave their address.
    """
    calls: Calls = []
    now = at
    told = _context(person)

    def then(call: dict[str, Any]) -> None:
        nonlocal now
        context = {**told, **call.pop("context", {})}
        calls.append((now, {"anonymousId": person.browser, "context": context, **call}))
        now += STAYS + timedelta(seconds=chance.waits(60.0))

    then(_page("/"))
    if first:
        then(_identify(person))
    while len(calls) < PAGES_MAX and chance.happens(chance_of(0.9 + 0.3 * (eager + 2.0))):
        _look(then, eager, chance)
    if chance.happens(chance_of(eager + 0.4)):
        product = chance.below(PRODUCTS)
        then(_track("Product Added", {"product_id": f"p{product}", "price": _price(product)}))
        if chance.happens(chance_of(eager + 1.2)):
            then(_track("Checkout Started", {"value": _price(product)}))
            then(_order(order, _price(product)))
    return calls


def _look(then: Any, eager: float, chance: Chance) -> None:
    """Look at one more page or product."""
    if chance.happens(chance_of(eager + 1.6)):
        then(_track("Product Viewed", {"product_id": f"p{chance.below(PRODUCTS)}"}))
    elif chance.happens(chance_of(eager + 0.6)):
        then(_page(ASSIST_PAGES[chance.below(len(ASSIST_PAGES))]))
    else:
        then(_page(PAGES[chance.below(len(PAGES))]))


def _page(path: str) -> dict[str, Any]:
    page = {"path": path, "url": f"https://shop.example{path}"}
    return {"type": "page", "context": {"page": page}}


def _track(event: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "track", "event": event, "properties": properties}


def _context(person: Person) -> dict[str, Any]:
    """Return what their browser tells with each call."""
    profile = person.profile
    if profile is None:
        return {"timezone": person.zone}
    return profile.context | ({"timezone": profile.zone} if profile.zone else {})


def _identify(person: Person) -> dict[str, Any]:
    profile = person.profile
    told = {"timezone": person.zone} if profile is None else profile.traits
    agreed = {"email": True} if profile is None or profile.may_email else {}
    if profile is not None and not profile.may_show:
        agreed["site"] = False
    call = {
        "type": "identify",
        "userId": person.user_id,
        "traits": {**told, "email": person.address},
        "context": {"consent": {"categoryPreferences": agreed}} if agreed else {},
    }
    if profile is not None and profile.lists:
        call |= {"type": "listed", "lists": dict.fromkeys(profile.lists, True)}
    return call


def _order(order: str, price: float) -> dict[str, Any]:
    return _track("Order Completed", {"order_id": order, "total": price, "currency": "EUR"})


def _price(product: int) -> float:
    return 15.0 + 3.0 * product
