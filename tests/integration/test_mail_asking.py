"""Links are asked over the network, and nothing private is reached by what a template says."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from messaging.mail.asking import LINKS_MAX, LinkAnswer, LinkAsker


class Shop:
    """Serve pages on loopback, and write down who asked how."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.port = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path))
        self.headers.append(dict(request.headers))
        match request.path:
            case "/there":
                return web.Response(text="x" * 1000, headers={"Set-Cookie": "a=b"})
            case "/no-head" if request.method == "HEAD":
                return web.Response(status=405)
            case "/no-head":
                return web.Response(text="there")
            case "/moved":
                return web.Response(status=301, headers={"Location": "/there"})
            case "/inside":
                return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/secret"})
            case "/metadata":
                place = "http://169.254.169.254/latest/meta-data/"
                return web.Response(status=302, headers={"Location": place})
            case "/loop":
                return web.Response(status=302, headers={"Location": "/loop"})
            case "/slow":
                await asyncio.sleep(30)
            case "/shy":
                return web.Response(status=403)
            case "/broken":
                return web.Response(status=500)
        return web.Response(status=404)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@asynccontextmanager
async def a_shop() -> AsyncIterator[tuple[Shop, LinkAsker]]:
    shop, app = Shop(), web.Application()
    app.router.add_route("*", "/{rest:.*}", shop.serve)
    # Who is slow is let go with whoever asked: the end would wait for the whole of its half minute.
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    shop.port = site._server.sockets[0].getsockname()[1]
    try:
        yield shop, LinkAsker(named=frozenset({f"127.0.0.1:{shop.port}"}), seconds_max=0.5)
    finally:
        await runner.cleanup()


async def ask(asker: LinkAsker, link: str) -> LinkAnswer:
    [answer] = await asker.ask([link])
    return answer


@pytest.mark.parametrize(
    ("path", "outcome", "said"),
    [
        ("/there", "fine", "answers 200"),
        ("/no-head", "fine", "answers 200"),
        ("/moved", "fine", "answers 200"),
        ("/gone", "wrong", "no such page"),
        ("/broken", "wrong", "answers 500"),
        ("/shy", "look", "open it in a browser"),
        ("/slow", "look", "no answer within"),
        ("/loop", "wrong", "more than 3 times"),
        ("/inside", "look", "only the usual ports"),
        ("/metadata", "look", "not on the public internet"),
    ],
)
async def test_a_link_is_asked_once_and_what_it_answers_is_said(
    path: str, outcome: str, said: str
) -> None:
    async with a_shop() as (shop, asker):
        answer = await ask(asker, shop.url(path))
        assert (answer.outcome, said in answer.said) == (outcome, True), answer
        assert {each for _, each in shop.asked} <= {path, "/there"}
        assert shop.asked[0][0] == "HEAD"
        assert not any({"Cookie", "Authorization"} & set(each) for each in shop.headers)


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/",
        "https://shop.example:6379/",
        "https://ann:secret@shop.example/",
        "ftp://shop.example/",
        "mailto:hi@shop.example",
        "https://shop.example/" + "x" * 2_000,
        "/relative",
    ],
)
async def test_what_must_not_be_reached_is_not_asked(link: str) -> None:
    async def nobody(host: str, port: int, family: socket.AddressFamily) -> list[tuple[int, str]]:
        raise AssertionError(f"{host} was looked for")

    assert (await ask(LinkAsker(resolve=nobody), link)).outcome == "not asked"


async def test_a_name_that_stands_for_a_private_address_is_not_reached() -> None:
    async def here(host: str, port: int, family: socket.AddressFamily) -> list[tuple[int, str]]:
        return [(socket.AF_INET, "93.184.216.34"), (socket.AF_INET, "127.0.0.1")]

    answer = await ask(LinkAsker(resolve=here), "https://shop.example/")
    assert (answer.outcome, "not on the public internet" in answer.said) == ("wrong", True)


async def test_outside_of_the_real_world_nobody_is_asked() -> None:
    asker = LinkAsker(is_outside_open=False)
    assert "not in the real world" in (await ask(asker, "https://shop.example/")).said


async def test_few_are_asked_and_many_slow_ones_end_soon() -> None:
    async with a_shop() as (shop, asker):
        begun = time.monotonic()
        answers = await asker.ask([shop.url("/slow")] * 8 + [shop.url("/there")] * LINKS_MAX)
        assert time.monotonic() - begun < 5
        assert len(shop.asked) <= LINKS_MAX
        assert [each.outcome for each in answers[LINKS_MAX:]] == ["not asked"] * 8
