"""The short way of a tracking request and the application's: whoever asks cannot tell them apart."""

from __future__ import annotations

import asyncio
import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from messaging.store.memory import MemoryDatabase
from tests.gateway_bodies import AUTH
from tests.gateway_builders import a_site

CALL = b'{"userId":"u","event":"e"}'


def _request(
    path: str = "/v1/track", *lines: str, body: bytes = CALL, version: str = "1.1"
) -> bytes:
    """Return a request as bytes, so that nothing is added to it."""
    head = [
        f"POST {path} HTTP/{version}",
        "Host: h",
        f"Authorization: {AUTH}",
        f"Content-Length: {len(body)}",
        *lines,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


Answer = tuple[int, dict[str, str], bytes]


async def _answers(
    session: Any, sent: bytes, count: int, *, then_ends: bool = False
) -> list[Answer]:
    """Send bytes and return `count` answers as (status, headers, body)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", session._base_url.port)
    writer.write(sent)
    answers = []
    async with asyncio.timeout(10.0):
        for _ in range(count):
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            body = await reader.readexactly(int(headers.get("Content-Length", 0)))
            answers.append((int(first.split()[1]), headers, body))
        if then_ends:
            assert await reader.read() == b""
    writer.close()
    return answers


@pytest.mark.parametrize("body", [CALL, b"{}", b"[", b'{"event":7,"userId":"u"}'])
async def test_both_ways_give_the_same_answer(body: bytes) -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, gateway):
        short = await _answers(session, _request(body=body), 1)
        long = await _answers(session, _request("/v1/track?a=b", body=body), 1)
        counted = gateway.metrics.text()
    for _, headers, _ in (*short, *long):
        assert abs(parsedate_to_datetime(headers.pop("Date")).timestamp()) > 0
    assert short == long
    assert f'mdma_requests_total{{route="/v1/track",status="{short[0][0]}"}} 2.0' in counted
    assert len(database.streams[0]) == (2 if short[0][0] == 200 else 0)


async def test_requests_in_one_piece_are_answered_one_by_one_in_order() -> None:
    async with a_site() as (session, _):
        sent = _request() + _request(body=b"[") + _request("/healthz") + _request()
        answers = await _answers(session, sent, 4)
    assert [status for status, _, _ in answers] == [200, 400, 405, 200]


async def test_who_wants_the_connection_closed_gets_that() -> None:
    async with a_site() as (session, _):
        sent = _request("/v1/track", "Connection: close")
        [(status, headers, body)] = await _answers(session, sent, 1, then_ends=True)
        assert (status, headers["Connection"]) == (200, "close")
        assert json.loads(body) == {"success": True}
        [(status, _, _)] = await _answers(session, _request(version="1.0"), 1, then_ends=True)
        assert status == 200


async def test_who_asks_whether_to_send_a_body_is_told_to() -> None:
    async with a_site() as (session, _):
        answers = await _answers(session, _request("/v1/track", "Expect: 100-continue"), 2)
    assert [status for status, _, _ in answers] == [100, 200]


async def test_an_expectation_that_nobody_knows_is_passed_over() -> None:
    async with a_site() as (session, _):
        answers = await _answers(session, _request("/v1/track", "Expect: <b>tea</b>"), 1)
    assert [status for status, _, _ in answers] == [200]


async def test_a_client_that_leaves_before_the_answer_leaves_its_event() -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, gateway):
        _, writer = await asyncio.open_connection("127.0.0.1", session._base_url.port)
        writer.write(_request())
        await writer.drain()
        writer.transport.abort()
        answers = await _answers(session, _request(), 1)
        assert answers[0][0] == 200
        assert gateway.room._free == gateway.deps.limits.bodies_bytes_max
