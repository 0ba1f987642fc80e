"""The gateway's side of engagements when what is behind it fails, is slow, or is in the way of others."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from messaging.gateway.limits import Limits
from messaging.gateway.readers import Offers, OpenOffer
from messaging.gateway.watch import Watch
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.errors import Unavailable
from tests.gateway_builders import KEY, NOON, FailingJournal, StillClock, a_site, until

ASKED = {"visitor": "b1", "writeKey": KEY}
STREAM = {"Accept": "text/event-stream"}


def an_offer(id_: str = "e1", number: int = 1, tab: str = "") -> OpenOffer:
    """Return an offer that stands open."""
    later = NOON + timedelta(minutes=5)
    content = {"title": "T", "text": "x"}
    return OpenOffer(id_, "notice_bar", "now", "bar", content, later, number, tab)


class Reader:
    """Hold offers; fail as often as told, and count the looks."""

    def __init__(self, *offers: OpenOffer, failing: int = 0) -> None:
        self.found = Offers("0a" * 12, len(offers), list(offers), [])
        self.failing = failing
        self.asked: list[list[str]] = []

    async def offers(self, anonymous_ids: list[str]) -> dict[str, Offers]:
        self.asked.append(anonymous_ids)
        if self.failing:
            self.failing -= 1
            raise Unavailable("no store")
        return dict.fromkeys(anonymous_ids, self.found)


async def shown(session: Any, tab: str = "t1") -> int:
    """Ask whether a tab may show the offer."""
    body = ASKED | {"tab": tab}
    async with session.post("/v1/engagements/e1/shown", json=body) as answer:
        if answer.status == 503:
            assert "Retry-After" in answer.headers
        return int(answer.status)


async def test_a_store_that_does_not_answer_is_a_503_for_who_polls() -> None:
    async with a_site(offers=Reader(failing=2)) as (session, _):
        for _ in range(2):
            async with session.get("/v1/engagements", params=ASKED) as answer:
                assert answer.status == 503
        async with session.get("/v1/engagements", params=ASKED) as answer:
            assert answer.status == 200


async def test_a_stream_outlives_looks_that_fail() -> None:
    reader = Reader(an_offer(), failing=3)
    limits = Limits(look_seconds=0.01, drain_seconds_max=1.0)
    async with (
        a_site(offers=reader, limits=limits) as (session, _),
        session.get("/v1/engagements", params=ASKED, headers=STREAM) as answer,
        asyncio.timeout(5.0),
    ):
        await answer.content.readuntil(b"event: engagement\n")
        assert len(reader.asked) >= 4


async def test_nothing_is_shown_that_is_not_durable() -> None:
    journal = FailingJournal(MemoryDatabase(), before=1_000)
    async with a_site(offers=Reader(an_offer()), journal=journal) as (session, _):
        assert await shown(session) == 503
        journal.before = 0
        assert await shown(session) == 200


async def test_who_was_second_is_told_when_it_is_known_who_was_first() -> None:
    reader = Reader(an_offer())
    async with a_site(offers=reader) as (session, gateway):
        assert await shown(session, "t1") == 200
        assert await shown(session, "t1") == 503, "nobody knows yet whose it is"
        reader.found.open[0].tab = "t1"
        assert await shown(session, "t1") == 200
        assert await shown(session, "t2") == 409
        assert gateway.metrics.total("taken") == 1


async def test_nobody_connected_nothing_asked_and_all_are_one_question() -> None:
    reader = Reader(an_offer())
    watch = Watch(reader, StillClock(), Limits(look_seconds=0.01, look_visitors_max=3))
    watch.start()
    await asyncio.sleep(0.05)
    assert reader.asked == []
    with watch.stream("b1"), watch.stream("b1"), watch.stream("b2") as stream:
        assert await stream.changed(5.0)
        assert sorted(reader.asked[0]) == ["b1", "b2"]
        with watch.stream("b3"), watch.stream("b4"):
            await until(lambda: {len(asked) for asked in reader.asked} >= {1, 2, 3})
    await watch.stop()
    assert len(watch) == 0


async def test_a_stream_is_woken_by_what_is_new_alone() -> None:
    reader = Reader(an_offer())
    watch = Watch(reader, StillClock(), Limits(look_seconds=0.01))
    watch.start()
    with watch.stream("b1") as stream:
        assert await stream.changed(5.0)
        assert not await stream.changed(0.05)
        reader.found = Offers("0a" * 12, 2, [an_offer(), an_offer("e2", 2)], [])
        assert await stream.changed(5.0)
        assert stream.offers is reader.found
    await watch.stop()
