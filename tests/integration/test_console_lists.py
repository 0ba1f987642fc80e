"""Static lists from the console: shown, people put on and taken off; who was not taken is named."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest

from agents.runtime.readers import StoreReader
from messaging.gateway.console.members import AT_ONCE_MAX, people_of
from messaging.gateway.problems import ProblemError
from messaging.ports import Store
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.events import Listed, decode_event
from tests.console_builders import a_console, form_key, lived_in, log_in
from tests.gateway_builders import NOON

BASE = "/console/lists"
BASIS = "customers of 2026, contract"


async def _post(session, status: int = 303, **fields: str) -> str:
    """Send the form; return where it leads, or the page."""
    form = {"form_key": await form_key(session), **fields}
    async with session.post(BASE, data=form, allow_redirects=False) as answer:
        said = await answer.text()
        assert answer.status == status, said
        return unescape(answer.headers.get("Location", said))


async def _get(session, path: str = "", status: int = 200) -> str:
    async with session.get(f"{BASE}{path}") as answer:
        said = await answer.text()
        assert answer.status == status, said
        return said


def _calls(database: MemoryDatabase) -> list[Listed]:
    events = [decode_event(each.raw) for stream in database.streams for each in stream]
    return [each for each in events if isinstance(each, Listed)]


async def test_people_are_put_on_a_list_once_however_often_the_form_is_sent() -> None:
    database = MemoryDatabase()
    store = MemoryStore(database)
    async with a_console(store, NOON, database=database) as (session, _):
        await log_in(session)
        form = {"name": "vip", "action": "add", "people": "ann@example.com\nu7, u7", "basis": BASIS}
        for _ in range(2):
            led = await _post(session, request="r1", **form)
            assert led == f"{BASE}/vip?said=list-added"
    first, second = _calls(database)
    assert (first.lists, first.traits) == ({"vip": True}, {"email": "ann@example.com"})
    assert second.user_id == "u7"
    assert first.context is not None
    assert first.context.consent is not None
    acts = [(row["act"], row["by"]) for row in database.tables["audit_log"].values()]
    assert acts.count(("list.added", "kim")) == 1


async def test_a_list_shows_whom_by_their_address_and_takes_them_off() -> None:
    store, now = await lived_in()
    visitor = next(row["visitor_id"] for row in await _summaries(store) if row["email"])
    row = {"list": "vip", "visitor": visitor, "status": "on", "at": now}
    await store.put_document("list_members", f"vip:{visitor}", row)
    database = MemoryDatabase()
    async with a_console(store, now, database=database) as (session, _):
        await log_in(session)
        assert f'href="{BASE}/vip"' in await _get(session)
        html = await _get(session, "/vip")
        assert "1 person, as of" in html
        assert "@" in html.partition("Who stands on it")[2].partition("</table>")[0]
        assert f'name="people" value="{visitor}"' in html
        await _post(session, name="vip", action="remove", people=visitor)
        await log_in(session, "vic")
        html = await _get(session, "/vip")
        assert "Take off" not in html
        assert "Change it" not in html
        await _post(session, 403, name="vip", action="remove", people=visitor)
    [call] = _calls(database)
    assert call.lists == {"vip": False}
    assert "@" in (call.traits or {}).get("email", "") or call.user_id


async def _summaries(store: Store) -> list[dict[str, Any]]:
    return await StoreReader(store).summaries(await store.visitors("behavior", "", 60))


async def test_who_was_not_taken_stands_on_the_page() -> None:
    database = MemoryDatabase()
    async with a_console(MemoryStore(database), NOON, database=database) as (session, _):
        await log_in(session)
        html = await _post(session, 200, name="vip", action="remove", people="bob@example.com")
        assert "0 were taken off; not so:" in html
        assert "bob@example.com: nobody is known by this" in html
        html = await _post(session, 200, name="vip", action="add", people="u7, <b>@@example.com")
        assert "1 was put on; not so:" in html
        assert "<b>@@example.com: is no address" in html  # this test unescaped the page
    assert len(_calls(database)) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "V I P"}, "A list cannot be called so"),
        ({"name": ""}, "A list cannot be called so"),
        ({"people": " ,;\n"}, "Name somebody by address or user id"),
        ({"people": "a\x01b"}, "neither an address nor a user id"),
        ({"people": "x" * 600}, "neither an address nor a user id"),
        ({"basis": "b" * 201}, "The basis is a text of at most 200 characters"),
    ],
)
async def test_what_cannot_be_is_said_above_the_form_as_it_was_filled_in(
    changes: dict[str, str], says: str
) -> None:
    database = MemoryDatabase()
    form = {"name": "vip", "action": "add", "people": "ann@example.com", "basis": BASIS} | changes
    async with a_console(MemoryStore(database), NOON, database=database) as (session, _):
        await log_in(session)
        html = await _post(session, 422, **form)
        assert says in html
        assert "people" in changes or "ann@example.com</textarea>" in html
        assert "basis" in changes or f'value="{BASIS}"' in html
        await _post(session, 422, **form | {"action": "burn"})
        await _get(session, "/V I P", 404)
    assert not _calls(database)


def test_a_form_takes_so_many_people_and_says_how_more_come() -> None:
    assert len(people_of("\n".join(f"u{n}" for n in range(AT_ONCE_MAX)))) == AT_ONCE_MAX
    with pytest.raises(ProblemError) as refused:
        people_of("\n".join(f"u{n}" for n in range(AT_ONCE_MAX + 1)))
    assert "5,001 people are too many" in refused.value.detail


async def test_more_than_one_call_takes_are_all_put_on() -> None:
    database = MemoryDatabase()
    async with a_console(MemoryStore(database), NOON, database=database) as (session, _):
        await log_in(session)
        people = "\n".join(f"u{n}" for n in range(1_201))
        await _post(session, name="vip", action="add", people=people)
    assert len(_calls(database)) == 1_201


async def test_long_lists_are_paged_through() -> None:
    database = MemoryDatabase()
    rows = {
        f"{name}:{n:03}": {"list": name, "visitor": f"{n:03}", "status": "on", "at": NOON}
        for name in ("vip", *(f"l{n:02}" for n in range(60)))
        for n in range(60 if name == "vip" else 1)
    }
    database.tables["list_members"] = rows
    async with a_console(MemoryStore(database), NOON, database=database) as (session, _):
        await log_in(session)
        html = await _get(session)
        assert "60 people" not in html, "it stands on the second page"
        [older] = [each for each in html.split('"') if each.startswith(f"{BASE}?after=")]
        assert "60 people" in await _get(session, older.removeprefix(BASE))
        html = await _get(session, "/vip")
        assert html.count('<th scope="row">') == 50
        [older] = [each for each in html.split('"') if each.startswith(f"{BASE}/vip?after=")]
        assert (await _get(session, unescape(older).removeprefix(BASE))).count(
            '<th scope="row">'
        ) == 10
