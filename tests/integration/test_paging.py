"""Every list goes on from page to page on the server, each row once, with what it is chosen by kept."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import msgspec
import pytest

from agents.runtime.views import VERSIONS
from learning.evaluation.experiment import begin, snapshot_of
from messaging.gateway.console.trials import DONE, FAILED, SIMULATE, TRY
from messaging.ports import Store
from scripts.rules import files_of
from scripts.trials import TRIALS
from tests.console_builders import TEMPLATES, a_console, lived_in, log_in
from tests.experiment_builders import a_test
from tests.gateway_builders import ADMIN

MADE = 45
"""Of each: more than any page of the console holds, but of templates, of which the shipped ones are listed."""


async def furnish(store: Store, now: Any) -> None:
    """Put many versions, trials and split tests into a store."""
    shipped = await files_of(store, 1)
    for number in range(2, MADE + 1):
        files = shipped if number == MADE else {}
        fields = {"files": files, "at": now + timedelta(seconds=number), "by": f"kim-{number % 2}"}
        await store.put_document(VERSIONS, str(number), fields)
    for kind in (TRY, SIMULATE):
        for number in range(MADE):
            fields = {"kind": kind, "asked": {"days": 3, "version": 1}, "by": "kim", "starts": 1}
            fields |= {"at": now, "status": (DONE, FAILED)[number % 3 == 0]}
            fields["asked"] |= {"visitors": 2, "seed": number, "profiles": "synthetic"}
            await store.put_document(TRIALS, f"{kind:.8}-{number:03}".ljust(16, "0"), fields)
    for number in range(MADE + 15):
        name = f"split_test/lead-to-customer/invited/test-{number:02}/0"
        snapshot = snapshot_of(begin(a_test(policy=name, a=0.5, b=0.5)), 1, 7)
        fields = {**msgspec.to_builtins(snapshot), "at": now}
        await store.put_document("snapshots", f"{name}@1", fields)


async def walked(session: Any, path: str, name: str, /, **query: str) -> list[dict[str, Any]]:
    """Return all rows of a list, by the API's pages of 7."""
    found: list[dict[str, Any]] = []
    given = {**query, "limit": "7"}
    while True:
        async with session.get(f"/api/v1/{path}", headers=ADMIN, params=given) as answer:
            told = await answer.json(content_type=None)
            assert answer.status == 200, told
        assert len(told[name]) <= 7
        found += told[name]
        if told["after"] is None:
            return found
        given["after"] = told["after"]


@pytest.mark.parametrize(
    ("path", "name", "key", "count"),
    [
        ("rules", "rules", "number", MADE),
        ("templates", "templates", "name", TEMPLATES),
        ("tries", "trials", "id", MADE),
        ("simulations", "trials", "id", MADE),
        ("experiments", "experiments", "policy", MADE + 15),
    ],
)
async def test_a_list_is_walked_through_over_the_api_each_row_once(
    path: str, name: str, key: str, count: int
) -> None:
    store, now = await lived_in()
    await furnish(store, now)
    async with a_console(store, now) as (session, _):
        keys = [row[key] for row in await walked(session, path, name)]
        assert len(keys) == len(set(keys)) == count
        for wrong in ({"after": "nothing"}, {"limit": "0"}, {"limit": "1001"}):
            async with session.get(f"/api/v1/{path}", headers=ADMIN, params=wrong) as answer:
                assert answer.status == 422, wrong


async def test_a_list_is_narrowed_on_the_server() -> None:
    store, now = await lived_in()
    await furnish(store, now)
    async with a_console(store, now) as (session, _):
        for path, name, query, field in (
            ("rules", "rules", {"by": "kim-1"}, "by"),
            ("tries", "trials", {"status": FAILED}, "status"),
            ("experiments", "experiments", {"verdict": "ended"}, "verdict"),
        ):
            rows = await walked(session, path, name, **query)
            assert {row[field] for row in rows} == set(query.values())
            assert len(rows) >= MADE // 3
        assert await walked(session, "experiments", "experiments", path="none") == []
        found = [
            each["name"] for each in await walked(session, "templates", "templates", q="INVITE-")
        ]
        assert len(found) > 3
        assert all(each.startswith("invite-") for each in found)


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("rules", r'rules/versions/([0-9]+)">Version'),
        ("try", r'<li><p><a href="/console/try/([^"]+)"'),
        ("simulate", r'<li><p><a href="/console/simulate/([^"]+)"'),
        ("experiments", r">(test-[0-9]+) <span"),
    ],
)
async def test_a_list_is_walked_through_in_the_console_each_row_once(path: str, row: str) -> None:
    store, now = await lived_in()
    await furnish(store, now)
    async with a_console(store, now) as (session, _):
        await log_in(session)
        found, page, pages = [], f"/console/{path}", 0
        while page:
            async with session.get(page) as answer:
                html = unescape(await answer.text())
                assert answer.status == 200, html
            found += re.findall(row, html)
            more = re.search(r'href="([^"]+)" rel="next"', html)
            page, pages = more[1] if more else "", pages + 1
        assert pages > 1
        assert len(found) == len(set(found)) == (MADE + 15 if path == "experiments" else MADE)
        async with session.get(f"/console/{path}?after=nothing") as answer:
            assert answer.status == 422


async def test_templates_are_found_by_a_part_of_their_name_or_subject() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        for part, says in (("invite-", ">invite-hello</a>"), ("no such thing", "No template has")):
            async with session.get(f"/console/templates?q={part}") as answer:
                html = await answer.text()
            assert says in html
            assert ">thank-you</a>" not in html
