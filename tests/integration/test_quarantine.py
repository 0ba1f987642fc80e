"""The quarantine over the API, the console and the command line: what is shown, what is refused, who did it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.events import LetterReplayed, decode_event
from messaging.vocabulary.letters import decode_letters
from messaging.vocabulary.messages import HandOverDue
from tests.console_builders import a_console, form_key, lived_in, log_in
from tests.gateway_builders import ADMIN, NOON, a_site
from tests.integration.test_cli_json import _is_system, _mdma, _run
from tests.quarantine_builders import a_message, put_aside

ANN = "0a" * 12


class Knows:
    """Find the visitors that it was given."""

    def __init__(self, *visitors: str) -> None:
        self._visitors = visitors

    async def find(self, id_: str) -> str | None:
        return id_ if id_ in self._visitors else None


async def ask(session: Any, path: str, status: int = 200, method: str = "GET") -> Any:
    async with session.request(method, f"/api/v1/quarantine{path}", headers=ADMIN) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json(content_type=None)


async def test_what_is_set_aside_is_paged_newest_first_and_shows_no_bytes() -> None:
    database = MemoryDatabase()
    store = MemoryStore(database)
    ids = [await put_aside(store, ANN, NOON.replace(minute=n), n) for n in range(5)]
    await put_aside(store, "0b" * 12, NOON, 9, bot="sales", status="dropped", by="kim")
    async with a_site(database=database) as (session, _):
        seen, after = [], ""
        while after is not None:
            page = await ask(session, f"?status=open&limit=2&after={after.replace('+', '%2B')}")
            seen += [row["id"] for row in page["quarantine"]]
            after = page["after"]
        assert seen == ids[::-1]
        assert len((await ask(session, ""))["quarantine"]) == 6
        [sold] = (await ask(session, "?bot=sales"))["quarantine"]
        assert (sold["status"], sold["by"]) == ("dropped", "kim")
        row = await ask(session, f"/{ids[0]}")
        assert set(row) == {
            "as_of", "id", "at", "bot", "shard", "kind", "reason", "visitor", "status", "by", "settled_at", "again"
        }  # fmt: skip
        for path in ("/none", "/none/replay", "/none/drop"):
            problem = await ask(session, path, 404, "POST" if path.count("/") > 1 else "GET")
            assert problem["detail"].startswith("nothing of this id is set aside")


async def test_what_is_set_aside_of_a_visitor_is_found_by_any_id_and_of_who_was_merged_too() -> (
    None
):
    database = MemoryDatabase()
    store = MemoryStore(database)
    of = [ANN, "0b" * 12, "0c" * 12]
    ids = [await put_aside(store, of[n], NOON.replace(minute=n), n) for n in range(3)]
    async with a_site(database=database) as (session, _):
        found = {
            who: [row["id"] for row in (await ask(session, f"?visitor={who}"))["quarantine"]]
            for who in ("ann", ANN, "0c" * 12, "bob")
        }
    assert found == {"ann": [ids[1], ids[0]], ANN: [ids[1], ids[0]], "0c" * 12: [ids[2]], "bob": []}


async def test_a_replay_is_journaled_once_with_what_the_bot_could_not_take() -> None:
    database = MemoryDatabase()
    store = MemoryStore(database)
    id_ = await put_aside(store, ANN, NOON)
    async with a_site(database=database, reader=Knows(ANN)) as (session, _):
        row = await ask(session, f"/{id_}/replay", method="POST")
        assert (row["status"], row["by"]) == ("open", "admin"), "no bot runs here that takes it"
        problem = await ask(session, f"/{id_}/replay", 409, "POST")
        assert problem["detail"] == "this is being replayed"
        problem = await ask(session, f"/{id_}/drop", 409, "POST")
        assert problem["detail"].startswith("this is being replayed, by admin; if it stays so")
        [record] = [record for stream in database.streams for record in stream]
        fact = decode_event(record.raw)
        assert isinstance(fact, LetterReplayed)
        assert (fact.visitor, fact.row, fact.bot) == (ANN, id_, "behavior")
        [letter] = decode_letters(fact.body)
        assert letter.message == a_message(ANN, NOON)
        [noted] = await store.rows("audit_log", {"act": "quarantine.replayed"})
        assert (noted["by"], noted["of"], noted["visitor"]) == ("admin", id_, ANN)
        assert noted["said"] == "ProfileSeen for behavior"


class Slow(MemoryStore):
    """Give a document as it was a moment ago."""

    async def get_document(self, collection: str, key: str) -> dict[str, Any] | None:
        """Return a document; meanwhile others write it."""
        found = await super().get_document(collection, key)
        await asyncio.sleep(0.01)
        return found


@pytest.mark.parametrize("orders", [("replay", "drop", "drop"), ("drop", "replay", "replay")])
async def test_of_those_who_decide_at_once_one_is_first(orders: tuple[str, ...]) -> None:
    """All of them have seen that it is open; it is never both dropped and journaled."""
    database = MemoryDatabase()
    store = Slow(database)
    id_ = await put_aside(store, ANN, NOON)
    async with a_site(database=database, store=store, reader=Knows(ANN)) as (session, _):

        async def order(action: str) -> int:
            path = f"/api/v1/quarantine/{id_}/{action}"
            async with session.post(path, headers=ADMIN) as answer:
                return int(answer.status)

        told = await asyncio.gather(*(order(action) for action in orders))
        assert sorted(told) == [200, 409, 409]
        journaled = sum(len(stream) for stream in database.streams)
        row = await ask(session, f"/{id_}")
        assert (row["status"], journaled) in (("open", 1), ("dropped", 0))
        assert len(await store.rows("audit_log", {})) == 1


async def test_what_cannot_be_replayed_says_why_and_is_journaled_nowhere() -> None:
    database = MemoryDatabase()
    store = MemoryStore(database)
    erased = await put_aside(store, ANN, NOON, 1)
    due = await put_aside(store, ANN, NOON, 2, HandOverDue(ANN, NOON, "s1"), bot="email")
    elsewhere = await put_aside(store, ANN, NOON, 4, bot="social")
    gone = await put_aside(store, "", NOON, 3, kind="Record", body=b"{}", stream="journal:1")
    bots = frozenset({"behavior", "email"})
    async with a_site(database=database, reader=Knows(), bots=bots) as (session, _):
        for id_, why in (
            (elsewhere, "social does not run"),
            (erased, "erased"),
            (due, "waits in the ledger"),
            (gone, "was erased"),
        ):
            assert why in (await ask(session, f"/{id_}/replay", 409, "POST"))["detail"]
            assert (await ask(session, f"/{id_}"))["by"] == ""
        assert not any(database.streams)
        assert (await ask(session, f"/{due}/drop", method="POST"))["status"] == "dropped"
        [noted] = await store.rows("audit_log", {"act": "quarantine.dropped"})
        assert noted["of"] == due


async def test_an_event_that_can_still_not_be_read_is_not_journaled_again() -> None:
    database = MemoryDatabase()
    async with a_site(database=database, reader=Knows()) as (session, gateway):
        await gateway.journal_fact(LetterReplayed(visitor=ANN, row="r", bot="sales", body=b""))
        record = database.streams[0][0]
        record.raw = b'{"type": "page", "properties": 7}'
        place = {"stream": "journal:1", "position": record.position}
        store = MemoryStore(database)
        id_ = await put_aside(store, "", NOON, kind="Record", body=record.raw, **place)
        problem = await ask(session, f"/{id_}/replay", 409, "POST")
        assert "$.properties" in problem["detail"]
        assert len(database.streams[0]) == 1
        record.raw = b'{"type": "page", "userId": "1"}'
        await ask(session, f"/{id_}/replay", method="POST")
        first, again = database.streams[0]
        assert (again.raw, again.at, again.first_id) == (first.raw, first.at, first.first_id)


async def test_the_console_shows_it_and_an_editor_decides() -> None:
    store, now = await lived_in()
    [visitor] = await store.visitors("behavior", "", 1)
    first, second = [await put_aside(store, visitor, now, position) for position in (1, 2)]
    async with a_console(store, now) as (session, _):
        await log_in(session, "vic")
        async with session.get("/console/system") as answer:
            html = await answer.text()
        assert "Behavior could not take what it was told" in html
        assert "/drop" not in html, "a viewer decides nothing"
        async with session.get(f"/console/visitors/{visitor}") as answer:
            story = await answer.text()
        assert "it was set aside: the program failed at it" in story
        assert "of ann@example.com" not in story
        await log_in(session)
        async with session.get("/console/system") as answer:
            html = await answer.text()
        assert html.count("/drop") == html.count("/replay") == 2
        key = {"form_key": await form_key(session)}
        for path, form, status in (
            (f"{first}/drop", {}, 403),
            (f"{first}/drop", key, 303),
            (f"{first}/drop", key, 409),
            (f"{second}/replay", key, 303),
            (f"{second}/dance", key, 404),
            ("none/replay", key, 404),
        ):
            path = f"/console/system/quarantine/{path}"  # noqa: PLW2901 - its whole address
            async with session.post(path, data=form, allow_redirects=False) as answer:
                assert answer.status == status, (path, await answer.text())
        async with session.get("/console/system?said=aside-dropped") as answer:
            html = await answer.text()
        assert "Dropped: it never counts." in html
        assert f"q-{first}" not in html
        assert "is being replayed" in html
        rows = await store.rows("audit_log", {})
        assert {("kim", "quarantine.dropped"), ("kim", "quarantine.replayed")} <= {
            (row["by"], row["act"]) for row in rows
        }


async def test_the_command_lists_replays_and_drops(tmp_path: Path) -> None:
    database = MemoryDatabase()
    store = MemoryStore(database)
    first, second = [await put_aside(store, ANN, NOON, n, by=by) for n, by in ((1, ""), (2, ""))]
    async with a_site(database=database, reader=Knows(ANN)) as (session, _):
        _is_system(tmp_path / ".mdma", url=str(session._base_url).rstrip("/"))
        told = partial(asyncio.to_thread, _mdma, cwd=tmp_path)
        run = partial(asyncio.to_thread, _run, cwd=tmp_path)
        listed = await told("quarantine")
        assert {row["id"] for row in listed["quarantine"]} == {first, second}
        said = (await run("quarantine")).stdout
        assert f"{first}  open" in said
        assert f"ProfileSeen for Behavior, about visitor {ANN}" in said
        assert (await told("quarantine", "drop", first))["status"] == "dropped"
        assert (await told("quarantine", "replay", second))["by"] == "admin"
        assert f"{second}  being replayed by admin" in (await run("quarantine")).stdout
        again = await run("quarantine", "replay", first)
        assert (again.returncode, "this was dropped already" in again.stderr) == (1, True)
        dropped = await told("quarantine", "--status", "dropped")
        assert [row["id"] for row in dropped["quarantine"]] == [first]
        for words in ((), ("replay",), ("drop",)):
            assert "Example: mdma quarantine" in (await run("quarantine", *words, "--help")).stdout


@pytest.mark.parametrize("path", ["%00/replay", "%00/drop", "x" * 600 + "/replay"])
async def test_what_can_be_no_id_is_a_400(path: str) -> None:
    async with a_site() as (session, _):
        await ask(session, f"/{path}", 400, "POST")
