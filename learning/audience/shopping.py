"""Lay down how a made-up person goes through the demo shop: pages, forms and pauses, as one who sits there would.

Rules
1. A visit is laid down before it begins; only what the shop offers in between is answered as it comes.
2. Pauses are world time and long enough that what a page brings about has come before they look up; none is as long
   as the half hour that ends a session.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from learning.audience.chance import Chance

PRODUCTS = {
    "reading-lamp": 89,
    "teapot": 54,
    "stool": 120,
    "planter": 39,
    "blanket": 145,
    "clock": 68,
}
"""Id -> price of what the shop sells (a test holds it against the shop)."""

LOOKS_UP_MINUTES = 6.0
"""How long somebody stays on a page before they look at what came up meanwhile."""
PAGE_MINUTES = 2.0


class View(msgspec.Struct, frozen=True):
    """Open a page."""

    path: str


class Tell(msgspec.Struct, frozen=True):
    """Do something that the page's script tells as an event."""

    event: str
    properties: dict[str, Any]


class Fill(msgspec.Struct, frozen=True):
    """Send a form with name and address, and tick that e-mails are welcome."""

    form: str


class Look(msgspec.Struct, frozen=True):
    """Look at what the site offers; `leaving`: on the way out."""

    leaving: bool = False


Step = tuple[float, View | Tell | Fill | Look]
"""Minutes since the step before, and what is done."""


def visit(plan: str, chance: Chance, order_id: str) -> list[Step]:
    """Return the steps of a visit after its first page.

    Args:
        plan: a name in `PLANS`.
        chance: draws products and pauses.
        order_id: names the order, if there is one.
    """
    names = list(PRODUCTS)
    first = chance.below(len(names))
    second = (first + 1 + chance.below(len(names) - 1)) % len(names)
    steps = PLANS[plan](names[first], names[second], order_id)
    return [(minutes * (0.7 + 0.6 * chance.uniform()), do) for minutes, do in steps]


def _wanders(first: str, second: str, _: str) -> Iterator[Step]:
    """Look at products and at no assist page, and go."""
    yield PAGE_MINUTES, View("/products")
    yield from _product(first)
    yield from _product(second)
    yield LOOKS_UP_MINUTES, Look()
    yield LOOKS_UP_MINUTES, Look(leaving=True)


def _compares(first: str, second: str, _: str) -> Iterator[Step]:
    """Look closely: specifications, the wish list, the help page; answer what is asked there."""
    yield from _product(first)
    yield PAGE_MINUTES, View(f"/products/{first}/specification")
    yield LOOKS_UP_MINUTES, Look()
    yield from _product(second)
    yield 0.5, Tell("Product Added to Wishlist", _sold(second))
    yield PAGE_MINUTES, View("/wish-list")
    yield PAGE_MINUTES, View("/contact")
    yield LOOKS_UP_MINUTES, Look()
    yield LOOKS_UP_MINUTES, Look(leaving=True)


def _carts(first: str, _: str, __: str) -> Iterator[Step]:
    """Put something into the cart and leave it there."""
    yield from _product(first)
    yield 0.5, Tell("Product Added", _sold(first))
    yield PAGE_MINUTES, View("/cart")
    yield 0.1, Tell("Cart Viewed", {"value": PRODUCTS[first], "currency": "EUR"})


def _buys(first: str, second: str, order_id: str) -> Iterator[Step]:
    """Buy."""
    yield from _carts(first, second, order_id)
    price = PRODUCTS[first]
    yield PAGE_MINUTES, View("/checkout")
    yield 0.1, Tell("Checkout Started", {"value": price, "currency": "EUR"})
    yield PAGE_MINUTES, Fill("checkout")
    order = {"order_id": order_id, "total": price, "currency": "EUR", "products": [_sold(first)]}
    yield 0.1, Tell("Order Completed", order)
    yield 0.1, View("/thanks")


def _signs_up(first: str, _: str, __: str) -> Iterator[Step]:
    """Look around, join the newsletter, and go."""
    yield PAGE_MINUTES, View("/products")
    yield from _product(first)
    yield PAGE_MINUTES, Fill("newsletter")
    yield LOOKS_UP_MINUTES, Look(leaving=True)


def _glances(_: str, __: str, ___: str) -> Iterator[Step]:
    """Look at one more page and go."""
    yield PAGE_MINUTES, View("/products")
    yield LOOKS_UP_MINUTES, Look(leaving=True)


PLANS = {
    "wanders": _wanders,
    "compares": _compares,
    "carts": _carts,
    "buys": _buys,
    "signs up": _signs_up,
    "glances": _glances,
}
"""Name -> the steps of a visit, given two products and the id of an order."""


def _product(name: str) -> Iterator[Step]:
    yield PAGE_MINUTES, View(f"/products/{name}")
    yield 0.1, Tell("Product Viewed", _sold(name))


def _sold(name: str) -> dict[str, Any]:
    return {"product_id": name, "price": PRODUCTS[name], "quantity": 1, "currency": "EUR"}
