"""Write the script of a chaos run: which visitors there are, and what each of them does, in which order.

Rules
1. Every event of a visitor is counted under a name of its own, so that one that is lost cannot hide behind one
   that is doubled. Only `page` happens three times.
2. Nothing here depends on how fast the system is: a buyer buys after the e-mail came, as people do. So a run
   with faults must end as one without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

EVENTS_EACH = 20
"""Events of one visitor."""
CALLS_A_REQUEST = 4
BROWSER, LEAD, BUYER = "browser", "lead", "buyer"
_PAGES = 3
_KNOWN_AT = 5
"""Place of the event by which a lead becomes known."""
_BUYS_AT = 15


class Step(msgspec.Struct):
    """Hold one request: some events of one visitor; `after_mail`: not before the first e-mail came."""

    calls: list[dict[str, Any]]
    after_mail: bool = False


class Visitor(msgspec.Struct):
    """Hold what one visitor does."""

    name: str
    kind: str
    steps: list[Step]

    @property
    def address(self) -> str:
        """Return where their e-mails go."""
        return f"{self.name}@example.com"

    @property
    def mails(self) -> int:
        """Return how many e-mails are due to them: the first of the path, and the thanks for an order."""
        return {BROWSER: 0, LEAD: 1, BUYER: 2}[self.kind]


def script(events: int) -> list[Visitor]:
    """Return the visitors whose events are so many together."""
    return [_visitor(number) for number in range(-(-events // EVENTS_EACH))]


def counted_as(call: dict[str, Any]) -> str:
    """Return the name under which Behavior counts a call."""
    return str(call["event"]) if call["type"] == "track" else str(call["type"])


def expected_counters(visitor: Visitor, acknowledged: set[str]) -> Counter[str]:
    """Return the counters that the acknowledged events of a visitor make."""
    return Counter(
        counted_as(call)
        for step in visitor.steps
        for call in step.calls
        if call["messageId"] in acknowledged
    )


def _visitor(number: int) -> Visitor:
    kind = (BROWSER, LEAD, BROWSER, BUYER, LEAD)[number % 5]
    name = f"{kind}-{number}"
    calls = list(_calls(name, kind))
    starts = range(0, len(calls), CALLS_A_REQUEST)
    steps = [Step(calls[at : at + CALLS_A_REQUEST]) for at in starts]
    if kind == BUYER:
        # The order comes in the first request that contains it; that one waits for the e-mail.
        steps[_BUYS_AT // CALLS_A_REQUEST].after_mail = True
    return Visitor(name, kind, steps)


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
        elif kind == BUYER and place == _BUYS_AT:
            order = {"order_id": f"order-of-{name}", "total": 20.0, "currency": "EUR"}
            call |= {"event": "Order Completed", "properties": order}
        elif place < _PAGES:
            call |= {"type": "page", "name": f"page {place}"}
        yield {key: value for key, value in call.items() if key != "event" or _is_track(call)}


def _is_track(call: dict[str, Any]) -> bool:
    return bool(call["type"] == "track")
