"""Make up people and what they do for a month, from a seed: browse, sign up, come back as somebody else, buy.

Rules
1. Everything that does not answer a mail is drawn before the run, so that no fault changes it.
2. Calls are Segment calls as a client writes them; a client sends a visit's calls in a few requests.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import msgspec

DAY = 86_400.0
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC", "", "No/Where")
PAGES = ("/", "/shoes", "/shoes/red", "/specification", "/wish-list", "/about", "/cart", "/help")

_encode = msgspec.json.Encoder().encode


class Person(msgspec.Struct):
    """Hold one made-up person."""

    number: int
    kind: str
    browsers: list[str]
    user_id: str
    address: str
    consents: bool
    zone: str
    buys: float
    """Chance of an order in a visit."""
    reads: float
    """Chance of opening a mail."""
    clicks: float
    leaves: float
    """Chance of unsubscribing after an open."""
    scanned: float
    """Chance that a scanner follows the links at the door of the mailbox."""


class Request(msgspec.Struct):
    """Hold what one client sends at once."""

    at: float
    """Virtual seconds since the start."""
    calls: list[bytes]


class Audience(msgspec.Struct):
    """Hold everybody, and the requests they send."""

    people: list[Person]
    requests: list[Request]
    bad_addresses: set[str]
    message_ids: int


KINDS = (
    ("imported", 22),
    ("browser", 26),
    ("anonymous", 6),
    ("merger", 14),
    ("shared", 6),
    ("twin", 6),
    ("early_buyer", 6),
    ("refuser", 6),
)


class Maker:
    """Make one audience."""

    def __init__(self, seed: int, start: datetime, days: int) -> None:
        self._random = random.Random(f"{seed}/audience")
        self._start = start
        self._days = days
        self._ids = 0
        self.requests: list[Request] = []

    def make(self) -> Audience:
        """Return everybody and their requests, in order of time."""
        people = []
        for kind, count in KINDS:
            for _ in range(count):
                people.append(self._person(len(people), kind))
        for person in people:
            getattr(self, f"_live_{person.kind}")(person, people)
        self._be_hot()
        bad = {p.address for p in people if p.address and self._random.random() < 0.05}
        self.requests.sort(key=lambda request: request.at)
        return Audience(people, self.requests, bad, self._ids)

    def _person(self, number: int, kind: str) -> Person:
        draw = self._random
        temper = draw.random()
        return Person(
            number=number,
            kind=kind,
            browsers=[f"b{number}-{n}" for n in range(2)],
            user_id=f"user-{number}",
            address=f"p{number}@example.com",
            consents=kind != "refuser",
            zone=draw.choice(ZONES),
            buys=draw.choice((0.0, 0.0, 0.05, 0.3)),
            reads=0.0 if temper < 0.35 else 0.7,
            clicks=0.4 if temper > 0.7 else 0.1,
            leaves=0.12,
            scanned=draw.choice((0.0, 0.0, 0.5)),
        )

    # The kinds of lives

    def _live_imported(self, person: Person, _: list[Person]) -> None:
        """A prospect from a list: known from the first day by address, seldom on the site."""
        at = self._random.random() * 4 * DAY
        self._send(at, [self._identify(person, at, browser="")])
        for _ in range(self._random.choice((0, 0, 1, 2))):
            self._visit(person, self._some_day(at), known=True)

    def _live_browser(self, person: Person, _: list[Person]) -> None:
        """Somebody who looks around, signs up on a later visit, and comes back."""
        first = self._some_day(0.0, 0.5)
        self._visit(person, first)
        signs_up = self._some_day(first, 0.7)
        self._visit(person, signs_up, identify=True)
        for _ in range(self._random.randrange(3)):
            self._visit(person, self._some_day(signs_up), known=self._random.random() < 0.7)

    def _live_anonymous(self, person: Person, _: list[Person]) -> None:
        for _ in range(self._random.randrange(1, 4)):
            self._visit(person, self._some_day(0.0))

    def _live_merger(self, person: Person, _: list[Person]) -> None:
        """Known from two sides before anything shows that it is one person."""
        at = self._random.random() * 5 * DAY
        by_user = self._random.random() < 0.5
        self._send(at, [self._identify(person, at, browser="", user=by_user, address=True)])
        other = self._some_day(0.0, 0.4)
        self._visit(person, other)
        if self._random.random() < 0.5:
            # A second, own run: this browser was known under another address first.
            second = msgspec.structs.replace(person, address=f"alt-{person.address}")
            self._send(other + 60, [self._identify(second, other + 60, user=False)])
        joined = self._some_day(max(at, other), 0.8)
        if self._random.random() < 0.3 and by_user:
            call = self._call("alias", joined, person.browsers[0])
            self._send(
                joined, [call | {"userId": person.user_id, "previousId": call["anonymousId"]}]
            )
        else:
            self._send(joined, [self._identify(person, joined, user=by_user)])
        self._visit(person, self._some_day(joined), known=by_user)

    def _live_shared(self, person: Person, people: list[Person]) -> None:
        """Uses a computer on which somebody else was known before."""
        first = next(p for p in people if p.kind == "browser" and p.number % 6 == person.number % 6)
        person.browsers = list(first.browsers)
        self._visit(person, self._some_day(10 * DAY, 0.6), identify=True)
        self._visit(person, self._some_day(15 * DAY), known=True)

    def _live_twin(self, person: Person, people: list[Person]) -> None:
        """Gives an address that belongs to another user id already."""
        other = next(
            p for p in people if p.kind == "imported" and p.number % 6 == person.number % 6
        )
        person.address = other.address
        self._visit(person, self._some_day(4 * DAY, 0.5), identify=True)
        self._visit(person, self._some_day(10 * DAY), known=True)

    def _live_early_buyer(self, person: Person, _: list[Person]) -> None:
        """Buys first and says who it is later; of some orders the shop's server tells as well, by address."""
        at = self._some_day(0.0, 0.6)
        self._visit(person, at, order=True)
        says_who = self._some_day(at, 0.9)
        if person.number % 2:
            says_who = at + self._random.random() * DAY
            self._tell_twice(person, at + 900, by_server=at + self._random.random() * DAY)
        self._visit(person, says_who, identify=True)

    def _tell_twice(self, person: Person, at: float, *, by_server: float) -> None:
        """Tell of one order from the browser, which does not know who buys, and from the server, which does."""
        order = {"order_id": f"both-{person.number}", "total": 25.0, "currency": "EUR"}
        self._send(at, [self._track("Order Completed", at, person.browsers[0], order)])
        known = self._identify(person, by_server, browser="")
        told = self._track("Order Completed", by_server, "", order, person.user_id)
        self._send(by_server, [known, told])

    def _live_refuser(self, person: Person, _: list[Person]) -> None:
        """Gives an address and no consent, and sometimes takes given consent back."""
        if self._random.random() < 0.5:
            person.consents = True
            self._visit(person, self._some_day(0.0, 0.4), identify=True)
            person.consents = False
        self._visit(person, self._some_day(10 * DAY, 0.9), identify=True)

    def _be_hot(self) -> None:
        """One browser that sends far more than any person can do."""
        at = self._some_day(2 * DAY, 0.9)
        count = 1_100 if self._random.random() < 0.1 else 150
        calls = [self._track("Tick", at + n * 0.001, "b-hot", {}) for n in range(count)]
        for n in range(0, len(calls), 100):
            self._send(at + 2 + n / 1_000, calls[n : n + 100])

    # Visits and calls

    def _some_day(self, after: float, until: float = 1.0) -> float:
        end = self._days * DAY * until
        return after + 600 + self._random.random() * max(end - after - 600, DAY)

    def _visit(
        self,
        person: Person,
        at: float,
        *,
        identify: bool = False,
        known: bool = False,
        order: bool = False,
    ) -> None:
        draw = self._random
        browser = draw.choice(person.browsers) if known else person.browsers[0]
        user = person.user_id if known else None
        calls = []
        for _ in range(draw.randrange(3, 11)):
            calls.append(self._page(draw.choice(PAGES), at, browser, user, person.zone))
            at += 10 + draw.random() * 120
            if draw.random() < 0.2:
                added = {"product_id": "red", "price": 30.0}
                calls.append(self._track("Product Added", at, browser, added, user))
                at += 5
        if identify:
            calls.append(self._identify(person, at, browser=browser))
            at += 5
        if order or draw.random() < person.buys:
            number = f"order-{person.number}-{len(self.requests)}"
            bought = {"order_id": number, "total": 30.0 + draw.randrange(90), "currency": "EUR"}
            calls.append(self._track("Order Completed", at, browser, bought, user))
            at += 5
            if len(self.requests) % 5 == 0:  # drawn from nothing, so that all else stays as it was
                back = {"order_id": number, "total": 10.0, "currency": "EUR"}
                calls.append(self._track("Order Refunded", at, browser, back, user))
        if draw.random() < 0.04:
            calls.append(self._track("Club Joined", at, browser, {}, user))
            at += 5
        self._in_requests(at, calls)

    def _in_requests(self, ended: float, calls: list[dict[str, Any]]) -> None:
        """Send a visit's calls in one to three requests; now and then a phone sends them days later."""
        draw = self._random
        late = draw.random() * 2 * DAY if draw.random() < 0.04 else 0.0
        parts = draw.randrange(1, 3)
        size = -(-len(calls) // parts)
        for n, begin in enumerate(range(0, len(calls), size)):
            self._send(ended + late + n, calls[begin : begin + size])

    def _send(self, at: float, calls: list[dict[str, Any]]) -> None:
        self.requests.append(Request(at, [_encode(call) for call in calls]))

    def _call(self, kind: str, at: float, browser: str, user: str | None = None) -> dict[str, Any]:
        self._ids += 1
        call: dict[str, Any] = {
            "type": kind,
            "messageId": f"m{self._ids}",
            "timestamp": (self._start + timedelta(seconds=at)).isoformat(),
        }
        if browser:
            call["anonymousId"] = browser
        if user:
            call["userId"] = user
        return call

    def _page(
        self, path: str, at: float, browser: str, user: str | None, zone: str
    ) -> dict[str, Any]:
        page = {"url": f"https://shop.example{path}", "path": path}
        context: dict[str, Any] = {"page": page}
        if zone:
            context["timezone"] = zone
        return self._call("page", at, browser, user) | {"context": context}

    def _track(
        self,
        event: str,
        at: float,
        browser: str,
        properties: dict[str, Any],
        user: str | None = None,
    ) -> dict[str, Any]:
        return self._call("track", at, browser, user) | {"event": event, "properties": properties}

    def _identify(
        self,
        person: Person,
        at: float,
        *,
        browser: str | None = None,
        user: bool = True,
        address: bool = True,
    ) -> dict[str, Any]:
        call = self._call("identify", at, person.browsers[0] if browser is None else browser)
        if user:
            call["userId"] = person.user_id
        traits: dict[str, Any] = {"first_name": f"P{person.number}"}
        if address:
            traits["email"] = person.address
        if person.zone:
            traits["timezone"] = person.zone
        consent = {"categoryPreferences": {"email": person.consents, "site": person.consents}}
        return call | {"traits": traits, "context": {"consent": consent}}
