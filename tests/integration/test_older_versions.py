"""Who goes by an older version is seen as well: on the overview, in the diagram, in lists and over the API."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from config.load import DEFAULTS, read_folder
from messaging.ports import Store
from scripts.rules import publish, push_files
from tests.console_builders import a_console, lived_in, log_in
from tests.gateway_builders import ADMIN, NOON

PATH = "lead-to-customer"
FILE = f"paths/{PATH}.yaml"
LOST = "opened"
"""A stage of version 1 where people stand, and that version 2 has under another name."""


async def _ask(session: Any, path: str, status: int = 200) -> Any:
    async with session.get(f"/api/v1/{path}", headers=ADMIN) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json(content_type=None)


async def _page(session: Any, path: str, status: int = 200) -> str:
    async with session.get(f"/console/{path}") as answer:
        html = await answer.text()
        assert answer.status == status, html
        return html


async def _publish(store: Store, version: int, path: str, text: str) -> None:
    files = {name: each for name, each in read_folder(DEFAULTS).items() if name != FILE}
    assert await push_files(store, {**files, path: text}, at=NOON, by="kim") == (version, True)
    assert await publish(store, version, at=NOON, by="kim")


async def _standing(store: Store) -> Counter[str]:
    """Return stage -> who stands there by version 1, of the commits' own sums."""
    found: Counter[str] = Counter()
    for name, count in (await store.figures("rules")).items():
        kind, *rest = name.split("/")
        if kind in ("stands", "waits"):
            found[rest[2]] += int(count)
    return found


async def test_a_stage_that_only_an_older_version_has_is_seen_everywhere() -> None:
    store, now = await lived_in()
    standing = await _standing(store)
    assert standing[LOST] > 1, "the world leaves people there"
    text = read_folder(DEFAULTS)[FILE].replace(f"- name: {LOST}", "- name: keen")
    await _publish(store, 2, FILE, text)
    async with a_console(store, now) as (session, _):
        [older] = (await _ask(session, "paths"))["older"]
        people = sum(standing.values())
        assert (older["version"], older["people"], older["has_path"]) == (1, people, True)
        assert older["lost"] == {LOST: standing[LOST]}
        routine = (await _ask(session, f"routines/{PATH}"))["routine"]
        assert (routine["version"], routine["is_published"]) == (2, True)
        assert routine["older"] == [older]
        assert LOST not in [stage["name"] for stage in routine["stages"]]
        drawn = (await _ask(session, f"routines/{PATH}?version=1"))["routine"]
        assert (drawn["version"], drawn["is_published"]) == (1, False)
        at = {stage["name"]: stage["going"] + stage["calls"] for stage in drawn["stages"]}
        assert at == {stage: standing[stage] for stage in at}
        [path] = (await _ask(session, "overview"))["overview"]["paths"]
        notes = {stage["name"]: stage["note"] for stage in path["stages"] if stage["note"]}
        assert notes == {LOST: f"version 1, {standing[LOST]} people still on it"}
        listed = await _ask(session, f"paths/{PATH}/stages/{LOST}/visitors")
        assert listed["count"] == standing[LOST]
        await _ask(session, f"routines/{PATH}?version=3", 404)
        await _ask(session, f"routines/{PATH}?version=x", 422)
        await log_in(session)
        said = f"version 1, {people} people still on it"
        html = await _page(session, f"routines/{PATH}")
        assert said.capitalize() in html
        assert f"{standing[LOST]} at <a" in html
        html = await _page(session, f"routines/{PATH}?version=1&stage={LOST}")
        assert f"Stage {LOST}" in html
        assert "version=1&amp;stage=invited" in html, "its nodes lead on within this version"
        assert said in await _page(session, "rules")
        assert notes[LOST] in await _page(session, "")
        assert "nobody" not in await _page(session, f"visitors?path={PATH}&stage={LOST}")
        assert "ersion 3 of the rules has no path" in await _page(
            session, f"routines/{PATH}?version=3", 404
        )
        await _page(session, f"routines/{PATH}?version=x", 422)


async def test_a_path_that_only_an_older_version_has_is_drawn_by_it() -> None:
    store, now = await lived_in()
    standing = await _standing(store)
    await _publish(store, 2, "paths/other.yaml", read_folder(DEFAULTS)[FILE])
    people = sum(standing.values())
    async with a_console(store, now) as (session, _):
        told = await _ask(session, "paths")
        assert [each["name"] for each in told["paths"]] == ["other"]
        assert [(each["path"], each["has_path"]) for each in told["older"]] == [(PATH, False)]
        drawn = (await _ask(session, f"routines/{PATH}"))["routine"]
        assert (drawn["version"], drawn["is_published"]) == (1, False)
        assert sum(stage["going"] + stage["calls"] for stage in drawn["stages"]) == people
        [path] = [
            each
            for each in (await _ask(session, "overview"))["overview"]["paths"]
            if each["name"] == PATH
        ]
        assert path["note"] == f"version 1, {people} people still on it"
        await _ask(session, "routines/never", 404)
        await log_in(session)
        html = await _page(session, "routines/other")
        assert f"{PATH} (version 1, {people} people still on it)" in html
        html = await _page(session, f"routines/{PATH}")
        assert "the published version has no path of this name" in html
        assert path["note"] in await _page(session, "")


async def test_sent_is_how_often_a_template_was_sent_and_not_what_the_policy_weighs() -> None:
    store, now = await lived_in()
    rows = await store.rows("sends", {}, limit=10_000)
    sent = Counter((row["stage"], row["template"]) for row in rows if "day" in row)
    async with a_console(store, now) as (session, _):
        routine = (await _ask(session, f"routines/{PATH}"))["routine"]
        told = {
            (stage["name"], each["template"]): each["sent"]
            for stage in routine["stages"]
            for each in stage["variants"]
        }
        assert told == {place: sent[place] for place in told}
        for answer in ("opened", "clicked"):
            by_people = Counter((r["stage"], r["template"]) for r in rows if r.get(answer))
            shown = {
                (stage["name"], each["template"]): each[answer]
                for stage in routine["stages"]
                for each in stage["variants"]
            }
            assert shown == {place: by_people[place] for place in shown}
            assert sum(shown.values()) > 5
        assert sum(told.values()) > 100
        await log_in(session)
        html = await _page(session, f"routines/{PATH}?stage=invited")
        shown = re.findall(r"<b>(invite-[a-z]+)</b>.*?<small>([0-9,]+) sent", html)
        assert {name: int(many) for name, many in shown} == {
            name: many for (stage, name), many in told.items() if stage == "invited"
        }
        assert "as they are weighed" in html
