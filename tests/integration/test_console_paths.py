"""Pause and archive a path at its diagram: an editor does, a viewer cannot."""

from __future__ import annotations

from tests.console_builders import a_console, form_key, lived_in, log_in

PAGE = "/console/routines/lead-to-customer"


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
