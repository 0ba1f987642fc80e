"""Run strangers on loopback: one who speaks Gravatar, WebFinger and ActivityPub, and one who means harm."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from messaging.social.fetch import Fetcher
from messaging.social.gravatar import hash_of
from messaging.social.look_ups import WebLookUps
from messaging.social.turns import Turns

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Clock:
    """Tell one world time and the machine's own."""

    def now(self) -> datetime:
        return NOW

    def catch_up(self, at: datetime) -> None:
        """Do nothing: there is one clock for all."""

    def seconds_until(self, at: datetime) -> float:
        return 0.0

    def machine(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Stranger:
    """Answer raw HTTP by path, and count who came."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.came = 0
        self.port = 0
        self.pages: dict[str, Any] = {}
        """Path -> document, or (status, headers, body)."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            self.asked.append(target)
            name = urlsplit(target).path.split("/")[1]
            harm = getattr(self, f"_do_{name.replace('-', '_')}", None)
            await (harm(target, writer) if harm else self._page(target, writer))
            writer.close()
            await writer.wait_closed()

    async def _page(self, target: str, writer: asyncio.StreamWriter) -> None:
        page = self.pages.get(target, self.pages.get(urlsplit(target).path, (404, {}, b"")))
        if not isinstance(page, tuple):
            page = (200, {"Content-Type": "application/activity+json"}, json.dumps(page).encode())
        status, headers, body = page
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await _write(writer, "\r\n".join([*lines, "", ""]).encode() + body)

    # Harm

    async def _do_slow_headers(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, b"HTTP/1.1 200 OK\r\nX-Slow: ")
        await _drip(writer, b"a")

    async def _do_drip(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, JSON_HEAD + b"Content-Length: 100000\r\n\r\n[")
        await _drip(writer, b" ")

    async def _do_silent(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _drip(writer, b"")

    async def _do_endless(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, JSON_HEAD + b"\r\n[")
        while True:
            await _write(writer, b" " * 65536)

    async def _do_endless_chunks(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            await _write(writer, b"10000\r\n" + b" " * 65536 + b"\r\n")

    async def _do_huge_header(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, b"HTTP/1.1 200 OK\r\nX-Huge: " + b"a" * 2_000_000 + b"\r\n\r\n")

    async def _do_many_headers(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, b"HTTP/1.1 200 OK\r\n")
        while True:
            await _write(writer, b"X-One: more\r\n" * 1_000)

    async def _do_bomb(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _json(writer, a_bomb(), b"Content-Encoding: gzip\r\n")

    async def _do_no_gzip(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _json(writer, b"{}", b"Content-Encoding: gzip\r\n")

    async def _do_cut_gzip(self, _: str, writer: asyncio.StreamWriter) -> None:
        body = gzip.compress(b'{"hash": "a"}')[:-12]
        await _json(writer, body, b"Content-Encoding: gzip\r\n")

    async def _do_brotli(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _json(writer, b"{}", b"Content-Encoding: br\r\n")

    async def _do_page(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, b'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{"hash": "a"}')

    async def _do_no_type(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, b'HTTP/1.1 200 OK\r\n\r\n{"hash": "a"}')

    async def _do_deep(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _json(writer, b"[" * 100_000 + b"]" * 100_000)

    async def _do_deeper_than_honest(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _json(writer, b'{"hash": "a", "b": ' + b"[" * 40 + b"]" * 40 + b"}")

    async def _do_not_utf8(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _json(writer, b'{"hash": "\xff\xfe"}')

    async def _do_cut(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, JSON_HEAD + b"Content-Length: 500\r\n\r\n" + b'{"hash": ')

    async def _do_no_http(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, b"\x16\x03\x01 what?\r\n\r\n")

    async def _do_loop(self, target: str, writer: asyncio.StreamWriter) -> None:
        await _redirect(writer, f"/loop/{len(self.asked)}")

    async def _do_nowhere(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, b"HTTP/1.1 302 Found\r\n\r\n")

    async def _do_to(self, target: str, writer: asyncio.StreamWriter) -> None:
        """Redirect to what stands in the path, percent-encoded."""
        await _redirect(writer, unquote(target.split("/")[2]))

    async def _do_busy(self, _: str, writer: asyncio.StreamWriter) -> None:
        await _write(writer, b"HTTP/1.1 429 Slow\r\nRetry-After: 120\r\n\r\n")


@cache
def a_bomb() -> bytes:
    """Return few bytes that unpack to very many."""
    body = gzip.compress(b" " * 200_000_000, 9)
    assert len(body) < 256 * 1024, "it would be refused as it came"
    return body


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    while not writer.is_closing():
        await _write(writer, data)
        await asyncio.sleep(0.02)


async def _json(writer: asyncio.StreamWriter, body: bytes, head: bytes = b"") -> None:
    length = f"Content-Length: {len(body)}\r\n\r\n".encode()
    await _write(writer, JSON_HEAD + head + length + body)


async def _redirect(writer: asyncio.StreamWriter, to: str) -> None:
    await _write(writer, f"HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n".encode())


@asynccontextmanager
async def a_stranger(host: str = "127.0.0.1") -> AsyncIterator[Stranger]:
    """Run a stranger on a free port."""
    stranger = Stranger()
    tasks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await stranger.serve(reader, writer)
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(served, host, 0, family=socket.AF_INET)
    stranger.port = server.sockets[0].getsockname()[1]
    try:
        yield stranger
    finally:
        server.close()
        left = list(tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)  # transports that were cut off say goodbye


def knows(stranger: Stranger, address: str, *, published: str = "2026-11-20T10:00:00Z") -> None:
    """Let a stranger know somebody by all protocols."""
    url, pages = stranger.url, stranger.pages
    pages[f"/v3/profiles/{hash_of(address)}"] = {"hash": "a", "display_name": "Ann"}
    self_ = {"rel": "self", "type": "application/activity+json", "href": f"{url}/users/ann"}
    finger = {"subject": f"acct:{address}", "links": [{"rel": "other"}, self_]}
    pages["/.well-known/webfinger"] = finger
    pages["/users/ann"] = {"type": "Person", "outbox": f"{url}/users/ann/outbox"}
    pages["/users/ann/outbox"] = {"totalItems": 3, "first": f"{url}/users/ann/outbox?page=1"}
    post = {"type": "Create", "published": published}
    pages["/users/ann/outbox?page=1"] = {
        "orderedItems": [post, {"published": "2020-01-01T00:00:00Z"}]
    }


def resource_of(target: str) -> str:
    """Return whom WebFinger was asked for."""
    return parse_qs(urlsplit(target).query)["resource"][0]


@asynccontextmanager
async def look_ups(
    gravatar: str, webfinger: str, *allowed: str, seconds_max: float = 0.4, **more: Any
) -> AsyncIterator[WebLookUps]:
    """Look up at these places, without waiting for turns."""
    clock = Clock()
    fetcher = Fetcher(
        Turns(clock, 10_000.0), allowed=frozenset(allowed), seconds_max=seconds_max, **more
    )
    web = WebLookUps(fetcher, clock, gravatar_url=gravatar, webfinger_url=webfinger)
    try:
        yield web
    finally:
        await web.close()
