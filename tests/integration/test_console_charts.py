"""Every chart can be read by everyone: marks say numbers, a legend names them, a table holds them."""

from __future__ import annotations

import re

from messaging.ports import Store
from tests.browser_console import furnish
from tests.console_builders import a_console, lived_in, log_in

CHARTS = {
    "": ("stage bars", "shares"),
    "routines/lead-to-customer": ("routine",),
    "learning": ("heat", "intervals", "curve"),
    "experiments": ("intervals",),
    "deliverability": ("plot",),
    "simulate/{simulate}": ("plot", "pairs"),
}
"""Page -> what is drawn there."""


async def _pages() -> dict[str, str]:
    """Return page -> its HTML, over a world in which there is something of everything."""
    store: Store
    store, now = await lived_in()
    named = await furnish(store, now)
    found = {}
    async with a_console(store, now) as (session, _):
        await log_in(session)
        for path in CHARTS:
            async with session.get(f"/console/{path.format(**named)}") as answer:
                found[path] = await answer.text()
                assert answer.status == 200
    return found


def drawings(html: str) -> list[str]:
    return re.findall(r"<svg\b.*?</svg>", html, re.DOTALL)


async def test_each_drawing_has_marks_that_say_their_number_a_legend_and_a_table() -> None:
    for path, html in (await _pages()).items():
        drawn = drawings(html)
        assert drawn, path
        for each in drawn:
            titles = re.findall(r"<title>([^<]+)</title>", each)
            assert titles or not re.findall(r"<(?:rect|circle)\b", each), (path, each[:300])
            assert all(re.search(r"[0-9–]", title) for title in titles), (path, titles)
            is_said = 'aria-hidden="true"' in each or "aria-label=" in each[:400]
            assert is_said, (path, each[:300])
        assert 'class="legend"' in html, path
        assert "<table" in html, path
        assert " style=" not in html, "the policy lets none in"
        assert "<script>" not in html, "nor that"
