"""The marketer's day in a real Chromium, with every bot at work behind the console."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.browser.test_console import _log_in
from tests.browser_console import PATH, a_working_console

NESTED = """\
  keen-readers:
    title: Reads or fills a cart, may be written to, and has not bought
    when:
      all:
        - may_email: true
        - any:
            - in_cart: true
            - all:
                - known: email
                - not: {lifecycle: unknown}
        - not: {lifecycle: customer}
"""
VARIANT = """\
subject: 'A quick hello before lunch'
text: |
  Hello from {{ shop_name }}: {{ shop_url }}

  Do not want these? {{ unsubscribe_url }}
layout: letter
mjml: |
  <mj-text><p>Hello from {{ shop_name }}.</p></mj-text>
  <mj-button href="{{ shop_url }}">Have a look</mj-button>
"""
SPLIT_TEST = """\
      split_test:
        name: hello
        variants: {invite-hello: 50, invite-lunch: 50}
"""


async def _write(page: Any, change: Any) -> None:
    """Change the text of the editor that is open, and save it as a draft."""
    text = page.get_by_label("Text of the file")
    await text.fill(change(await text.input_value()))
    await page.get_by_role("button", name="Save as a draft").click()
    await page.get_by_text("Saved as a draft").wait_for()


def _with_variant(path: str) -> str:
    """Return the path with another template at its first stage, tested against the first one."""
    named = path.replace(
        "        - invite-hello\n", "        - invite-hello\n        - invite-lunch\n", 1
    )
    return named.replace(
        "      different: [subject, hour]\n", f"      different: [hour]\n{SPLIT_TEST}", 1
    )


@pytest.mark.timeout(900)
async def test_a_marketers_day(a_context) -> None:
    """Logs in, reads, draws a cohort, adds a variant, tries, simulates, publishes, sees it taken, resumes an alert."""
    async with (
        a_working_console() as house,
        a_context(viewport={"width": 1280, "height": 900}) as context,
    ):
        context.set_default_timeout(90_000)
        page = await context.new_page()
        refused: list[str] = []
        page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
        await _log_in(page, house.session)
        refused.clear()  # the form itself is answered 401: there was no session
        await page.get_by_role("heading", name="What the machine is doing").wait_for()
        await page.get_by_text("people in a cohort, on a list, imported, set to a stage").wait_for()
        await page.get_by_text("Share of the runs that reached their goal").wait_for()

        await page.get_by_role("link", name="Rules", exact=True).click()
        await page.get_by_role("link", name="cohorts.yaml").click()
        text = page.get_by_label("Text of the file")
        await text.fill(f"{await text.input_value()}\n{NESTED}")
        matches = page.get_by_role("region", name="Who matches")
        await matches.get_by_role("rowheader", name="keen-readers").wait_for()
        await page.get_by_role("button", name="Save as a draft").click()
        await page.get_by_text("cohort keen-readers was added").wait_for()

        await page.get_by_role("link", name="Rules", exact=True).first.click()
        await page.get_by_label("Add a file").fill("templates/invite-lunch.yaml")
        await page.get_by_role("button", name="Write it").click()
        await _write(page, lambda _: VARIANT)
        await page.get_by_role("link", name="Rules", exact=True).first.click()
        await page.get_by_text("Paths (1)").click()
        await page.get_by_role("link", name=PATH).click()
        await _write(page, _with_variant)
        await page.get_by_role("heading", name="Version 4").wait_for()

        await page.get_by_role("link", name="Try it on what happened").click()
        await page.get_by_role("button", name="Try it", exact=True).click()
        await page.get_by_role("heading", name="Who would get what").wait_for()
        cohorts = page.get_by_role("region", name="People in each cohort at the end")
        await cohorts.get_by_role("rowheader", name="keen-readers").wait_for()
        await page.get_by_role("link", name="To version 4").click()

        await page.get_by_role("link", name="Simulate what would happen").click()
        await page.get_by_label("Days").fill("4")
        await page.get_by_label("How many at most").fill("20")
        await page.get_by_role("button", name="Simulate it").click()
        await page.get_by_role("heading", name="When e-mails go out").wait_for()
        templates = page.get_by_role("region", name="E-mails by template")
        await templates.get_by_role("rowheader", name="invite-lunch").wait_for()
        assert await page.locator("svg.plot").count() == 2
        await page.get_by_role("link", name="To version 4").click()

        await page.get_by_label("stay on the version").check()
        await page.get_by_role("button", name="Publish").click()
        await page.get_by_text("Version 4 is published").wait_for()
        async with asyncio.timeout(20):
            while house.version() != 4:
                await asyncio.sleep(0.05)

        await house.lead("new@example.com", browser="b-new")
        await page.get_by_role("link", name="Visitors", exact=True).click()
        await page.get_by_label("E-mail address").fill("new@example.com")
        await page.get_by_role("button", name="Find").click()
        await page.get_by_text("entered path lead-to-customer (run 1, version 4)").wait_for()
        await page.get_by_text("keen-readers").first.wait_for()
        await page.get_by_text("invitation").first.wait_for()

        await page.get_by_role("link", name="Alerts", exact=True).click()
        card = page.locator(".card").first
        who = await card.locator("h2 a").get_attribute("href")
        await card.get_by_role("button", name="Resume").click()
        await page.get_by_text("The alert is resumed").wait_for()
        await page.goto(str(house.session._base_url).rstrip("/") + who)
        await page.get_by_text("kim answered the alert").wait_for()
        await page.get_by_text("(run 2, version").first.wait_for()

        await page.get_by_role("link", name="Changes").click()
        for act in ("alert resumed", "rules published"):
            await page.get_by_role("cell", name=act).first.wait_for()
        # What a preview's frame does not fetch is meant: looking at an e-mail opens nothing.
        policy = [said for said in refused if "Content Security Policy" in said]
        assert not [said for said in policy if "img-src data:" not in said]
