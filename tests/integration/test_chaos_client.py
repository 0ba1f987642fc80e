"""The client of `scripts/chaos` against a gateway that refuses, breaks off and loses answers."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.test_utils import TestServer

from scripts.chaos_client import Client
from scripts.chaos_mail import Mail, ReadMailbox
from scripts.chaos_script import CLICK, ROWS, Taken, Visitor, script
from scripts.chaos_world import WorldTime

NOW = datetime(2026, 3, 2, tzinfo=UTC)


class Boxes(ReadMailbox):
    """Hold one mail for everybody, again and again."""

    async def next(self, recipient: str) -> Mail:
        """Return a mail whose links name its reader."""
        name = recipient.partition("@")[0]
        return Mail(NOW, f"/o/{name}.gif", f"/c/{name}", f"/u/{name}")


class Gateway:
    """Take events and links, every third time badly: 503, taken and no answer, or neither."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.links: Counter[str] = Counter()
        self.pages: list[str] = []
        self._asked = 0

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request, or not."""
        self._asked += 1
        if self._asked % 9 == 3:
            return web.Response(status=503)
        if self._asked % 9 == 6:
            self._break(request)
        answer = await self._take(request)
        if self._asked % 9 == 0:
            self._break(request)
        return answer

    async def _take(self, request: web.Request) -> web.Response:
        if request.path != "/v1/batch":
            self.links[request.path] += 1
            if request.path.startswith("/c/"):
                return web.Response(status=302, headers={"Location": f"http://shop{request.path}"})
            return web.Response()
        for call in (await request.json())["batch"]:
            self.taken[call["messageId"]] += 1
            if call["messageId"].endswith(f"-{CLICK}"):
                self.pages.append(call["context"]["page"]["url"])
        return web.json_response({"success": True})

    @staticmethod
    def _break(request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()


@asynccontextmanager
async def a_client(gateway: Gateway) -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", gateway.handle)
    world = WorldTime()
    world.now = NOW.replace(day=3)
    async with TestServer(app) as server:
        yield Client(str(server.make_url("")).rstrip("/"), "key", Boxes(), world)


async def played(visitors: list[Visitor]) -> tuple[Client, Gateway]:
    gateway = Gateway()
    async with a_client(gateway) as client:
        await client.allow(math.inf)
        async with asyncio.timeout(60):
            await client.play(visitors)
    return client, gateway


async def test_everything_is_sent_until_it_is_acknowledged_and_the_list_says_so() -> None:
    visitors = script(200)
    client, gateway = await played(visitors)
    assert set(client.acknowledged) == set(gateway.taken)
    assert len(client.acknowledged) > 200
    assert max(gateway.taken.values()) > 1, "an answer that was lost is asked for again"
    assert not client.rejected
    assert not client.acting


async def test_each_answer_to_a_mail_is_given_and_those_that_may_count_twice_are_known() -> None:
    visitors = script(200)
    client, gateway = await played(visitors)
    acts = sum(len(acts) for row in ROWS.values() for acts in row.answers.values())
    events = len(client.acknowledged) - 200
    clicks = [fact for fact in client.facts if fact.name == "mail_clicked"]
    assert client.facts.total() + events - len(clicks) == acts
    assert set(client.facts.values()) == {1}
    for visitor in visitors:
        for name, link in (("mail_opened", "o"), ("mail_clicked", "c"), ("unsubscribed", "u")):
            fact = Taken(visitor.name, name)
            came = sum(n for path, n in gateway.links.items() if _is_of(path, link, visitor))
            assert client.facts[fact] <= came <= client.asked[fact]


async def test_whoever_clicks_sees_the_page_that_the_link_led_to() -> None:
    visitors = script(200)
    _, gateway = await played(visitors)
    clickers = {
        f"http://shop/c/{visitor.name}"
        for visitor in visitors
        if any(CLICK in acts for acts in visitor.row.answers.values())
    }
    assert set(gateway.pages) == clickers


def _is_of(path: str, link: str, visitor: Visitor) -> bool:
    return path in (f"/{link}/{visitor.name}", f"/{link}/{visitor.name}.gif")
