"""Start one Chromium for all tests of this folder; each test has contexts of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import warnings
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


CLOSED_WITHIN = 20.0
"""Seconds that Chromium has to close a context: it may hang on one whose page is about to go elsewhere."""


def find_chromium() -> str | None:
    """Return the system's Chromium; Playwright's own is never fetched."""
    names = (os.environ.get("MDMA_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium():
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium: install one (on Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, headless=True, args=FLAGS, env={**os.environ, "LANG": "C.UTF-8"}
        )
        yield browser
        await browser.close()


async def close(context) -> None:
    """Close a context; one that Chromium does not close is left to the end of the browser, aloud."""
    try:
        await asyncio.wait_for(context.close(), CLOSED_WITHIN)
    except TimeoutError:
        warnings.warn(f"Chromium did not close a context in {CLOSED_WITHIN:.0f} s", stacklevel=2)


@pytest.fixture
def a_context(chromium):
    """Return what opens a visitor's browser; an error in a page fails the test."""

    @asynccontextmanager
    async def opened(**options):
        errors = []
        context = await chromium.new_context(**options)
        context.set_default_timeout(20_000)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        try:
            yield context
        finally:
            await close(context)
        assert not errors

    return opened
