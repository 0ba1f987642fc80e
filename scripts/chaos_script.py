"""Write the script of a chaos run: which visitors there are, and what each of them does, in which order.

Rules
1. Every event of a visitor is counted under a name of its own, so that one that is lost cannot hide behind one
   that is doubled. Only `page` happens several times.
2. Nothing here depends on how fast the system is: what a visitor does depends on the n-th e-mail they got, as
   people do. So a run with faults must end as one without.
3. Whoever acts at an e-mail does so at the third at the latest: one that is lost (an uncertain send) is then made
   up for by the next one, and costs a visitor at most itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

EVENTS_EACH = 20
"""Events of one visitor, besides those by which they answer e-mails."""
CALLS_A_REQUEST = 4
MAILS_MAX = 4
"""Attempts of the routine."""
_PAGES = 3
_KNOWN_AT = 5
"""Place of the event by which a lead becomes known."""

OPEN, CLICK, CART, BUY, ORDER, LEAVE = "open", "click", "cart", "buy", "order", "leave"
"""Acts: load the pixel · follow the first link and see the page · put something into the cart, and buy it, in the
browser that the click tagged · order elsewhere (a server tells it) · unsubscribe with one click."""
BROWSER = "browser"
"""The kind of visitor who never becomes known."""


class Row(msgspec.Struct, frozen=True):
    """Hold what a kind of visitor does at the n-th e-mail they get, and what must come of it."""

    answers: Mapping[int, tuple[str, ...]]
    mails: int
    """Marketing e-mails that are due to them."""
    end: tuple[str, str] | None
    """Stage and status of their run at the end; None: no run."""
    success: bool = False


ROWS: dict[str, Row] = {
    BROWSER: Row({}, 0, None),
    "silent": Row({}, 4, ("invited", "alerted")),
    "reader": Row({1: (OPEN,)}, 3, ("opened", "alerted")),
    "late-reader": Row({2: (OPEN,)}, 4, ("opened", "alerted")),
    "clicker": Row({1: (OPEN, CLICK)}, 4, ("visited", "alerted")),
    "late-clicker": Row({1: (OPEN,), 2: (CLICK,)}, 4, ("visited", "alerted")),
    "carter": Row({1: (CLICK, CART)}, 4, ("cart", "alerted")),
    "buyer": Row({1: (CLICK, CART, BUY)}, 1, ("cart", "won"), success=True),
    "orderer": Row({2: (ORDER,)}, 2, ("invited", "won"), success=True),
    "leaver": Row({1: (OPEN,), 2: (LEAVE,)}, 2, ("opened", "stopped")),
}
"""One visitor in ten is of each kind."""


class Step(msgspec.Struct):
    """Hold one request: some events of one visitor."""

    calls: list[dict[str, Any]]


class Visitor(msgspec.Struct):
    """Hold what one visitor does."""

    name: str
    kind: str
    steps: list[Step]

    @property
    def row(self) -> Row:
        """Return what their kind does."""
        return ROWS[self.kind]

    @property
    def address(self) -> str:
        """Return where their e-mails go."""
        return f"{self.name}@example.com"

    @property
    def mails(self) -> int:
        """Return how many e-mails are due to them: those of the path, and the thanks for an order."""
        return self.row.mails + self.row.success


class Taken(msgspec.Struct, frozen=True):
    """Say of an acknowledged event whose it is, and under which name Behavior counts it."""

    visitor: str
    name: str


def script(events: int) -> list[Visitor]:
    """Return the visitors whose events, without answers to e-mails, are so many together."""
    return [_visitor(number) for number in range(-(-events // EVENTS_EACH))]


def taken(visitor: Visitor, calls: Iterable[dict[str, Any]]) -> dict[str, Taken]:
    """Return what is noted of these calls once they are acknowledged, by messageId."""
    return {str(call["messageId"]): Taken(visitor.name, _counted_as(call)) for call in calls}


def expected_counters(acknowledged: Mapping[str, Taken]) -> dict[str, Counter[str]]:
    """Return the counters that the acknowledged events make, by visitor."""
    expected: dict[str, Counter[str]] = {}
    for each in acknowledged.values():
        expected.setdefault(each.visitor, Counter())[each.name] += 1
    return expected


def browse(visitor: Visitor, act: str, url: str = "") -> dict[str, Any]:
    """Return the event by which an act shows on the site, in a browser that nobody knew before the click.

    Args:
        visitor: who acts.
        act: CLICK (they see the page that the link led to), CART, BUY or ORDER.
        url: where the link led to.
    """
    call: dict[str, Any] = {"messageId": f"chaos-{visitor.name}-{act}", "type": "track"}
    whose = {"anonymousId": f"phone-of-{visitor.name}"}
    order = {"order_id": f"order-of-{visitor.name}", "total": 20.0, "currency": "EUR"}
    if act == CLICK:
        return call | whose | {"type": "page", "context": {"page": {"url": url, "path": "/"}}}
    if act == CART:
        return call | whose | {"event": "Product Added", "properties": {"product_id": "p-1"}}
    if act == ORDER:
        whose = {"userId": visitor.name}
    return call | whose | {"event": "Order Completed", "properties": order}


def _counted_as(call: dict[str, Any]) -> str:
    return str(call["event"]) if call["type"] == "track" else str(call["type"])


def _visitor(number: int) -> Visitor:
    kind = list(ROWS)[number % len(ROWS)]
    name = f"{kind}-{number}"
    calls = list(_calls(name, kind))
    starts = range(0, len(calls), CALLS_A_REQUEST)
    return Visitor(name, kind, [Step(calls[at : at + CALLS_A_REQUEST]) for at in starts])


def _calls(name: str, kind: str) -> Iterator[dict[str, Any]]:
    for place in range(EVENTS_EACH):
        call: dict[str, Any] = {
            "messageId": f"chaos-{name}-{place}",
            "anonymousId": f"browser-of-{name}",
            "type": "track",
            "event": f"step {place:02}",
        }
        if kind != BROWSER and place >= _KNOWN_AT:
            call["userId"] = name
        if kind != BROWSER and place == _KNOWN_AT:
            traits = {"email": f"{name}@example.com", "email_consent": True, "first_name": "Ann"}
            call |= {"type": "identify", "traits": traits}
        elif place < _PAGES:
            call |= {"type": "page", "name": f"page {place}"}
        yield {key: value for key, value in call.items() if key != "event" or _is_track(call)}


def _is_track(call: dict[str, Any]) -> bool:
    return bool(call["type"] == "track")
