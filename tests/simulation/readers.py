"""Answer mails as people, their servers and their scanners do; each answer is drawn by the mail's own id."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from messaging.mail.reports import BOUNCED, COMPLAINED
from messaging.mail.tokens import mailbox_hash
from messaging.vocabulary.events import (
    AddressConfirmed,
    MailClicked,
    MailOpened,
    MailReported,
    Unsubscribed,
)
from tests.simulation.audience import Person
from tests.simulation.smtp import Mail

SECRET = b"simulation"
PROXY = "Mozilla/5.0 (Windows NT 5.1) via ggpht.com GoogleImageProxy"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"
LINKS = tuple(f"https://shop.example/offer/{n}" for n in range(4))


class Answer(msgspec.Struct):
    """Hold one thing that a reader or a machine does."""

    after: float
    """Seconds since the mail arrived."""
    kind: str
    fact: Any = None
    mailbox: str = ""
    calls: list[dict[str, Any]] = []


Tell = Callable[[Mail, Answer], Awaitable[None]]


def answers(seed: int, mail: Mail, person: Person | None) -> list[Answer]:
    """Return what comes of a mail."""
    if person is None:
        return []
    draw = random.Random(f"{seed}/{mail.send_id}")
    found = [*_by_machines(draw, mail, person), *_reports(seed, mail)]
    if mail.confirms:
        return [*found, _yes(mail, draw)] if draw.random() < 0.9 else found
    if mail.success or draw.random() >= person.reads:
        return found
    read = 600 + draw.random() ** 2 * 2.5 * 86_400
    if draw.random() < 0.08:
        read += 4 * 86_400  # after every window
    found.append(Answer(read, "open", _open(mail, BROWSER)))
    if draw.random() < person.leaves:
        mailbox = mailbox_hash(SECRET, mail.recipient)
        fact = Unsubscribed(visitor=mail.visitor, send_id=mail.send_id, mailbox=mailbox)
        found.append(Answer(read + 30, "unsubscribe", fact, mailbox))
        return found
    if draw.random() < person.clicks:
        found.append(Answer(read + 20, "click", _click(mail, LINKS[0], BROWSER)))
        found.append(Answer(read + 25, "visit", calls=_landing(draw, mail, person)))
    return found


def _yes(mail: Mail, draw: random.Random) -> Answer:
    mailbox = mailbox_hash(SECRET, mail.recipient)
    fact = AddressConfirmed(visitor=mail.visitor, send_id=mail.send_id, mailbox=mailbox)
    return Answer(60 + draw.random() * 7_200, "confirm", fact)


def _by_machines(draw: random.Random, mail: Mail, person: Person) -> list[Answer]:
    if draw.random() >= person.scanned:
        return []
    if draw.random() < 0.5:
        return [Answer(1.0 + 300 * draw.random(), "machine open", _open(mail, PROXY))]
    agent = draw.choice((BROWSER, ""))
    return [
        Answer(120 + n * 0.1, "scanner click", _click(mail, link, agent))
        for n, link in enumerate(LINKS)
    ]


def _reports(seed: int, mail: Mail) -> list[Answer]:
    """Return what a mailbox provider reports of a mail that it took: perhaps twice, perhaps long after it."""
    draw = random.Random(f"{seed}/report/{mail.send_id}")
    kind = draw.choices(["", BOUNCED, COMPLAINED], [0.94, 0.03, 0.03])[0]
    if not kind:
        return []
    mailbox = mailbox_hash(SECRET, mail.recipient)
    fact = MailReported(visitor=mail.visitor, send_id=mail.send_id, kind=kind, mailbox=mailbox)
    first = draw.choice((1.0, 600.0, 86_400.0, 6 * 86_400.0)) * (0.5 + draw.random())
    times = [first, first + 3_600 * draw.random()][: draw.choice((1, 1, 2))]
    return [Answer(at, f"report of {kind}", fact, mailbox) for at in times]


def _landing(draw: random.Random, mail: Mail, person: Person) -> list[dict[str, Any]]:
    """Return the calls of the visit after a click; perhaps in a browser never seen, perhaps with an order."""
    browser = draw.choice((person.browsers[0], f"b{person.number}-{mail.send_id[:6]}"))
    context = {"page": {"url": LINKS[0], "path": "/offer/0"}}
    calls: list[dict[str, Any]] = [{"type": "page", "anonymousId": browser, "context": context}]
    more = draw.randrange(4)
    calls += [{"type": "page", "anonymousId": browser, "name": f"page {n}"} for n in range(more)]
    if draw.random() < 0.4:
        added = {"product_id": "red", "price": 30.0}
        event = {"event": "Product Added", "properties": added}
        calls.append({"type": "track", "anonymousId": browser} | event)
    if draw.random() < 0.35:
        bought = {"order_id": f"o-{mail.send_id[:10]}", "total": 59.0, "currency": "EUR"}
        event = {"event": "Order Completed", "properties": bought}
        calls.append({"type": "track", "anonymousId": browser} | event)
    return calls


def _open(mail: Mail, agent: str) -> MailOpened:
    return MailOpened(visitor=mail.visitor, send_id=mail.send_id, user_agent=agent)


def _click(mail: Mail, link: str, agent: str) -> MailClicked:
    return MailClicked(visitor=mail.visitor, send_id=mail.send_id, link=link, user_agent=agent)
