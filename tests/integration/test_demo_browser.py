"""What the demo's audience does over real HTTP, all bots behind: the same routes as a browser's, the same effects."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from agents.runtime.readers import StoreReader
from learning.audience.cast import make_member
from learning.audience.chance import Chance
from learning.audience.crowd import Act, Click, Crowd, Import, Leave, Open, Scan
from learning.audience.people import make_person
from learning.audience.shopping import Fill, Look, View, visit
from messaging.journal.memory import MemoryJournal
from messaging.mail.tokens import ClickToken, OpenToken, UnsubscribeToken, mailbox_hash, sign
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.ids import user_key, visitor_id_for
from scripts.demo_browser import TRIES_MAX, Browser
from tests.gateway_builders import KEY, SECRET
from tests.house_builders import House, a_house

AT = datetime(2026, 11, 23, 6, tzinfo=UTC)
LOCAL = ""
"""The session of a house is bound to its address."""
PUBLIC = "http://shop.example"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    database = MemoryDatabase()
    async with a_house(MemoryStore(database), MemoryJournal(database), shop=True) as made:
        yield made


def a_browser(session: Any, answers: Any = None, write_key: str = KEY) -> Browser:
    crowd = Crowd(1, AT)
    return Browser(
        session,
        local_url=LOCAL,
        public_url=PUBLIC,
        write_key=write_key,
        answers=answers or crowd.answer,
        waits_seconds=0.001,
    )


def an_act(do: Any, name: str = "act") -> Act:
    # Place 4 is cast to compare: whoever is cast takes up what is offered.
    member = make_member(1, 3, 3, make_person(1, 3, AT, timedelta(0)))
    return Act(AT, member, do, f"3 {name}")


async def test_a_visit_brings_the_opinion_form_and_its_answer_and_then_the_chat(
    house: House,
) -> None:
    browser = a_browser(house.session)
    await browser.do(an_act(View("/"), "first"))
    for number, (_, do) in enumerate(visit("compares", Chance(1), "o-1")):
        if isinstance(do, Look) and not do.leaving:
            waits_for = "opinion" if browser.done < 6 else "chat"
            await offered(house, waits_for)
        await browser.do(an_act(do, f"step {number}"))
    await eventually(
        house, "browser-3", lambda v: "clicked" in [e["status"] for e in v["engagements"]]
    )
    visitor = await house.visitor("browser-3")
    responded = {e["interaction"]: e["status"] for e in visitor["engagements"]}
    assert responded["opinion"] == "submitted"
    assert responded["chat"] == "clicked"
    assert visitor["traits"]["wants_help_with"]
    assert not browser.refused


async def eventually(house: House, id_: str, true: Callable[[dict[str, Any]], Any]) -> None:
    """Wait until something holds of a visitor who may not be known yet."""
    found: dict[str, Any] | None = None
    until = time.monotonic() + 10.0
    while found is None or not true(found):
        assert time.monotonic() < until, found
        await asyncio.sleep(0.02)
        found = await StoreReader(house.store).visitor(id_)


async def offered(house: House, name: str) -> None:
    """Wait until this stands open, as somebody who reads the page for some minutes does."""
    async with asyncio.timeout(10.0):
        while True:
            found = await house.poll("browser-3")
            if name in {each["name"] for each in found["engagements"]}:
                return
            await asyncio.sleep(0.02)


async def test_a_prospect_who_clicks_is_known_in_the_browser_and_buys(house: House) -> None:
    browser = a_browser(house.session)
    await browser.do(an_act(Import(), "imported"))
    visitor = visitor_id_for(user_key("prospect-3"))
    send = "5e" * 12
    click = sign(SECRET, ClickToken(visitor, send, f"{PUBLIC}/", house.clock.now() + DAYS))
    await browser.do(an_act(Click(f"{PUBLIC}/c/{click}"), "clicks"))
    await eventually(house, "browser-3", lambda v: v["user_ids"] == ["prospect-3"])
    for number, (_, do) in enumerate(visit("buys", Chance(1), "o-1")):
        await browser.do(an_act(do, f"step {number}"))
    await eventually(house, "prospect-3", lambda v: v["orders"])
    known = await house.visitor("prospect-3")
    assert known["email"] == an_act(None).member.address
    assert known["consent"] == {"email": True, "site": True}
    assert known["counters"]["page"] == 5
    assert [order["order_id"] for order in known["orders"]] == ["o-1"]
    assert not browser.refused


DAYS = timedelta(days=30)


async def test_readers_and_machines_come_by_the_mails_own_links(house: House) -> None:
    browser = a_browser(house.session)
    await browser.do(an_act(Fill("newsletter"), "signs up"))
    await eventually(house, "browser-3", lambda v: v["consent"].get("email"))
    visitor = (await house.visitor("browser-3"))["visitor_id"]
    send, mailbox = "5e" * 12, mailbox_hash(SECRET, "a@people.example")
    pixel = sign(SECRET, OpenToken(visitor, send))
    click = sign(SECRET, ClickToken(visitor, send, f"{PUBLIC}/", house.clock.now() + DAYS))
    leave = sign(SECRET, UnsubscribeToken(visitor, send, mailbox))
    await browser.do(an_act(Open(f"{PUBLIC}/o/{pixel}.gif", "Mail/1.0"), "opens"))
    await browser.do(an_act(Scan(f"{PUBLIC}/c/{click}"), "scans"))
    await browser.do(an_act(Leave(f"{PUBLIC}/u/{leave}"), "leaves"))
    await eventually(house, "browser-3", lambda v: v["unsubscribed_at"] is not None)
    counters = (await house.visitor("browser-3"))["counters"]
    assert counters["mail_opened"] == 1
    assert counters["mail_clicked"] == 2
    assert not browser.refused


async def test_what_is_refused_for_good_is_counted_and_life_goes_on(house: House) -> None:
    browser = a_browser(house.session, write_key="another key")
    await browser.do(an_act(View("/")))
    await browser.do(an_act(Look()))
    await browser.do(an_act(Click(f"{PUBLIC}/c/forged")))
    assert browser.refused == 3
    assert browser.done == 3


@asynccontextmanager
async def a_moody_gateway(*statuses: int) -> AsyncIterator[tuple[Browser, list[int]]]:
    """Answer with these statuses, one after the other, the last of them for ever."""
    given: list[int] = []

    async def answer(_: web.Request) -> web.Response:
        given.append(statuses[min(len(given), len(statuses) - 1)])
        return web.Response(status=given[-1])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
            yield a_browser(session), given
    finally:
        await runner.cleanup()


async def test_a_busy_gateway_is_asked_again() -> None:
    async with a_moody_gateway(503, 429, 200) as (browser, given):
        await browser.do(an_act(View("/")))
        assert given == [503, 429, 200]
        assert not browser.refused


async def test_a_dead_gateway_is_not_asked_for_ever() -> None:
    async with a_moody_gateway(503) as (browser, given):
        await browser.do(an_act(View("/")))
        assert len(given) == TRIES_MAX
        assert browser.refused == 1
