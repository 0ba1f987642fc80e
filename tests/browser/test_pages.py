"""The pages for people in a real Chromium: readable by everyone, alive, and nothing that others wrote runs in them.

MDMA_SHOTS=DIR keeps a picture of each, to be looked at.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from messaging.gateway.viewing import viewing_key
from messaging.store.memory import MemoryDatabase
from tests.browser.test_looks import LOOKS, _judge
from tests.gateway_builders import SECRET, a_site
from tests.page_builders import EVIL, TellingReader, a_ledger_row, a_mail, an_inbox

KEY = viewing_key(SECRET, "the-token")
PAGES = {
    "demo": "/demo",
    "overview": "/overview",
    "story": "/overview/visitors/ann",
    "inbox": "/inbox",
    "mail": "/inbox/1?width=phone",
    "gone": "/inbox/99",
}
LETTER = """<html><head><meta name="color-scheme" content="light dark"><title>x</title><style>
  body { background: rgb(255, 255, 255); } @media (prefers-color-scheme: dark) { body { background: rgb(9, 9, 9); } }
</style></head><body><h1>Hello</h1><a href="https://shop.example/">Have a look</a></body></html>"""


def a_paged_site(folder: Path, who: str = "ann@example.com", **more):
    database = MemoryDatabase()
    database.tables["sends"] = {"send-1": a_ledger_row()}
    reader = TellingReader(who)
    return a_site(reader=reader, mail_folder=folder, database=database, shop=True, **more), reader


def _url(session, path: str) -> str:
    return str(session._build_url("/")).rstrip("/") + path


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
async def test_the_pages_are_readable_by_everyone(a_context, tmp_path, size, scheme: str) -> None:
    folder = an_inbox(tmp_path, *(a_mail(n, html=LETTER) for n in range(1, 6)))
    site, _ = a_paged_site(folder)
    async with (
        site as (session, _gateway),
        a_context(
            viewport=size, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
        ) as context,
    ):
        page = await context.new_page()
        await page.goto(_url(session, "/overview"))
        await page.get_by_label("Admin token").wait_for()
        await _judge(page, "pages-way-in", size, scheme)
        await page.goto(_url(session, f"/overview?key={KEY}"))
        assert page.url == _url(session, "/overview"), "the key stays in no address bar"
        for name, path in PAGES.items():
            await page.goto(_url(session, path))
            await page.wait_for_load_state("load")
            await _judge(page, f"pages-{name}", size, scheme)


async def test_the_overview_brings_itself_up_to_date_but_not_under_the_readers_hand(
    a_context, tmp_path
) -> None:
    site, reader = a_paged_site(an_inbox(tmp_path))
    async with site as (session, _), a_context() as context:
        page = await context.new_page()
        await page.goto(_url(session, f"/overview?key={KEY}"))
        await page.get_by_text("What was not allowed, and why").click()
        first = await page.locator("#tiles").inner_text()
        reader.who = "someone@example.com"
        await page.locator("#alerts").get_by_text("someone@example.com").wait_for()
        assert await page.locator("#tiles").inner_text() != first
        decisions = page.locator("#decisions")
        assert await decisions.get_by_text("ann@example.com").count() == 1, "it is folded out"
        await page.get_by_text("What was not allowed, and why").click()
        await page.evaluate("document.activeElement.blur()")
        await decisions.get_by_text("someone@example.com").wait_for()


async def test_a_hidden_tab_asks_for_nothing(a_context, tmp_path) -> None:
    site, reader = a_paged_site(an_inbox(tmp_path))
    async with site as (session, _), a_context() as context:
        page = await context.new_page()
        hide = (
            "Object.defineProperty(document, 'hidden', {get: () => !window.shown});"
            "window.show = () => { window.shown = true;"
            " document.dispatchEvent(new Event('visibilitychange')); }"
        )
        await page.add_init_script(hide)
        await page.goto(_url(session, f"/overview?key={KEY}"))
        await page.evaluate("new Promise(done => setTimeout(done, 4500))")
        assert reader.looks == 1
        async with page.expect_response("**/overview"):
            await page.evaluate("show()")


async def test_what_a_hostile_visitor_wrote_never_runs(a_context, tmp_path) -> None:
    """As a name, a subject, and the HTML of an e-mail: with scripts, a refresh, a form and a way out of the frame."""
    html = (
        f"<html><head><meta http-equiv=refresh content='0;url=/taken'></head><body>{EVIL}"
        "<svg onload=\"parent.document.title='taken'\"></svg><a href=\"javascript:top.document.title='taken'\">"
        "Press</a><a target=_top href=/taken>Leave</a><p>The letter</p></body></html>"
    )
    site, _ = a_paged_site(an_inbox(tmp_path, a_mail(subject=EVIL, html=html)), who=EVIL)
    async with site as (session, _gateway), a_context() as context:
        page = await context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(_url(session, f"/overview?key={KEY}"))
        for path in ("/overview", "/overview/visitors/ann", "/inbox", "/inbox/1?pictures=on"):
            await page.goto(_url(session, path))
            await page.wait_for_load_state("load")
            await page.wait_for_timeout(200)
            assert "taken" not in await page.evaluate("document.title.slice(0, 5)")
            assert (
                await page.evaluate("document.querySelectorAll('main script, main img').length")
                == 0
            )
        frame = page.frame_locator("iframe")
        await frame.get_by_text("Press").click()
        await page.wait_for_timeout(200)
        assert not (await page.title()).startswith("taken")
        assert page.url.endswith("/inbox/1?pictures=on")
        await page.goto(_url(session, "/inbox/1/body?pictures=on"))
        await page.wait_for_timeout(200)
        assert await page.title() != "taken"
        assert not any("evil" in url for url in asked)


async def test_a_mail_is_shown_light_and_dark_and_its_links_lead_on_in_a_new_tab(
    a_context, tmp_path
) -> None:
    site, _ = a_paged_site(an_inbox(tmp_path, a_mail(html=LETTER)))
    async with site as (session, _gateway), a_context(color_scheme="light") as context:
        await context.route("http://127.0.0.1:1/**", lambda route: route.fulfill(body="arrived"))
        page = await context.new_page()
        asked: list[str] = []
        page.on("requestfinished", lambda request: asked.append(request.url))
        await page.goto(_url(session, f"/inbox/1?key={KEY}"))
        colour = "getComputedStyle(document.body).backgroundColor"
        for choice, expected in (("Dark", "rgb(9, 9, 9)"), ("Light", "rgb(255, 255, 255)")):
            await page.get_by_role("link", name=choice, exact=True).click()
            await page.wait_for_url(f"**/inbox/1?scheme={choice.lower()}")
            await page.frame_locator("iframe").get_by_text("Have a look").wait_for()
            body = next(each for each in page.frames if "/body" in each.url)
            assert await body.evaluate(colour) == expected
        assert not any("/o/" in url for url in asked), "looking tells nobody of an open"
        async with context.expect_page() as opened:
            await page.frame_locator("iframe").get_by_text("Have a look").click()
        tab = await opened.value
        await tab.wait_for_load_state()
        assert tab.url.startswith("http://127.0.0.1:1/c/")
        assert page.url.endswith("scheme=light")
