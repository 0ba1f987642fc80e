"""Let people onto a path over a real socket: who gets in, who is not known, and that a repeat changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from config.load import DEFAULTS, read_folder
from messaging.gateway.limits import ENTERING_MAX
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.events import EntryAsked, decode_event
from scripts.rulebook import StoredRulebook
from scripts.rules import publish, push_files
from tests.gateway_builders import ADMIN, NOON, a_site

ANN = "0a" * 12
FILE = "paths/lead-to-customer.yaml"


async def a_store(entry: str = "api: true", reentry: str = "never") -> MemoryDatabase:
    """Return a database in which a version with this entry is published."""
    database = MemoryDatabase()
    files = read_folder(DEFAULTS)
    path = files[FILE].replace("cohort: addressable-lead", entry, 1)
    files[FILE] = path.replace("reentry: never", f"reentry: {reentry}", 1)
    store = MemoryStore(database)
    version, _ = await push_files(store, files, by="kim", at=NOON)
    assert await publish(store, version, by="kim", at=NOON)
    return database


async def enter(database: MemoryDatabase, body: Any, *, status: int = 200, path: str = "") -> Any:
    """Call the API."""
    book = StoredRulebook(MemoryStore(database))
    async with a_site(database=database, rulebook=book) as (session, _):
        url = f"/api/v1/paths/{path or 'lead-to-customer'}/enter"
        async with session.post(url, headers=ADMIN, json=body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json(content_type=None)


def journaled(database: MemoryDatabase) -> list[EntryAsked]:
    """Return the entries in the journal."""
    events = [decode_event(each.raw) for stream in database.streams for each in stream]
    return [each for each in events if isinstance(each, EntryAsked)]


async def test_people_are_let_in_once_for_one_request_and_strangers_are_named() -> None:
    database = await a_store()
    body = {"people": ["ann", "ann@example.com", "bob"], "request": "r1"}
    assert await enter(database, body) == {"let_in": 1, "before": 0, "unknown": ["bob"]}
    assert await enter(database, body) == {"let_in": 0, "before": 1, "unknown": ["bob"]}
    assert (await enter(database, body | {"request": "r2"}))["let_in"] == 1
    assert [(e.visitor, e.path, e.key) for e in journaled(database)] == [
        (ANN, "lead-to-customer", "")
    ] * 2
    log = list(database.tables["audit_log"].values())
    assert [(row["act"], row["of"], row["said"]) for row in log] == [
        ("path.entered", "lead-to-customer", "1 of 3 people")
    ] * 2


async def test_a_keyed_path_takes_a_key_and_no_other_does() -> None:
    keyed = await a_store("event: Club Joined\n  api: true", "keyed\nkey: order_id")
    body = {"people": ["ann"], "request": "r1"}
    assert (await enter(keyed, body, status=422))["field"] == "key"
    assert (await enter(keyed, body | {"key": "o1"}))["let_in"] == 1
    assert (await enter(keyed, body | {"key": "o2"}))["let_in"] == 1
    assert [each.key for each in journaled(keyed)] == ["o1", "o2"]
    plain = await a_store()
    assert (await enter(plain, body | {"key": "o1"}, status=422))["field"] == "key"


async def test_a_path_that_is_not_open_or_not_there_says_so() -> None:
    closed = await a_store("cohort: addressable-lead")
    body = {"people": ["ann"], "request": "r1"}
    assert "add `api: true`" in (await enter(closed, body, status=409))["detail"]
    await enter(closed, body, status=404, path="nowhere")
    assert journaled(closed) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"people": ["ann"]},
        {"people": [], "request": "r"},
        {"people": ["ann"], "request": ""},
        {"people": [7], "request": "r"},
        {"people": ["a\x00b"], "request": "r"},
        {"people": ["x" * 513], "request": "r"},
        {"people": ["x"] * (ENTERING_MAX + 1), "request": "r"},
        {"people": ["ann"], "request": "r", "keey": "o1"},
        [],
        "ann",
    ],
)
async def test_what_cannot_be_read_is_a_400_or_422(body: Any) -> None:
    database = await a_store()
    book = StoredRulebook(MemoryStore(database))
    async with a_site(database=database, rulebook=book) as (session, _):
        url = "/api/v1/paths/lead-to-customer/enter"
        async with session.post(url, headers=ADMIN, json=body) as answer:
            assert answer.status in (400, 422), await answer.text()
    assert journaled(database) == []
