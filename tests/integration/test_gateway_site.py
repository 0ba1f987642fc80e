"""What sites and browsers fetch: the script and the demo shop, over a real socket."""

from __future__ import annotations

import gzip
import re

import aiohttp
import pytest

from messaging.gateway.app import build_app, serve
from messaging.gateway.assets import lean, sdk
from messaging.gateway.shop import POLICY, add_shop, products, shop_assets
from tests.gateway_builders import KEY, a_site, some_deps

PACKED_BYTES_MAX = 12_000


def test_the_script_weighs_no_more_than_was_promised() -> None:
    assert len(sdk().packed) <= PACKED_BYTES_MAX


def test_only_lines_of_comment_are_left_out() -> None:
    assert lean("a('//x');\n  // why\n\n  /* and\n     why */\n\tb(); // stays\n") == (
        "a('//x');\nb(); // stays\n"
    )


async def test_the_script_comes_packed_to_who_can_unpack_it() -> None:
    async with a_site() as (session, _):
        async with session.get("/sdk.js", headers={"Accept-Encoding": "br, gzip;q=0.8"}) as packed:
            assert packed.status == 200
            assert packed.headers["Content-Encoding"] == "gzip"
            text = gzip.decompress(await packed.read())
        async with session.get("/sdk.js", headers={"Accept-Encoding": "gzip;q=0, br"}) as plain:
            assert "Content-Encoding" not in plain.headers
            assert await plain.read() == text
        assert packed.headers["ETag"] != plain.headers["ETag"]
        for answer in (packed, plain):
            assert answer.content_type == "text/javascript"
            assert answer.charset == "utf-8"
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "max-age=3600" in answer.headers["Cache-Control"]
        async with session.head("/sdk.js") as head:
            assert (head.status, await head.read()) == (200, b"")


@pytest.mark.parametrize(
    ("given", "status"),
    [("{etag}", 304), ('"x", W/{etag}', 304), ("*", 304), ('"x"', 200), ("", 200)],
)
async def test_who_has_the_script_is_told_so(given: str, status: int) -> None:
    async with a_site() as (session, _):
        async with session.get("/sdk.js") as first:
            etag = first.headers["ETag"]
        known = {"If-None-Match": given.format(etag=etag)}
        async with session.get("/sdk.js", headers=known) as answer:
            assert answer.status == status
            assert answer.headers["ETag"] == etag
            assert "Cache-Control" in answer.headers
            assert bool(await answer.read()) is (status == 200)


async def test_every_link_of_the_shop_leads_somewhere() -> None:
    seen, ahead = set(), ["/"]
    async with a_site(shop=True) as (session, _):
        while ahead:
            path = ahead.pop()
            seen.add(path)
            async with session.get(path) as answer:
                assert answer.status == 200, path
                if answer.content_type != "text/html":
                    continue
                assert answer.headers["Content-Security-Policy"] == POLICY
                html = gzip.decompress(await answer.read()).decode()
            assert f'data-write-key="{KEY}"' in html
            assert "$" not in html, "every placeholder is filled"
            links = set(re.findall(r'(?:href|src)="(/[^"]*)"', html))
            ahead += sorted(links - seen - set(ahead))
    assert len([path for path in seen if path.startswith("/products/")]) == 2 * len(products())


def test_a_strange_write_key_stays_an_attribute() -> None:
    home = dict(shop_assets('"><script>'))["/"]
    assert b'data-write-key="&quot;&gt;&lt;script&gt;"' in home.body


async def test_without_a_demo_there_is_no_shop() -> None:
    async with a_site() as (session, _):
        for path in ("/", "/products", "/shop/shop.js"):
            async with session.get(path) as answer:
                assert answer.status == 404


async def test_the_shop_tells_of_each_page_that_is_opened_and_of_no_other_file() -> None:
    opened: list[int] = []
    app = build_app(some_deps())
    add_shop(app, KEY, lambda: opened.append(1))
    runner = await serve(app, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession(address) as session:
            for path in ("/", "/products/teapot", "/shop/style.css", "/shop/shop.js"):
                async with session.get(path) as answer:
                    assert answer.status == 200
    finally:
        await runner.cleanup()
    assert len(opened) == 2
