"""Pause and archive a path at its diagram: an editor does, a viewer cannot."""

from __future__ import annotations

from typing import Any

from config.load import DEFAULTS, read_folder
from messaging.ports import Store
from scripts.rules import publish, push_files
from tests.console_builders import a_console, form_key, lived_in, log_in
from tests.gateway_builders import ADMIN, NOON

PATH = "lead-to-customer"
PAGE = f"/console/routines/{PATH}"


async def _routines(session: Any) -> Any:
    async with session.get("/api/v1/routines", headers=ADMIN) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_the_api_lists_the_routines_with_the_people_at_each_stage() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        told = await _routines(session)
        assert told["version"] == 1
        [line] = told["routines"]
        async with session.get(f"/api/v1/routines/{PATH}", headers=ADMIN) as answer:
            whole = (await answer.json())["routine"]
        for name in ("name", "title", "version", "is_published", "is_flow", "entered", "older"):
            assert line[name] == whole[name], name
        counts = ("name", "reached", "going", "calls", "won", "over")
        assert line["stages"] == [{name: each[name] for name in counts} for each in whole["stages"]]
        assert sum(each["won"] for each in line["stages"]) > 0, "the world brings customers"
        assert (line["is_paused"], line["is_archived"]) == (False, False)
        async with session.get("/api/v1/routines?path=x", headers=ADMIN) as answer:
            assert answer.status == 422
        async with session.get("/api/v1/routines") as answer:
            assert answer.status == 401


async def test_the_list_of_routines_says_which_are_held() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        for address in ("pause", f"paths/{PATH}/archive"):
            async with session.post(f"/api/v1/{address}", headers=ADMIN) as answer:
                assert answer.status == 200
        [line] = (await _routines(session))["routines"]
        assert (line["is_paused"], line["is_archived"]) == (True, True)
        for address, body in (("resume", {}), ("pause", {"path": PATH})):
            async with session.post(f"/api/v1/{address}", headers=ADMIN, json=body) as answer:
                assert answer.status == 200
        assert (await _routines(session))["routines"][0]["is_paused"]


async def test_a_path_that_only_an_older_version_has_is_listed_by_it() -> None:
    store: Store
    store, now = await lived_in()
    files = read_folder(DEFAULTS)
    files["paths/other.yaml"] = files.pop(f"paths/{PATH}.yaml")
    assert await push_files(store, files, at=NOON, by="kim") == (2, True)
    assert await publish(store, 2, at=NOON, by="kim")
    async with a_console(store, now) as (session, _):
        told = await _routines(session)
        shown = [(each["name"], each["version"], each["is_published"]) for each in told["routines"]]
        assert (told["version"], shown) == (2, [("other", 2, True), (PATH, 1, False)])
        standing = sum(each["going"] + each["calls"] for each in told["routines"][1]["stages"])
        assert standing == told["routines"][1]["older"][0]["people"]


async def test_without_a_published_version_there_are_no_routines() -> None:
    async with a_console() as (session, _):
        told = await _routines(session)
        assert (told["version"], told["routines"]) == (0, [])


async def test_an_editor_pauses_and_archives_a_path_and_lets_it_go_on() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        form = {"form_key": await form_key(session)}
        for action, says, button in (
            ("pause", "Paused: nothing is planned", "Resume this path"),
            ("archive", "Archived: nobody is let onto it", "Let people in again"),
        ):
            async with session.post(f"{PAGE}/{action}", data=form) as answer:
                html = await answer.text()
                assert answer.status == 200, html
            assert says in html
            assert button in html
        held = await store.get_document("control", "pause")
        assert held is not None
        assert (held["paths"], held["archived"]) == (["lead-to-customer"], ["lead-to-customer"])
        # One path is paused: everything can still be paused from every page, and nobody resumes that one by it.
        assert "Paused: lead-to-customer" in html
        assert 'action="/console/pause"' in html
        assert 'action="/console/resume"' not in html
        for action in ("resume", "unarchive"):
            async with session.post(f"{PAGE}/{action}", data=form) as answer:
                html = await answer.text()
        assert "Pause this path" in html
        assert "Archive this path" in html
        log = await store.rows("audit_log", {"by": "kim"}, limit=10)
        assert {row["act"] for row in log} >= {"path.archived", "path.unarchived"}
        for action, status in (("burn", 404), ("unarchive", 409)):
            async with session.post(f"{PAGE}/{action}", data=form) as answer:
                assert answer.status == status


async def test_a_viewer_sees_no_button_and_cannot_press_it() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session, user="vic")
        async with session.get(PAGE) as answer:
            assert "Pause this path" not in await answer.text()
        form = {"form_key": await form_key(session)}
        async with session.post(f"{PAGE}/pause", data=form) as answer:
            assert answer.status == 403
        assert await store.get_document("control", "pause") is None
