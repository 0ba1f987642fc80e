"""The public Segment library for Python, unchanged, only its host set, against a gateway on a free port."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from segment.analytics.client import Client

from messaging.gateway.limits import Limits
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.events import Identify, PageViewed, Track, decode_event
from tests.gateway_builders import KEY, FailingJournal, StillClock, a_site


def _client(session: Any, errors: list[Any], **settings: Any) -> Client:
    return Client(
        KEY,
        host=str(session._base_url).rstrip("/"),
        on_error=lambda error, items: errors.append(error),
        upload_interval=0.05,
        max_retries=5,
        **settings,
    )


def _end(client: Client) -> None:
    client.flush()
    client.join()


async def test_every_call_of_the_library_arrives_once_with_gzip_or_without() -> None:
    logging.getLogger("segment").setLevel(logging.CRITICAL)
    now = datetime.now(UTC)
    for packed in (True, False):
        database, errors = MemoryDatabase(), []
        async with a_site(
            database=database, clock=StillClock(now), wall_now=lambda: datetime.now(UTC)
        ) as (session, _):
            client = _client(session, errors, gzip=packed, upload_size=7)

            def drive(client: Client = client) -> None:
                client.identify("u1", {"email": "ann@example.com", "name": "Ann \u00e9 \U0001f600"})
                client.alias("anonymous", "u1")
                client.group("u1", "g1", {"name": "Group"})
                client.screen("u1", "Cat", "Home")
                client.page("u1", "Cat", "Home", {"url": "https://x.example/"})
                for number in range(95):
                    client.track("u1", "Viewed", {"number": number, "at": now})
                _end(client)

            await asyncio.to_thread(drive)
        assert not errors
        events = [decode_event(record.raw) for record in database.streams[0]]
        assert len(events) == 100
        assert sum(isinstance(event, Track) for event in events) == 95
        [identify] = [event for event in events if isinstance(event, Identify)]
        assert identify.traits["name"] == "Ann \u00e9 \U0001f600"
        [page] = [event for event in events if isinstance(event, PageViewed)]
        assert page.name == "Home"
        assert {event.message_id for event in events} == {r.message_id for r in database.streams[0]}
        assert all((now - record.at).total_seconds() < 30 for record in database.streams[0])


async def test_the_librarys_retries_lose_and_double_nothing_while_the_journal_fails() -> None:
    logging.getLogger("segment").setLevel(logging.CRITICAL)
    database, errors = MemoryDatabase(), []
    journal = FailingJournal(database, after=2)  # written, but without an answer
    limits = Limits(append_seconds_max=0.0, drain_seconds_max=1.0)
    async with a_site(journal=journal, limits=limits) as (session, _):
        client = _client(session, errors, gzip=True, upload_size=20)

        def drive() -> None:
            for number in range(60):
                client.track(f"u{number}", "Viewed")
            _end(client)

        await asyncio.to_thread(drive)
    assert not errors
    ids = [record.message_id for stream in database.streams for record in stream]
    assert len(ids) == len(set(ids)) == 60
    assert len(database.streams) == 3, "each insert without an answer ends its stream"
