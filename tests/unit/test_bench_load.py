"""Try the load generator on a small server: every request once, those refused for now again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import web

from scripts.bench_load import Load, requests_of, send


@asynccontextmanager
async def a_server(statuses: list[int]) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer with these statuses in turn, then with 200; keep the bodies."""
    bodies: list[bytes] = []

    async def handle(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        status = statuses.pop(0) if statuses else 200
        return web.Response(status=status, body=b"{}", headers={"Retry-After": "0"})

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1], bodies
    finally:
        await runner.cleanup()


def a_load(port: int, requests: int, events: int) -> Load:
    return Load(port=port, write_key="key", connections=3, requests=requests, events=events, seed=1)


@pytest.mark.parametrize("events", [1, 10])
async def test_every_request_is_sent_once_and_its_events_are_counted(events: int) -> None:
    async with a_server([]) as (port, bodies):
        load = a_load(port, 20, events)
        begin = asyncio.Event()
        begin.set()
        outcome = await send(load, list(requests_of(load)), begin)
    assert (outcome.events, outcome.again, outcome.failed) == (20 * events, 0, 0)
    assert len(bodies) == len(set(bodies)) == 20


async def test_a_request_that_is_refused_for_now_is_sent_again_as_it_was() -> None:
    async with a_server([503, 429]) as (port, bodies):
        load = a_load(port, 5, 1)
        begin = asyncio.Event()
        begin.set()
        outcome = await send(load, list(requests_of(load)), begin)
    assert (outcome.events, outcome.again, outcome.failed) == (5, 2, 0)
    assert len(bodies) == 7
    assert len({orjson.loads(body)["messageId"] for body in bodies}) == 5


async def test_an_answer_that_is_no_yes_is_no_acknowledgement() -> None:
    async with a_server([400]) as (port, _):
        load = a_load(port, 5, 1)
        begin = asyncio.Event()
        begin.set()
        outcome = await send(load, list(requests_of(load)), begin)
    assert (outcome.events, outcome.failed) == (4, 1)
