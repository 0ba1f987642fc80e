"""The console in a real Chromium: readable by everyone, usable with the keyboard, alive, and safe.

MDMA_SHOTS=DIR keeps a picture of each page, to be looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.load import DEFAULTS, read_folder
from messaging.gateway.console import passwords
from messaging.gateway.console.users import EDITOR, User, put_user
from scripts.rules import push_files
from tests.browser.test_looks import LOOKS, PHONE
from tests.browser.test_looks import _judge as _judge_view
from tests.browser_console import furnish
from tests.console_builders import PASSWORD, a_console, lived_in

PAGES = {
    "overview": "",
    "alerts": "alerts",
    "visitors": "visitors",
    "lists": "lists",
    "list": "lists/vip",
    "rules": "rules",
    "rules-file": "rules/edit?file=cohorts.yaml",
    "template-file": "rules/edit?file=templates/invite-hello.yaml",
    "rules-version": "rules/versions/1",
    "routine": "routines/lead-to-customer?stage=opened",
    "broadcasts": "broadcasts",
    "broadcast-counted": "broadcasts/{counted}",
    "broadcast": "broadcasts/{sent}",
    "templates": "templates",
    "template": "templates/invite-hello",
    "try": "try",
    "try-done": "try/{try}",
    "try-one": "try/{one}",
    "simulate": "simulate",
    "simulate-done": "simulate/{simulate}",
    "simulate-running": "simulate/{running}",
    "experiments": "experiments",
    "deliverability": "deliverability",
    "learning": "learning",
    "erase": "visitors/{visitor}/erase",
    "system": "system",
    "changes": "changes",
    "problem": "visitors/nobody",
    "nowhere": "nowhere/at/all",
}


KEEN = "  keen:\n    when:\n      known: email\n"
"""A cohort, as the last one of its file."""


def _url(session, path: str = "") -> str:
    return f"{str(session._base_url).rstrip('/')}/console/{path}"


async def _judge(page, name: str, size: dict[str, int], scheme: str) -> None:
    await _judge_view(page, name, size, scheme)
    if folder := os.environ.get("MDMA_SHOTS"):
        path = Path(folder) / f"{name}-{size['width']}-{scheme}.png"
        await page.screenshot(path=path, animations="disabled", full_page=True)


async def _log_in(page, session, user: str = "kim") -> None:
    await page.goto(_url(session))
    await page.get_by_label("User").fill(user)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_role("button", name="Log out").wait_for()


async def _visitor(page, session) -> None:
    await page.goto(_url(session, "alerts"))
    await page.locator('.card h2 a[href*="visitors/"]').first.click()
    await page.get_by_text("The story, newest first").wait_for()


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
async def test_the_console_is_readable_by_everyone(a_context, size, scheme: str) -> None:
    store, now = await lived_in()
    named = await furnish(store, now)
    async with (
        a_console(store, now) as (session, _),
        a_context(
            viewport=size, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
        ) as context,
    ):
        page = await context.new_page()
        await page.goto(_url(session))
        await page.get_by_label("Password").wait_for()
        await _judge(page, "console-login", size, scheme)
        await _log_in(page, session)
        for name, path in PAGES.items():
            await page.goto(_url(session, path.format(**named)))
            await page.wait_for_load_state("load")
            await _judge(page, f"console-{name}", size, scheme)
        await _visitor(page, session)
        await _judge(page, "console-visitor", size, scheme)
        if size == PHONE:
            await page.get_by_role("button", name="Menu").click()
            await page.get_by_role("link", name="System").wait_for()
            await _judge(page, "console-menu", size, scheme)


async def test_a_marketers_way_through_the_pages_by_keyboard_and_mouse(a_context) -> None:
    """Reads, settles an alert, writes a cohort wrong and then right, publishes it, pauses and goes on."""
    store, now = await lived_in()
    async with (
        a_console(store, now) as (session, _),
        a_context(viewport={"width": 1280, "height": 800}) as context,
    ):
        page = await context.new_page()
        refused: list[str] = []
        page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
        await _log_in(page, session)
        refused.clear()  # the form itself is answered 401: there was no session
        await page.get_by_role("heading", name="Who does the work").wait_for()

        await page.get_by_role("link", name="Alerts", exact=True).click()
        open_now = page.get_by_role("link", name="Open (")
        before = await open_now.inner_text()
        await page.get_by_role("button", name="Resume person").first.focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("status").get_by_text("The alert is resumed").wait_for()
        assert before == await open_now.inner_text(), "its bot says so, and none runs here"

        await page.get_by_role("link", name="Rules", exact=True).click()
        await page.get_by_role("link", name="cohorts.yaml").click()
        text = page.get_by_label("Text of the file")
        kept = await text.input_value()
        wrong = kept + "  keen:\n    when:\n      all:\n        - knwon: email\n"
        await text.fill(wrong)
        await page.get_by_role("button", name="Save as a draft").click()
        await page.get_by_role("alert").get_by_text("nothing was saved").wait_for()
        refused.clear()  # the 422 itself
        assert await text.input_value() == wrong
        await page.get_by_role("link", name="Line").first.click()
        chosen = "(() => { const t = document.getElementById('text');"
        chosen += " return t.value.slice(t.selectionStart, t.selectionEnd); })()"
        assert "knwon" in await page.evaluate(chosen)
        nested = (
            "        - any:\n            - known: email\n            - not: {lifecycle: customer}\n"
        )
        await text.fill(wrong.replace("        - knwon: email\n", nested))
        await page.get_by_role("button", name="Check").click()
        await page.get_by_text("No errors").wait_for()
        await page.get_by_role("button", name="Save as a draft").click()
        await page.get_by_text("cohort keen was added").wait_for()
        await page.get_by_role("button", name="Publish").click()
        await page.get_by_role("status").get_by_text("Published").wait_for()
        await page.get_by_text("Version 2 is published").wait_for()

        await page.get_by_role("button", name="Pause all e-mails").click()
        await page.get_by_text("Paused: everything").wait_for()
        await page.get_by_role("button", name="Resume all e-mails").click()
        await page.get_by_text("Going on").wait_for()

        await page.get_by_role("link", name="Changes").click()
        for act in ("alert resumed", "rules saved", "rules published", "hand-overs paused"):
            await page.get_by_role("cell", name=act).first.wait_for()
        await page.get_by_role("button", name="Log out").click()
        await page.get_by_label("Password").wait_for()
        await page.goto(_url(session, "changes"))
        await page.get_by_label("Password").wait_for()
        assert not [said for said in refused if "Content Security Policy" in said]


async def test_who_leaves_an_edit_that_is_not_saved_is_asked(a_context) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _), a_context() as context:
        page = await context.new_page()
        await _log_in(page, session)
        await page.goto(_url(session, "rules/edit?file=scores.yaml"))
        asked: list[str] = []

        async def stay(dialog) -> None:
            asked.append(dialog.type)
            await dialog.accept()

        page.on("dialog", stay)
        await page.get_by_label("Text of the file").press("End")
        await page.get_by_label("Text of the file").type("# mine")
        await page.get_by_role("link", name="Overview").click()
        await page.get_by_role("heading", name="Who does the work").wait_for()
        assert asked == ["beforeunload"]


async def _end_sessions(store) -> None:
    for row in await store.rows("sessions", {}):
        await store.remove_document("sessions", row["id"])


async def _fill_login(page) -> None:
    await page.get_by_label("User").fill("kim")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()


async def test_a_login_that_ends_loses_no_word_of_what_somebody_writes(a_context) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _), a_context() as context:
        page = await context.new_page()
        await _log_in(page, session)
        await page.goto(_url(session, "rules/edit?file=senders.yaml"))
        text = page.get_by_label("Text of the file")
        kept = await text.input_value()
        mine = f"{kept}# mine\n"
        await text.fill(mine)
        await _end_sessions(store)
        await page.get_by_role("button", name="Save as a draft").click()
        await page.get_by_text("Your text is kept in this tab").wait_for()
        await _fill_login(page)
        await page.get_by_text("You had unsaved text from").wait_for()
        assert page.url == _url(session, "rules/edit?file=senders.yaml")
        assert await text.input_value() == kept
        await page.get_by_role("button", name="Take it up").click()
        assert await text.input_value() == mine
        await page.get_by_role("button", name="Save as a draft").click()
        await page.get_by_role("heading", name="Version 2").wait_for()
        await page.goto(_url(session, "rules/edit?file=senders.yaml&version=1"))
        assert await text.input_value() == kept
        assert await page.get_by_text("You had unsaved text").count() == 0, "it is saved"


async def test_what_was_begun_with_an_older_version_is_put_together_with_what_others_wrote(
    a_context,
) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _), a_context() as context:
        page = await context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        await _log_in(page, session)
        address, text = (
            _url(session, "rules/edit?file=senders.yaml"),
            page.get_by_label("Text of the file"),
        )
        await page.goto(address)
        await text.fill(f"{await text.input_value()}# mine\n")
        await page.goto(_url(session, "changes"))
        files = read_folder(DEFAULTS)
        theirs = {"senders.yaml": f"# theirs\n{files['senders.yaml']}"}
        await push_files(store, files | theirs, at=now, by="eve")
        await page.goto(address)
        await page.get_by_text("begun with version 1").wait_for()
        await page.get_by_role("button", name="Take it up").click()
        await page.get_by_role("button", name="Save as a draft").click()
        await page.get_by_text("Version 2 was made meanwhile, by eve").wait_for()
        both = await text.input_value()
        assert both.startswith("# theirs")
        assert both.endswith("# mine\n")
        assert await page.get_by_text("You had unsaved text").count() == 0, "it stands there"


async def test_what_is_thrown_away_is_offered_no_more_and_who_logs_out_leaves_nothing(
    a_context,
) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _), a_context() as context:
        page = await context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        await _log_in(page, session)
        lists, text = _url(session, "lists"), page.locator("textarea")
        await page.goto(lists)
        await text.fill("ann@shop.example")
        await page.goto(_url(session, "changes"))
        await page.goto(lists)
        await page.get_by_role("button", name="Throw it away").click()
        await page.reload()
        assert await page.get_by_text("You had unsaved text").count() == 0
        assert await text.input_value() == ""
        await text.fill("bob@shop.example")
        await page.get_by_role("button", name="Log out").click()
        await page.get_by_label("Password").wait_for()
        assert "bob@" not in await page.evaluate("JSON.stringify(sessionStorage)")


async def test_who_writes_without_a_session_is_told_so_and_goes_on_once_logged_in_elsewhere(
    a_context,
) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _), a_context() as context:
        page = await context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        await _log_in(page, session)
        await page.goto(_url(session, "rules/edit?file=cohorts.yaml"))
        text = page.get_by_label("Text of the file")
        await _end_sessions(store)
        await text.fill(f"{await text.input_value()}\n{KEEN}")
        told = page.get_by_text("You are not logged in any more")
        await told.wait_for()
        async with context.expect_page() as opened:
            await page.get_by_role("link", name="log in in another tab").click()
        other = await opened.value
        await _fill_login(other)
        await other.get_by_role("button", name="Log out").wait_for()
        await text.press("End")
        await text.type(" ")
        await page.get_by_role("heading", name="Who matches").wait_for()
        assert await told.count() == 0
        await page.get_by_role("button", name="Save as a draft").click()
        await page.get_by_role("heading", name="Version 2").wait_for()


async def test_what_one_user_writes_is_not_saved_as_somebody_elses(a_context) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _), a_context() as context:
        page = await context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        await _log_in(page, session)
        await page.goto(_url(session, "rules/edit?file=cohorts.yaml"))
        text = page.get_by_label("Text of the file")
        secret = passwords.hashed(PASSWORD, b"salt of the tests")
        await put_user(store, User(name="vera", role=EDITOR, password=secret, by="test"))
        other = await context.new_page()
        await other.goto(_url(session))
        await other.get_by_role("button", name="Log out").click()
        await _log_in(other, session, "vera")
        await text.fill(f"{await text.input_value()}\n{KEEN}")
        await page.get_by_text("Somebody else is logged in in this browser now").wait_for()
        await page.get_by_role("button", name="Save as a draft").click()
        await page.get_by_text("This form is not from a page of this session").wait_for()
        assert len(await store.rows("rules_versions", {}, limit=9)) == 1


async def test_the_intervals_of_a_table_begin_under_each_other(a_context) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _), a_context() as context:
        page = await context.new_page()
        await _log_in(page, session)
        await furnish(store, now)
        looked = 0
        for path in ("learning", "experiments"):
            await page.goto(_url(session, path))
            for table in await page.locator("table.arms").all():
                boxes = [await each.bounding_box() for each in await table.locator("svg").all()]
                looked += len(boxes) > 1
                assert len({round(box["x"]) for box in boxes}) <= 1, path
        assert looked


async def test_a_page_brings_itself_up_to_date_and_shows_the_form_when_the_session_ends(
    a_context,
) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _), a_context() as context:
        page = await context.new_page()
        await _log_in(page, session)
        await page.goto(_url(session, "alerts"))
        [alert] = await store.rows("alerts", {"status": "open"}, limit=1)
        fields = {name: value for name, value in alert.items() if name != "id"}
        await store.put_document("alerts", alert["id"], {**fields, "status": "closed"})
        await page.locator(f"#a-{alert['id']}").wait_for(state="detached")
        for row in await store.rows("sessions", {}):
            await store.remove_document("sessions", row["id"])
        await page.get_by_label("Password").wait_for()


async def test_a_template_is_seen_as_a_chosen_reader_while_somebody_writes(a_context) -> None:
    """The words, the checks and the e-mail itself change without a reload, under the console's own policy."""
    store, now = await lived_in()
    async with (
        a_console(store, now) as (session, _),
        a_context(viewport={"width": 1280, "height": 800}) as context,
    ):
        page = await context.new_page()
        refused: list[str] = []
        page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
        await _log_in(page, session)
        refused.clear()
        await page.goto(_url(session, "templates/invite-hello"))
        await page.get_by_role("link", name="Edit it").click()
        text = page.get_by_label("Text of the file")
        await page.evaluate("window.isTheSame = true")
        before = await page.evaluate("history.length")
        await page.get_by_label("Shown as").fill("person-21@example.com")
        await page.get_by_text("As person-21@example.com gets it.").wait_for()
        draft = (
            "subject: Brand new for a reader\npreheader: Come and see\n"
            "text: Words that say as much as the HTML does, at some length.\n"
            'html: <p>All new</p><a href="https://shop/x">Go</a>\n'
        )
        await text.fill(draft)
        await page.get_by_text("Brand new for a reader", exact=True).wait_for()
        await page.get_by_text("“https://shop/x” has a malformed host").wait_for()
        await page.frame_locator("#letter iframe:not(.coming)").get_by_text("All new").wait_for()
        await text.fill(draft.replace("All new", "Newer still").replace("shop/x", "shop.example"))
        await (
            page.frame_locator("#letter iframe:not(.coming)").get_by_text("Newer still").wait_for()
        )
        await page.get_by_text("malformed host").wait_for(state="detached")
        await text.fill(draft + "subjet: oops\n")
        await page.get_by_text("did you mean subject?").wait_for()
        frame = page.frame_locator("#letter iframe:not(.coming)")
        await frame.get_by_text("Newer still").wait_for()
        await page.get_by_label("Shown as").press("Enter")
        assert await page.evaluate("window.isTheSame"), "the page was never left"
        assert await page.evaluate("history.length") == before
        # What the frame does not fetch is meant: looking at a preview opens nothing.
        assert [said for said in refused if "img-src data:" not in said] == []


async def test_a_mark_of_a_chart_says_its_number_where_the_pointer_or_a_finger_rests(
    a_context,
) -> None:
    store, now = await lived_in()
    async with (
        a_console(store, now) as (session, _),
        a_context(viewport=PHONE, has_touch=True) as context,
    ):
        page = await context.new_page()
        wrong: list[str] = []
        await _log_in(page, session)
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        await page.goto(_url(session, "deliverability"))
        said = page.locator(".hover")
        mark = page.locator('.plot rect.sent:not([height="0.0"])').last
        title = await mark.locator("title").text_content()
        await mark.hover()
        assert await said.is_visible()
        assert await said.text_content() == title
        box = await said.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        await page.mouse.move(5, 5)
        assert not await said.is_visible()
        assert await page.locator(".plot rect.sent > title").count() > 1, "its own hint is back"
        await page.goto(_url(session, "learning"))
        await page.locator(".heat rect").nth(30).tap()
        assert "% answer" in (await said.text_content() or "")
        assert wrong == [], "the policy lets all of it in"
