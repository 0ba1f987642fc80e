"""Build what the pages show: an overview, a story, a folder of e-mails; with a hostile hand in each where asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from messaging.gateway.told import (
    BotNow,
    Decided,
    Line,
    Overview,
    PathNow,
    StageNow,
    Story,
    Waiting,
)
from messaging.mail.compose import Sender, TemplateText, compose
from messaging.mail.sink import _Shelf
from messaging.vocabulary.plans import SendPlan
from tests.gateway_builders import NOON, SECRET, FakeReader

EVIL = '<img src=x onerror="document.title=\'taken\'"><script>document.title="taken"</script>'
VISITOR = "0a" * 12

BOTS = (
    (
        "Behavior",
        "works",
        "Follows 412 visitors whose address is not known yet, and 88 leads by address.",
    ),
    ("Social", "off", "Is off: nobody is looked up anywhere."),
    ("Engagement", "works", "Has 7 offers standing on the site; the last was answered just now."),
    (
        "Email",
        "rests",
        "Waits for the hour of the next e-mail; handed over “invite-hello” 3 minutes ago.",
    ),
    (
        "Rules Manager",
        "works",
        'Leads 88 people along their path; chose Thu 14:00 for the e-mail "invitation".',
    ),
    ("Sales", "rests", "Counted an order of 49.00 EUR 2 hours ago, thanks to “reason-choice”."),
    ("Learner", "behind", "Published version 12 of “send time” 5 minutes ago."),
)


def an_overview(who: str = "a…@example.com") -> Overview:
    """Return an overview; `who` is the name that a visitor gave."""
    bots = [
        BotNow(
            title=title,
            state=state,
            now=now,
            job="Does what it is there for.",
            figures=[("a second", "4.2")],
        )
        for title, state, now in BOTS
    ]
    stages = [
        StageNow(name="invited", going=50, calls=6, over=2),
        StageNow(name="opened", going=21, won=1),
        StageNow(name="cart", going=3, won=9),
        StageNow(name="talk"),
    ]
    decision = Decided(
        id="d1",
        at="Thu 26 Nov 2026, 14:00 UTC",
        visitor=VISITOR,
        who=who,
        said='chose template "invite-hello" for the e-mail "invitation"',
        why="learned policy next_best, version 3",
        refused=[("it was sent before", '"invite-short"')],
    )
    alert = Waiting(
        at="Thu 26 Nov 2026, 13:00 UTC",
        visitor=VISITOR,
        who=who,
        said="Four attempts after 4 e-mails",
    )
    return Overview(
        at=datetime(2026, 11, 26, 14, tzinfo=UTC),
        world="Thu 26 Nov 2026, 14:00 UTC, 3,600 × as fast",
        paused="",
        tiles=[
            ("People", "500", "88 with an address"),
            ("Customers", "10", "12 orders"),
            ("Revenue, EUR", "1,519.00", "after refunds; and 12,040.50 USD; 49.00 EUR given back"),
            ("E-mails", "204", "handed over; 3 came back"),
            ("On the site", "57", "offers made; 21 answered"),
            ("Alerts", "6", "wait for a person; 9 in all"),
        ],
        work="The machine took 312 decisions; people answered 3 alerts.",
        machine_percent=98.7,
        bots=bots,
        paths=[PathNow(name="lead-to-customer", stages=stages)],
        decisions=[decision],
        alerts=[alert],
        alerts_open=6,
    )


class TellingReader(FakeReader):
    """Know an overview, and one visitor's story; `who` is the name that the visitor gave."""

    def __init__(self, who: str = "ann@example.com") -> None:
        self.who = who
        self.looks = 0

    async def overview(self) -> Overview:
        self.looks += 1
        told = an_overview(self.who)
        told.tiles[0] = ("People", f"{500 + self.looks}", "88 with an address")
        return told

    async def story(self, id_: str) -> Story | None:
        if id_ not in ("ann", VISITOR):
            return None
        lines = [
            Line(
                at="Thu 26 Nov 2026, 14:00 UTC", by="Rules Manager", said=f"entered path {self.who}"
            )
        ]
        return Story(name=self.who, facts=[("known as", self.who)], lines=lines)


def a_mail(
    number: int = 1, *, subject: str = "Hello", html: str = "", to: str = "ann@example.com"
) -> bytes:
    """Return an e-mail as the product composes it."""
    body = (
        html
        or f"<html><head><title>x</title></head><body><h1>{subject}</h1><a href='https://shop.example/'>Go</a></body></html>"
    )
    return compose(
        TemplateText(subject.replace("{", ""), f"First words of {number}", body, "The text part."),
        {},
        plan=a_plan(number),
        visitor=VISITOR,
        address=to,
        sender=Sender("Your Shop", "hello@shop.example", "https://shop.example"),
        postal_address="1 Street",
        public_url="http://127.0.0.1:1",
        secret=SECRET,
        date=NOON + timedelta(minutes=number),
    )


def a_plan(number: int = 1) -> SendPlan:
    """Return the plan of an e-mail."""
    return SendPlan(
        send_id=f"send-{number}",
        path="lead-to-customer",
        run="1",
        stage="invited",
        step="invitation",
        attempt=1,
        template="invite-hello",
        rules_version=1,
        sender="shop",
        entered_at=NOON,
    )


def a_ledger_row(at: datetime = NOON) -> dict[str, Any]:
    """Return the row of such a send."""
    return {
        "visitor": VISITOR,
        "at": at,
        "status": "handed over",
        "path": "lead-to-customer",
        "run": "1",
        "stage": "invited",
        "step": "invitation",
        "attempt": 1,
        "template": "invite-hello",
        "success": False,
    }


def an_inbox(folder: Path, *mails: bytes) -> Path:
    """Put e-mails into a folder as the sink does."""
    shelf = _Shelf(folder, 10_000)
    for raw in mails:
        shelf.put("hello@shop.example", ["ann@example.com"], raw)
    shelf.close()
    return folder
