"""A screen reader lists the landmarks of a page by their names: no two of a console page have the same one.

What axe calls `landmark-unique`, without a browser; `tests/browser` asks axe itself.
"""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

import pytest

from tests.browser.test_console import PAGES
from tests.browser_console import furnish
from tests.console_builders import a_console, lived_in, log_in

ROLES = {"section": "region", "nav": "navigation", "form": "form", "aside": "complementary"}
"""Element -> the landmark that it is, where it has a name; a `nav` also without."""

EMPTY = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})


class Landmarks(HTMLParser):
    """Read the landmarks of a page, and what each of its ids says."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        """(role, its own name, ids of what names it)."""
        self.said: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        role = given.get("role") or ROLES.get(tag, "")
        named = given.get("aria-label", ""), given.get("aria-labelledby", "")
        if role in {*ROLES.values(), "search"} and (any(named) or tag == "nav"):
            self.found.append((role, *named))
        if tag not in EMPTY:
            self._open.append((tag, given.get("id", "")))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, id_ in self._open:
            if id_:
                self.said[id_] = self.said.get(id_, "") + data

    def doubled(self) -> list[tuple[str, str]]:
        """Return (role, name) of those that a list of landmarks could not tell apart."""
        names = Counter(
            (role, " ".join((label or " ".join(self.said[each] for each in ids.split())).split()))
            for role, label, ids in self.found
        )
        return [each for each, count in names.items() if count > 1]


@pytest.mark.parametrize(
    ("page", "doubled"),
    [
        ("<nav></nav><section aria-labelledby=a><h2 id=a>A <b>b</b></h2></section>", []),
        (
            "<section aria-labelledby=a><h2 id=a>A <b>b</b></h2><p role=region aria-label='A b'>",
            [("region", "A b")],
        ),
        ("<nav></nav><br><nav></nav>", [("navigation", "")]),
    ],
)
def test_doubled_names_are_found(page: str, doubled: list[tuple[str, str]]) -> None:
    landmarks = Landmarks()
    landmarks.feed(page)
    assert landmarks.doubled() == doubled


async def test_no_two_landmarks_of_a_page_have_one_name() -> None:
    store, now = await lived_in()
    named = await furnish(store, now)
    doubled = {}
    async with a_console(store, now) as (session, _):
        await log_in(session)
        for name, path in PAGES.items():
            address = f"/console/{path.format(**named)}"
            async with session.get(address, headers={"Accept": "text/html"}) as answer:
                landmarks = Landmarks()
                landmarks.feed(await answer.text())
                assert landmarks.found
                doubled[name] = landmarks.doubled()
    assert {name: each for name, each in doubled.items() if each} == {}
