"""The demo's colleague over the real admin API: reads what is open, answers what is due, in their own name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web

from agents.runtime.readers import StoreReader
from learning.audience.colleague import NAME
from messaging.journal.memory import MemoryJournal
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.demo_colleague import Desk
from tests.gateway_builders import StillClock, until
from tests.house_builders import a_house

MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)
LATER = MONDAY + timedelta(days=60)
TOKEN = "the-token"


def a_row(id_: str, kind: str = "No purchase (attempts used)", **more: Any) -> dict[str, Any]:
    """Return an alert as the admin API shows it."""
    row = {"id": id_, "kind": kind, "run": "1", "at": MONDAY.isoformat(), "status": "open"}
    return row | {"visitor": "v", "path": "p", "history": [], "by": "", "settled_at": None} | more


class AdminApi:
    """Hold alerts, and settle them as the gateway does; `statuses` are answers to posts, by alert."""

    def __init__(self, *rows: dict[str, Any], **statuses: int) -> None:
        self.rows = list(rows)
        self.statuses = statuses
        self.tokens: set[str] = set()
        self.posted: list[tuple[str, str, dict[str, Any]]] = []

    async def listed(self, request: web.Request) -> web.Response:
        self.tokens.add(request.headers["Authorization"])
        assert request.query["status"] == "open"
        found = [r for r in self.rows if r["status"] == "open"]
        return web.json_response({"alerts": found, "after": None})

    async def settled(self, request: web.Request) -> web.Response:
        self.tokens.add(request.headers["Authorization"])
        id_, action = request.match_info["id"], request.match_info["action"]
        self.posted.append((id_, action, await request.json()))
        status = self.statuses.get(id_, 200)
        if status == 200:
            next(r for r in self.rows if r["id"] == id_)["status"] = "settled"
        return web.json_response({}, status=status)


@asynccontextmanager
async def a_desk(api: AdminApi, now: datetime) -> AsyncIterator[Desk]:
    app = web.Application()
    app.router.add_get("/api/v1/alerts", api.listed)
    app.router.add_post("/api/v1/alerts/{id}/{action}", api.settled)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as session:
            yield Desk(session, StillClock(now), 1, local_url=url, admin_token=TOKEN)
    finally:
        await runner.cleanup()


async def test_what_is_due_is_answered_once_and_in_their_name() -> None:
    api = AdminApi(*(a_row(f"a{number}") for number in range(12)))
    async with a_desk(api, LATER) as desk:
        await desk.look()
        await desk.look()
    assert sorted(id_ for id_, _, _ in api.posted) == sorted(row["id"] for row in api.rows)
    assert desk.answered == 12
    assert {body["by"] for _, _, body in api.posted} == {NAME}
    assert {body.get("stage", "") for _, what, body in api.posted if what == "change"} == {"talk"}
    assert api.tokens == {f"Bearer {TOKEN}"}


async def test_nothing_is_answered_before_its_time() -> None:
    api = AdminApi(a_row("a"))
    async with a_desk(api, MONDAY + timedelta(minutes=5)) as desk:
        await desk.look()
    assert not api.posted


async def test_what_is_refused_for_good_is_asked_once_and_what_is_busy_again() -> None:
    api = AdminApi(a_row("bad"), a_row("busy"), a_row("good"), bad=422, busy=503)
    async with a_desk(api, LATER) as desk:
        for _ in range(3):
            await desk.look()
    asked = [id_ for id_, _, _ in api.posted]
    assert (asked.count("bad"), asked.count("busy"), asked.count("good")) == (1, 3, 1)
    assert desk.answered == 1


async def test_a_gateway_that_is_away_is_no_error() -> None:
    async with aiohttp.ClientSession() as session:
        gone = Desk(session, StillClock(LATER), 1, local_url="http://127.0.0.1:1", admin_token="x")
        await gone.look()
        assert gone.answered == 0


async def test_the_real_gateway_takes_the_answers_and_people_are_seen_to_have_worked() -> None:
    database = MemoryDatabase()
    async with a_house(MemoryStore(database), MemoryJournal(database)) as house:
        await house.call("identify", traits={"email": "ann@people.example"})
        visitor = (await house.visitor())["visitor_id"]
        row = a_row("x", path="lead-to-customer", visitor=visitor, at=MONDAY)
        await house.store.put_document("alerts", "x", row)
        desk = Desk(house.session, StillClock(LATER), 1, local_url="", admin_token=TOKEN)
        await desk.look()
        assert desk.answered == 1
        told = StoreReader(house.store)
        await until(lambda: database.tables.get("story"))
        story = await told.timeline(visitor)
        assert [line for line in story or [] if NAME in str(line)]
