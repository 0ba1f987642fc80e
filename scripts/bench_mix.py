"""Make the benchmark's traffic: one fixed mix, seeded, as bytes of Segment calls and as journal records.

20,000 visitors by Zipf 1.1; 80 % page and track, 8 % identify, 2 % orders, 10 % answers to e-mails. A quarter of the
track calls add to the cart, so that at least 10 % of the events change a cohort or a score band; each first identify
of a visitor with consent starts a run, so that at least 2 % cause a decision.

Answers are to the success e-mails of orders drawn before, by the visitors who got them: the marketing e-mails
of the routine go out hours later, and nobody answers what was not sent. A seed has visitors of its own.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import orjson

from messaging.vocabulary.events import Fact, MailClicked, MailOpened, Record
from messaging.vocabulary.ids import (
    anonymous_key,
    partition_of,
    position,
    send_id,
    user_key,
    visitor_id_for,
)

VISITORS = 20_000
ZIPF = 1.1
PAGES = ["/", "/shop", "/shop/cup", "/shop/lamp", "/about", "/spec/cup", "/wish-list", "/help"]
CONTEXT = {
    "library": {"name": "analytics.js", "version": "2.1.0"},
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "locale": "en-GB",
    "timezone": "Europe/Berlin",
}


class Mix:
    """Draw events of the mix; the same seed gives the same events."""

    def __init__(self, seed: int = 1, visitors: int = VISITORS) -> None:
        self._random = random.Random(seed)  # noqa: S311 - traffic, not a secret
        weights = [1.0 / rank**ZIPF for rank in range(1, visitors + 1)]
        self._weights = list(itertools.accumulate(weights))
        self._visitors = range(visitors)
        self._number = 0
        self._seed = seed
        self._ids: dict[int, str] = {}
        """Who -> the visitor id that their first call gave rise to."""
        self._known: set[int] = set()
        """Those who have told their address."""
        self._sends: list[tuple[str, str]] = []
        """(visitor, send) of the success e-mails that follow from what was drawn."""
        self.reached = datetime.min.replace(tzinfo=UTC)
        """World time of the last record that `records` drew."""

    def call(self, at: datetime) -> dict[str, object]:
        """Return the next Segment call; answers to e-mails are drawn by `record` only."""
        self._number += 1
        who = self._random.choices(self._visitors, cum_weights=self._weights)[0]
        share = self._random.random()
        browser, user = f"browser-{self._seed}-{who}", f"user-{self._seed}-{who}"
        call: dict[str, object] = {
            "messageId": f"bench-{self._seed}-{self._number}",
            "anonymousId": browser,
            "timestamp": at.isoformat(),
            "context": CONTEXT,
        }
        if share < 0.02 / 0.90:
            order = {"order_id": f"order-{self._number}", "total": 49.0, "currency": "EUR"}
            call |= {"type": "track", "event": "Order Completed", "properties": order}
            call["userId"] = user
            self._met(who, user_key(user))
            self._bought(who, order["order_id"])
        elif share < 0.10 / 0.90:
            call |= {"type": "identify", "userId": user, "traits": self._traits(user)}
            self._met(who, user_key(user))
            self._known.add(who)
        else:
            call |= self._visit(share)
            self._met(who, anonymous_key(browser))
        return call

    def record(self, stream: int, number: int, at: datetime) -> Record:
        """Return the next event of the whole mix as the journal holds it."""
        if self._sends and self._random.random() < 0.10:
            fact = self._answer()
            raw = msgspec.json.encode(fact)
            partition = partition_of(fact.visitor)
            message = f"bench-mail-{self._seed}-{stream}-{number}"
        else:
            return _call_record(self.call(at), stream, number, at)
        return Record(position(stream, number), message, partition, at, at, "", raw)

    def _traits(self, user: str) -> dict[str, object]:
        return {
            "email": f"{user}@example.com",
            "email_consent": True,
            "first_name": "Ann",
            "plan": self._random.choice(["a", "b", "c"]),
        }

    def _visit(self, share: float) -> dict[str, object]:
        if share < 0.55:
            page = self._random.choice(PAGES)
            seen = {"path": page, "url": f"https://shop.example{page}"}
            context = {**CONTEXT, "page": seen}
            return {"type": "page", "name": page, "properties": {"path": page}, "context": context}
        name = "Product Added" if self._random.random() < 0.25 else "Product Viewed"
        properties = {"product_id": f"p-{self._random.randrange(50)}", "price": 12.5}
        return {"type": "track", "event": name, "properties": properties}

    def _met(self, who: int, key: str) -> None:
        if who not in self._ids:
            self._ids[who] = visitor_id_for(key)

    def _bought(self, who: int, order: object) -> None:
        if who in self._known:
            visitor = self._ids[who]
            send = send_id(visitor, "lead-to-customer", str(order), "success", 0)
            self._sends.append((visitor, send))

    def _answer(self) -> Fact:
        """Return an open or a click of some success e-mail."""
        visitor, send = self._random.choice(self._sends)
        agent = str(CONTEXT["userAgent"])
        if self._random.random() < 0.2:
            link = "https://shop.example/"
            return MailClicked(visitor=visitor, send_id=send, link=link, user_agent=agent)
        return MailOpened(visitor=visitor, send_id=send, user_agent=agent)


def bodies(count: int, events: int, at: datetime, seed: int = 1) -> Iterator[bytes]:
    """Return batch bodies of `events` calls each."""
    mix = Mix(seed)
    for _ in range(count):
        yield orjson.dumps({"batch": [mix.call(at) for _ in range(events)]})


def records(
    count: int,
    stream: int,
    start: datetime,
    seed: int = 1,
    mix: Mix | None = None,
    apart: timedelta = timedelta(milliseconds=1),
) -> Iterator[Record]:
    """Return journal records of the whole mix, each so long after the other.

    `mix` goes on from where it stands, in time too: no event is earlier than one it drew before.
    """
    mix = mix or Mix(seed)
    start = max(start, mix.reached)
    for number in range(1, count + 1):
        mix.reached = start + number * apart
        yield mix.record(stream, number, mix.reached)


def call_records(mix: Mix, count: int, at: datetime) -> Iterator[Record]:
    """Return the records that a gateway would write of the mix's calls, without the answers to e-mails."""
    for number in range(1, count + 1):
        yield _call_record(mix.call(at), 1, number, at)


def _call_record(call: dict[str, object], stream: int, number: int, at: datetime) -> Record:
    partition = partition_of(visitor_id_for(anonymous_key(str(call["anonymousId"]))))
    message = str(call["messageId"])
    return Record(position(stream, number), message, partition, at, at, "", orjson.dumps(call))
