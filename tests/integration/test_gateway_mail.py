"""Opens, clicks and unsubscribes over a real socket."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from messaging.gateway.limits import Limits
from messaging.mail.tokens import (
    ClickToken,
    ConfirmToken,
    OpenToken,
    UnsubscribeToken,
    mailbox_hash,
    sign,
    verify_browser_tag,
)
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.events import (
    AddressConfirmed,
    MailClicked,
    MailOpened,
    Unsubscribed,
    decode_event,
)
from messaging.vocabulary.ids import partition_of, send_id, visitor_id_for
from tests.gateway_builders import NOON, SECRET, FailingJournal, a_site

VISITOR = visitor_id_for("u:1")
SEND = send_id(VISITOR, "path", "1", "step", 1)
MAILBOX = mailbox_hash(SECRET, "ann@example.com")
URL = "https://shop.example/sale?a=b#top"

OPEN = sign(SECRET, OpenToken(VISITOR, SEND))
CLICK = sign(SECRET, ClickToken(VISITOR, SEND, URL, NOON + timedelta(days=30)))
LEAVE = sign(SECRET, UnsubscribeToken(VISITOR, SEND, MAILBOX))
CONFIRM = sign(SECRET, ConfirmToken(VISITOR, SEND, MAILBOX))


async def test_a_pixel_tells_of_an_open_with_agent_and_method() -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        headers = {"User-Agent": "Mail/1.0 \xe9"}
        async with session.get(f"/o/{OPEN}.gif", headers=headers) as answer:
            assert answer.status == 200
            assert answer.content_type == "image/gif"
            assert "no-store" in answer.headers["Cache-Control"]
            assert (await answer.read()).startswith(b"GIF89a")
        async with session.head(f"/o/{OPEN}.gif") as answer:
            assert answer.status == 200
    first, second = (decode_event(record.raw) for record in database.streams[0])
    assert isinstance(first, MailOpened)
    assert (first.visitor, first.send_id, first.method) == (VISITOR, SEND, "GET")
    assert first.user_agent.startswith("Mail/1.0")
    assert second.method == "HEAD"
    assert {r.partition for r in database.streams[0]} == {partition_of(VISITOR)}


async def test_a_click_leads_on_with_a_tag_for_the_browser() -> None:
    database = MemoryDatabase()
    async with (
        a_site(database=database) as (session, _),
        session.get(f"/c/{CLICK}", allow_redirects=False) as answer,
    ):
        assert answer.status == 302
        to = urlsplit(answer.headers["Location"])
    assert (to.scheme, to.netloc, to.path, to.fragment) == ("https", "shop.example", "/sale", "top")
    query = parse_qs(to.query)
    assert query["a"] == ["b"]
    assert verify_browser_tag(SECRET, query["mdma_v"][0], NOON) == VISITOR
    [record] = database.streams[0]
    event = decode_event(record.raw)
    assert isinstance(event, MailClicked)
    assert (event.link, event.send_id) == (URL, SEND)


@pytest.mark.parametrize(
    "path",
    [
        f"/c/{CLICK[:-1]}",
        f"/c/{sign(b'another', ClickToken(VISITOR, SEND, URL, NOON))}",
        f"/c/{OPEN}",
        f"/u/{CLICK}",
        "/c/https%3A%2F%2Fevil.example",
        f"/o/{CLICK}.gif",
        "/o/x.gif",
        "/u/%00",
        f"/confirm/{LEAVE}",
        f"/u/{CONFIRM}",
    ],
)
async def test_a_forged_link_leads_nowhere_and_tells_nothing(path: str) -> None:
    database = MemoryDatabase()
    async with (
        a_site(database=database) as (session, _),
        session.get(path, allow_redirects=False) as answer,
    ):
        assert answer.status == 404
        assert "Location" not in answer.headers
    assert not any(database.streams)


async def test_looking_at_the_preference_page_changes_nothing() -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _), session.get(f"/u/{LEAVE}") as answer:
        html = await answer.text()
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert '<html lang="en">' in html
    assert "<title>" in html
    assert '<form method="post"><button type="submit">' in html
    assert not database.suppressed
    assert not any(database.streams)


async def test_one_click_suppresses_before_it_answers_and_journals_once() -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        for _ in range(2):  # providers repeat
            body = "List-Unsubscribe=One-Click"
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            async with session.post(f"/u/{LEAVE}", data=body, headers=headers) as answer:
                assert answer.status == 200
                assert MAILBOX in database.suppressed
    [record] = database.streams[0]
    assert decode_event(record.raw) == Unsubscribed(visitor=VISITOR, send_id=SEND, mailbox=MAILBOX)


async def test_an_unsubscribe_that_cannot_be_kept_is_not_answered_with_200() -> None:
    class DeafStore(MemoryStore):
        async def suppress(self, mailbox, reason, at):
            raise Unavailable("no store")

    async with (
        a_site(store=DeafStore(MemoryDatabase())) as (session, _),
        session.post(f"/u/{LEAVE}") as answer,
    ):
        assert answer.status == 503
        assert "Retry-After" in answer.headers


async def test_a_click_that_cannot_be_journaled_is_tried_again_by_the_browser() -> None:
    journal = FailingJournal(MemoryDatabase(), before=1000)
    limits = Limits(append_seconds_max=0.05, drain_seconds_max=0.1)
    async with (
        a_site(journal=journal, limits=limits) as (session, _),
        session.get(f"/c/{CLICK}", allow_redirects=False) as answer,
    ):
        assert answer.status == 503
        assert 'http-equiv="refresh"' in await answer.text()


async def test_an_address_is_confirmed_by_the_button_and_not_by_looking() -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        async with session.get(f"/confirm/{CONFIRM}") as answer:
            assert answer.status == 200
            assert '<form method="post"><button type="submit">' in await answer.text()
        assert not any(database.streams)
        for _ in range(2):  # a double click
            async with session.post(f"/confirm/{CONFIRM}") as answer:
                assert answer.status == 200
    [record] = database.streams[0]
    said = AddressConfirmed(visitor=VISITOR, send_id=SEND, mailbox=MAILBOX)
    assert decode_event(record.raw) == said


async def test_who_agrees_again_later_may_confirm_by_the_same_link() -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, gateway):
        for _ in range(2):
            async with session.post(f"/confirm/{CONFIRM}") as answer:
                assert answer.status == 200
            gateway.deps.clock.world += timedelta(minutes=1)
    assert len(database.streams[0]) == 2


async def test_a_confirmation_that_cannot_be_kept_is_not_answered_with_200() -> None:
    journal = FailingJournal(MemoryDatabase(), before=1000)
    limits = Limits(append_seconds_max=0.05, drain_seconds_max=0.1)
    async with (
        a_site(journal=journal, limits=limits) as (session, _),
        session.post(f"/confirm/{CONFIRM}") as answer,
    ):
        assert answer.status == 503
        assert "Retry-After" in answer.headers
