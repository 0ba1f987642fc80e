"""The public Segment library for Python drives visitors through the whole loop over HTTP.

What is real: the library (only its host set, gzip on, its own retries), the gateway on a socket, the journal in
a mongod, the shipped rules, all bots, the links of the e-mails. The bots' runtime is the one in process, on a
clock that the test moves, so that the routine's weeks take seconds.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from segment.analytics.client import Client

from agents.protocol.bot import View
from agents.runtime.inprocess import InProcess
from config.load import DEFAULTS, compile_folder
from messaging.gateway.limits import Limits
from messaging.journal.mongo import MongoJournal
from messaging.mail.links import Links
from messaging.ports import MailOutcomeCode
from messaging.store.connection import connect
from messaging.store.embedded import EmbeddedMongo
from messaging.store.mongo import MongoStore
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.ids import user_key, visitor_id_for
from tests.gateway_builders import KEY, NOON, SECRET, StillClock, a_site

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LEADS = 12


class ForgetfulJournal(MongoJournal):
    """Write, and lose the answer to the first appends: what a client then does again must not count twice."""

    def __init__(self, connection: Any, losing: int) -> None:
        super().__init__(connection)
        self.losing = losing

    async def append(self, records: list[Any]) -> Any:
        appended = await super().append(records)
        if self.losing:
            self.losing -= 1
            raise Unavailable("no answer")
        return appended


class Loop:
    """Be the bots behind the gateway: what is journaled is fed to them, at the clock's time."""

    def __init__(self, journal: MongoJournal, clock: StillClock) -> None:
        rules = compile_folder(DEFAULTS, 1)
        view = View(rules, 1, {1: rules}, {}, learning=False)
        self.clock = clock
        self.mails: list[tuple[str, Any]] = []
        self.bots = InProcess(view, clock.now(), self._hand_over)
        self._journal = journal
        self._read_to: dict[int, int] = {}

    def _hand_over(self, visitor: str, act: Any) -> MailOutcomeCode:
        self.mails.append((visitor, act))
        return MailOutcomeCode("handed over", 250, "")

    async def pull(self) -> None:
        """Feed what was journaled since the last time."""
        for stream in sorted(await self._journal.tails()):
            after = self._read_to.get(stream, 0)
            records, self._read_to[stream] = await self._journal.read(stream, after, 10_000, (0, 1))
            self.bots.feed(records)

    def pass_time(self, hours: float) -> None:
        """Let world time pass."""
        self.clock.world += timedelta(hours=hours)
        self.bots.advance(self.clock.world)

    def of(self, number: int) -> list[Any]:
        """Return the e-mails to one lead."""
        visitor = visitor_id_for(user_key(f"lead-{number}"))
        return [act for to, act in self.mails if to == visitor]

    def counters(self, number: int) -> dict[str, int]:
        """Return what Behavior counted of one lead."""
        visitor = visitor_id_for(user_key(f"lead-{number}"))
        found: dict[str, int] = self.bots.held("behavior", visitor).state.counters
        return found

    def run(self, number: int) -> Any:
        """Return one lead's run."""
        visitor = visitor_id_for(user_key(f"lead-{number}"))
        return self.bots.held("rules", visitor).state.runs["lead-to-customer"]


@pytest.fixture
async def connection(tmp_path: Any) -> AsyncIterator[Any]:
    """Connect to a mongod of the test's own."""
    mongo = EmbeddedMongo(tmp_path / "mongo")
    made = connect(await mongo.start())
    await MongoStore(made).ensure_indexes()
    await MongoJournal(made).ensure_indexes()
    yield made
    await made.close()
    await mongo.stop()


def _client(session: Any, errors: list[Any]) -> Client:
    logging.getLogger("segment").setLevel(logging.CRITICAL)
    return Client(
        KEY,
        host=str(session._base_url).rstrip("/"),
        gzip=True,
        max_retries=10,
        upload_size=10,
        upload_interval=0.05,
        on_error=lambda error, items: errors.append(error),
    )


def _enter(client: Client) -> None:
    for number in range(LEADS):
        client.identify(
            f"lead-{number}",
            {"email": f"lead-{number}@example.com", "firstName": "Ann"},
            {"consent": {"categoryPreferences": {"email": True}}},
        )
        client.page(f"lead-{number}", None, "Home", {"url": "https://shop.example/"})


def _shop(client: Client, number: int, landing: str, *, buys: bool) -> None:
    """Do what a tagged browser does: it knows no user id."""
    browser = f"browser-{number}"
    page = {"url": landing, "path": urlsplit(landing).path}
    client.page(None, None, "Landing", page, {"page": page}, anonymous_id=browser)
    client.track(None, "Product Added", {"price": 20}, anonymous_id=browser)
    if buys:
        order = {"order_id": f"o-{number}", "total": 20.0, "currency": "EUR"}
        client.track(None, "Order Completed", order, anonymous_id=browser)


async def _said(client: Client, *calls: Any) -> None:
    """Say things on another thread, as an application does, and wait until they were taken."""

    def say() -> None:
        for call in calls:
            call()
        client.flush()

    await asyncio.to_thread(say)


async def _click(session: Any, base: str, loop: Loop, number: int) -> str:
    """Follow the link of a lead's newest e-mail; return where it leads to."""
    visitor = visitor_id_for(user_key(f"lead-{number}"))
    send = loop.of(number)[-1].plan.send_id
    links = Links(
        secret=SECRET,
        public_url=base,
        visitor=visitor,
        send_id=send,
        expires=loop.clock.now() + timedelta(days=30),
    )
    path = links.tracked("https://shop.example/").removeprefix(base)
    async with session.get(path, headers={"User-Agent": BROWSER}, allow_redirects=False) as answer:
        assert answer.status == 302
        return str(answer.headers["Location"])


@pytest.mark.slow
async def test_the_segment_library_leads_visitors_through_the_loop_and_nothing_counts_twice(
    connection: Any,
) -> None:
    clock, errors = StillClock(NOON), []
    journal = ForgetfulJournal(connection, losing=2)
    limits = Limits(append_seconds_max=0.0, drain_seconds_max=1.0)  # an append is tried once
    loop = Loop(MongoJournal(connection), clock)
    async with a_site(
        journal=journal, clock=clock, limits=limits, wall_now=lambda: datetime.now(UTC)
    ) as (session, _):
        base = str(session._base_url).rstrip("/")
        client = _client(session, errors)

        await _said(client, lambda: _enter(client))
        await loop.pull()
        assert journal.losing == 0, "the library had to try again"
        assert not errors
        for number in range(LEADS):
            assert loop.counters(number) == {"identify": 1, "page": 1}

        loop.pass_time(24)
        assert [len(loop.of(number)) for number in range(LEADS)] == [1] * LEADS

        buyers, visitors = range(4), range(4, 8)
        for number in (*buyers, *visitors):
            landing = await _click(session, base, loop, number)
            assert re.search(r"[?&]mdma_v=", landing)
            await _said(client, lambda n=number, to=landing: _shop(client, n, to, buys=n in buyers))
        await asyncio.to_thread(client.join)
        await loop.pull()
        loop.pass_time(17 * 24)
        assert not errors

    for number in buyers:
        assert loop.run(number).status == "won"
        assert [act.plan.success for act in loop.of(number)] == [False, True]
        assert loop.counters(number)["Order Completed"] == 1
    for number in visitors:
        stages = [act.plan.stage for act in loop.of(number)]
        assert stages == ["invited", "cart", "cart", "cart"], (
            "a cart is left alone, then reminded of"
        )
        assert loop.run(number).status == "alerted"
    for number in range(8, LEADS):
        stages = [act.plan.stage for act in loop.of(number)]
        assert stages == ["invited"] * 4
        assert loop.run(number).status == "alerted"
