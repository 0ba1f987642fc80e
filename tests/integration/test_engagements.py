"""Engagements over real HTTP, all bots behind: what a browser sees, says, and what comes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from messaging.journal.memory import MemoryJournal
from messaging.store.memory import MemoryDatabase, MemoryStore
from tests.gateway_builders import KEY
from tests.house_builders import House, a_house
from tests.on_site_builders import ASSIST

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    database = MemoryDatabase()
    async with a_house(MemoryStore(database), MemoryJournal(database)) as made:
        yield made


def engagement(polled: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one of the engagements of a poll."""
    found: dict[str, Any] = next(e for e in polled["engagements"] if e["name"] == name)
    return found


@asynccontextmanager
async def a_stream(
    house: House, browser: str = "b1", after: str = ""
) -> AsyncIterator[asyncio.StreamReader]:
    """Connect as EventSource does."""
    headers = STREAM | ({"Last-Event-ID": after} if after else {})
    asked = {"visitor": browser, "writeKey": KEY}
    async with house.session.get("/v1/engagements", params=asked, headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        yield answer.content


async def an_event(stream: Any) -> tuple[str, str, dict[str, Any]]:
    """Return (id, event, data) of the next event; comments and `retry` are passed over."""
    async with asyncio.timeout(10.0):
        while True:
            block = (await stream.readuntil(b"\n\n")).decode().strip()
            fields = dict(line.split(": ", 1) for line in block.split("\n") if line[0] != ":")
            if "event" in fields:
                return fields["id"], fields["event"], json.loads(fields["data"])


async def test_from_two_pages_to_a_form_its_answer_a_cohort_and_the_purchase(house: House) -> None:
    await house.views(ASSIST, "/")
    polled = await house.polled("leaving", "opinion")
    form = engagement(polled, "opinion")
    assert (form["type"], form["trigger"]) == ("opinion_form", "now")
    assert form["content"]["fields"][0]["kind"] == "choice"
    assert form["expires_at"].endswith("Z")
    assert engagement(polled, "leaving")["trigger"] == "exit"
    assert await house.responds(form["id"], "shown") == 200
    answers = {"wants_help_with": "The price", "remark": ""}
    assert await house.responds(form["id"], "submitted", answers=answers) == 200
    await house.until(lambda v: v["traits"].get("wants_help_with") == "The price")
    await house.until(lambda v: "asks-for-price" in v["cohorts"])
    polled = await house.polled("leaving")
    await house.call("track", event="Order Completed", properties={"order_id": "o1", "total": 9})
    gone = await house.polled()
    assert gone["cursor"] != polled["cursor"]
    again = await house.poll(after=polled["cursor"])
    assert again["withdrawn"] == [polled["engagements"][0]["id"]]


async def test_a_stream_tells_what_opens_and_what_is_withdrawn(house: House) -> None:
    async with a_stream(house) as stream:
        await house.views("/", ASSIST)
        opened = {}
        for _ in range(2):
            _, kind, data = await an_event(stream)
            assert kind == "engagement"
            opened[data["name"]] = data["id"]
        assert set(opened) == {"leaving", "opinion"}
        await house.call("track", event="Product Added", properties={"product_id": "p"})
        gone = [await an_event(stream) for _ in range(2)]
        assert [kind for _, kind, _ in gone] == ["withdrawn", "withdrawn"]
        assert {data["id"] for _, _, data in gone} == set(opened.values())


async def test_a_stream_that_broke_goes_on_where_it_was(house: House) -> None:
    await house.views("/", ASSIST)
    await house.polled("leaving", "opinion")
    async with a_stream(house) as stream:
        first, _, told = await an_event(stream)
        second, _, _ = await an_event(stream)
        assert first != second
    await house.call("track", event="Product Added", properties={"product_id": "p"})
    await house.polled()
    async with a_stream(house, after=first) as stream:
        assert [(await an_event(stream))[1] for _ in range(2)] == ["withdrawn", "withdrawn"]
    async with a_stream(house, after="00000000.99") as stream:
        _, kind, data = await an_event(stream)
        assert (kind, data["id"]) == ("withdrawn", told["id"])


async def test_of_two_tabs_one_shows_it(house: House) -> None:
    await house.views("/", ASSIST)
    form = engagement(await house.polled("leaving", "opinion"), "opinion")
    tabs = [f"t{number}" for number in range(6)]
    answers = await asyncio.gather(*(house.responds(form["id"], "shown", tab=t) for t in tabs))
    assert sorted(answers) == [200] + [409] * 5
    first = tabs[answers.index(200)]
    assert await house.responds(form["id"], "shown", tab=first) == 200, "a repeat is harmless"
    assert await house.responds(form["id"], "shown", tab="late") == 409
    visitor = await house.visitor()
    assert visitor["counters"]["engagement_shown:opinion_form"] == 1


async def test_each_response_counts_once(house: House) -> None:
    await house.views("/", ASSIST)
    form = engagement(await house.polled("leaving", "opinion"), "opinion")
    assert await house.responds(form["id"], "shown") == 200
    for tab in ("t1", "t1", "t2"):
        assert await house.responds(form["id"], "dismissed", tab=tab) == 200
    await house.polled("leaving")
    assert await house.responds(form["id"], "dismissed") == 200
    assert await house.responds(form["id"], "shown") == 409
    counters = (await house.visitor())["counters"]
    assert counters["engagement_dismissed:opinion_form"] == 1


async def test_what_was_withdrawn_is_not_shown_and_a_late_answer_still_teaches(
    house: House,
) -> None:
    await house.views("/", ASSIST)
    polled = await house.polled("leaving", "opinion")
    form, leaving = engagement(polled, "opinion"), engagement(polled, "leaving")
    assert await house.responds(form["id"], "shown") == 200
    await house.until(lambda v: "engagement_shown:opinion_form" in v["counters"])
    await house.call("track", event="Product Added", properties={"product_id": "p"})
    await house.polled()
    assert await house.responds(leaving["id"], "shown") == 409
    answers = {"wants_help_with": "Just looking"}
    assert await house.responds(form["id"], "submitted", answers=answers) == 200
    await house.until(lambda v: v["traits"].get("wants_help_with") == "Just looking")


async def test_what_expired_is_not_shown(house: House) -> None:
    await house.views("/", ASSIST)
    form = engagement(await house.polled("leaving", "opinion"), "opinion")
    house.skip(minutes=31)
    assert await house.responds(form["id"], "shown") == 409
    await house.polled()


@pytest.mark.parametrize(
    ("response", "changes", "status"),
    [
        ("shown", {"writeKey": "another"}, 401),
        ("shown", {"writeKey": None}, 401),
        ("shown", {"visitor": "b2"}, 404),
        ("shown", {"visitor": ""}, 422),
        ("shown", {"visitor": 7}, 422),
        ("shown", {"visitor": "x" * 513}, 422),
        ("shown", {"visitor": "a\0b"}, 422),
        ("shown", {"tab": ""}, 422),
        ("shown", {"tab": "t" * 65}, 422),
        ("shown", {"messageId": "m" * 513}, 422),
        ("closed", {}, 404),
        ("submitted", {"answers": {"price": 1}}, 422),
        ("submitted", {"answers": {"wants_help_with": "Money"}}, 422),
        ("submitted", {"answers": {"wants_help_with": ["The price"]}}, 422),
        ("submitted", {"answers": {"remark": "x" * 2_001}}, 422),
        ("submitted", {"answers": []}, 422),
        ("submitted", {"answers": {"remark": "a\0b"}}, 422),
    ],
)
async def test_what_is_wrong_is_refused_by_name(
    house: House, response: str, changes: dict[str, Any], status: int
) -> None:
    await house.views("/", ASSIST)
    form = engagement(await house.polled("leaving", "opinion"), "opinion")
    body = {"visitor": "b1", "writeKey": KEY, "tab": "t1"} | changes
    path = f"/v1/engagements/{form['id']}/{response}"
    async with house.session.post(path, json=body) as answer:
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert (await answer.json(content_type=None))["status"] == status
    async with house.session.post(path, data=b"{") as answer:
        assert answer.status in {400, 404, 415}
    assert "engagement_shown:opinion_form" not in (await house.visitor())["counters"]


async def test_a_beacon_is_taken_and_an_unknown_engagement_is_not(house: House) -> None:
    await house.views("/", ASSIST)
    form = engagement(await house.polled("leaving", "opinion"), "opinion")
    body = json.dumps({"visitor": "b1", "writeKey": KEY, "tab": "t1"})
    path = f"/v1/engagements/{form['id']}/dismissed"
    plain = {"Content-Type": "text/plain;charset=UTF-8"}
    async with house.session.post(path, data=body, headers=plain) as answer:
        assert answer.status == 200
    await house.polled("leaving")
    assert await house.responds("0" * 24, "clicked") == 404


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"visitor": "b1"}, 401),
        ({"visitor": "b1", "writeKey": "another"}, 401),
        ({"writeKey": KEY}, 422),
        ({"visitor": "x" * 513, "writeKey": KEY}, 422),
        ({"visitor": "nobody", "writeKey": KEY, "after": "x.y"}, 200),
        ({"visitor": "a\0b", "writeKey": KEY, "after": "9" * 400}, 200),
    ],
)
async def test_who_asks_wrongly_learns_nothing(
    house: House, asked: dict[str, str], status: int
) -> None:
    for headers in ({}, STREAM):
        async with house.session.get("/v1/engagements", params=asked, headers=headers) as answer:
            assert answer.status == status
    async with house.session.head("/v1/engagements", params=asked, headers=STREAM) as answer:
        assert answer.status == status


async def test_an_address_is_no_way_to_what_is_offered_to_its_owner(house: House) -> None:
    await house.views("/", ASSIST)
    await house.call("identify", traits={"email": "ann@example.com"}, userId="ann")
    await house.polled("leaving", "opinion")
    for other in ("ann@example.com", "ann"):
        assert (await house.poll(other))["engagements"] == []


async def test_a_browser_may_ask_from_any_site(house: House) -> None:
    for path in ("/v1/engagements", "/v1/engagements/e1/shown"):
        async with house.session.options(path) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_too_many_streams_are_sent_to_the_poll_and_all_end_at_the_drain() -> None:
    database = MemoryDatabase()
    async with a_house(MemoryStore(database), MemoryJournal(database), streams_max=1) as house:
        async with a_stream(house) as stream:
            asked = {"visitor": "b2", "writeKey": KEY}
            async with house.session.get("/v1/engagements", params=asked, headers=STREAM) as answer:
                assert answer.status == 503
                assert "Retry-After" in answer.headers
            assert (await house.poll("b2"))["engagements"] == []
            house.gateway.watch.end()
            async with asyncio.timeout(5.0):
                await stream.read()
        assert len(house.gateway.watch) == 0


async def test_a_quiet_stream_shows_that_it_lives() -> None:
    database = MemoryDatabase()
    made = a_house(MemoryStore(database), MemoryJournal(database), heartbeat_seconds=0.02)
    async with made as house, a_stream(house) as stream, asyncio.timeout(5.0):
        assert await stream.readuntil(b"\n\n") == b"retry: 3000\n\n"
        assert await stream.readuntil(b"\n\n") == b": still here\n\n"


async def test_a_browser_that_leaves_its_stream_is_no_fault() -> None:
    database = MemoryDatabase()
    made = a_house(MemoryStore(database), MemoryJournal(database), heartbeat_seconds=0.02)
    async with made as house, asyncio.timeout(5.0):
        with capture_logs() as logged:
            async with a_stream(house) as stream:
                await stream.readuntil(b"\n\n")
            while len(house.gateway.watch):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
    assert [line["event"] for line in logged if line["log_level"] != "debug"] == []
