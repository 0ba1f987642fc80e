"""The console in a real Chromium: readable by everyone, usable with the keyboard, alive, and safe.

MDMA_SHOTS=DIR keeps a picture of each page, to be looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.test_looks import LOOKS, PHONE
from tests.browser.test_looks import _judge as _judge_view
from tests.console_builders import PASSWORD, a_console, lived_in

PAGES = {
    "overview": "",
    "alerts": "alerts",
    "visitors": "visitors",
    "rules": "rules",
    "rules-file": "rules/edit?file=cohorts.yaml",
    "rules-version": "rules/versions/1",
    "routine": "routines/lead-to-customer?stage=opened",
    "templates": "templates",
    "template": "templates/invite-hello",
    "learning": "learning",
    "system": "system",
    "changes": "changes",
    "problem": "visitors/nobody",
}


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
    await page.locator(".card h2 a").first.click()
    await page.get_by_text("The story, newest first").wait_for()


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
async def test_the_console_is_readable_by_everyone(a_context, size, scheme: str) -> None:
    store, now = await lived_in()
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
            await page.goto(_url(session, path))
            await page.wait_for_load_state("load")
            await _judge(page, f"console-{name}", size, scheme)
        await _visitor(page, session)
        await _judge(page, "console-visitor", size, scheme)
        if size == PHONE:
            await page.get_by_role("button", name="Menu").click()
            await page.get_by_role("link", name="System").wait_for()
            await _judge(page, "console-menu", size, scheme)
