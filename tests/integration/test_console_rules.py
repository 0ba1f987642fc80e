"""The rules in the console: edits, what is wrong with them, two editors at once, and publishing."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from agents.rules.compiled import CompiledRules
from agents.rules.source import parse
from agents.runtime.stages_kept import places_of
from config.beginning import beginning_of
from config.load import DEFAULTS, compile_files, read_folder
from messaging.store.audit_log import AUDIT_LOG
from scripts.impact import impact
from scripts.rules import files_of, newest, publications, published
from tests.console_builders import (
    TEMPLATES,
    a_browser,
    a_console,
    a_lived_world,
    form_key,
    lived_in,
    log_in,
)
from tests.gateway_builders import ADMIN

PATH = "paths/lead-to-customer.yaml"
COHORTS = "cohorts.yaml"
MORE = """
  keen:
    title: Came back, and knows us
    when:
      all:
        - session: {number_at_least: 3}
        - any:
            - known: email
            - not: {lifecycle: customer}
"""


async def _post(session, path: str, status: int, **form: str) -> tuple[str, str]:
    """Return (location, page)."""
    data = {"form_key": await form_key(session), **form}
    async with session.post(f"/console/{path}", data=data, allow_redirects=False) as answer:
        html = await answer.text()
        assert answer.status == status, html
        return answer.headers.get("Location", ""), unescape(html)


def rules_without(stage: str) -> CompiledRules:
    """Return the shipped rules as version 2, in which a stage is called otherwise."""
    files = read_folder(DEFAULTS)
    text = files[PATH].replace(f"- name: {stage}", "- name: keen")
    return compile_files({**files, PATH: text}, 2)


async def _get(session, path: str, status: int = 200) -> str:
    async with session.get(f"/console/{path}") as answer:
        html = await answer.text()
        assert answer.status == status, html
        return unescape(html)


async def test_the_rules_stand_there_with_the_people_in_them() -> None:
    store, now = await lived_in()
    people = await store.figures("behavior")
    async with a_console(store, now) as (session, _):
        await log_in(session, "vic")
        html = await _get(session, "rules")
        assert "Version 1 is published" in html
        for cohort in ("customers", "addressable-lead"):
            assert people[f"cohorts/{cohort}"] > 1
            count = int(people[f"cohorts/{cohort}"])
            who = rf'<a href="/console/visitors\?cohort={cohort}">{count}</a>'
            assert re.search(rf"{cohort}</a>.*</th><td>{who}</td>", html), cohort
        assert "Add a file" not in html, "a viewer adds none"
        html = await _get(session, f"rules/edit?file={COHORTS}")
        assert "readonly" in html
        assert "Save as a draft" not in html


async def test_two_clocks_on_one_page_are_told_apart_and_one_is_not() -> None:
    """What people did stands in real time, what visitors did in world time: in a time-lapse these are weeks apart."""
    store, now = await lived_in()
    for of_world, of_real, real in (
        (" (world time)", " (real time)", now + timedelta(days=2)),
        ("", "", now + timedelta(seconds=3)),
    ):
        async with a_console(store, now, wall_now=lambda real=real: real) as (session, _):
            await log_in(session)
            rules = await _get(session, "rules")
            assert f"06:00 UTC{of_world}. Version 1 is published" in rules
            assert re.search(rf"made [^,]*, \d\d:\d\d UTC{re.escape(of_real)}, by", rules)
            assert re.search(rf"published [^,]*, \d\d:\d\d UTC{re.escape(of_real)}, by", rules)
            version = await _get(session, "rules/versions/1")
            assert f"06:00 UTC{of_world}</p>" in version
            assert re.search(rf"Made [^,]*, \d\d:\d\d UTC{re.escape(of_real)}, by", version)
            assert re.search(rf"Published [^,]*, \d\d:\d\d UTC{re.escape(of_real)}, by", version)
            assert f"06:00 UTC{of_world}</p>" in await _get(session, "try")


async def test_an_edit_becomes_a_draft_that_is_published_and_gone_back_from() -> None:
    store, now = await lived_in()
    before = (await files_of(store, 1))[COHORTS]
    async with a_console(store, now) as (session, _):
        await log_in(session)
        text = (before + MORE).replace("\n", "\r\n")  # as a browser sends it
        edit = {"file": COHORTS, "base": "1", "text": text}
        _, html = await _post(session, "rules/check", 200, **edit)
        assert "No errors" in html
        assert "+  keen:" in html
        assert await newest(store) == 1, "a check writes nothing"
        location, _ = await _post(session, "rules/save", 303, **edit)
        assert location == "/console/rules/versions/2?said=saved"
        assert (await files_of(store, 2))[COHORTS] == before + MORE
        assert await published(store) == 1
        html = await _get(session, "rules/versions/2")
        assert "cohort keen was added" in html
        assert "stay on the version by which they entered" in html
        order = {"version": "2", "instead_of": "1"}
        assert (await _post(session, "rules/publish", 303, **order))[0].endswith("said=published")
        assert await published(store) == 2
        assert "keen" in await _get(session, "rules")
        await _post(session, "rules/publish", 303, version="1", instead_of="2")
        assert await published(store) == 1
        rows = await store.rows(AUDIT_LOG, {"act": "rules.published"})
        assert [(row["by"], row["of"]) for row in rows if row["by"] == "kim"] != []
        # In one moment of this clock: of equal times the order is that of their ids.
        assert sorted(row["said"].partition(";")[0] for row in rows if row["by"] == "kim") == [
            "instead of version 1",
            "instead of version 2",
        ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lifecycle: customer", "lifecicle: customer", "lifecicle"),
        ("cohorts:", "cohorts: [", f"{COHORTS}"),
        ("known: email", "known: [email", f"{COHORTS}"),
    ],
)
async def test_what_is_wrong_is_told_with_its_line_and_comes_back_as_it_was_typed(
    old: str, new: str, said: str
) -> None:
    store, now = await lived_in()
    before = (await files_of(store, 1))[COHORTS]
    wrong = before.replace(old, new, 1) + "# <b>mine</b>\n"
    async with a_console(store, now) as (session, _):
        await log_in(session)
        edit = {"file": COHORTS, "base": "1", "text": wrong}
        for path, status in (("rules/check", 200), ("rules/save", 422)):
            _, html = await _post(session, path, status, **edit)
            assert re.search(r'data-line="\d+">Line \d+', html)
            assert said in html
            assert wrong in html, "nothing that was typed is lost"
        assert await newest(store) == 1


async def test_of_two_editors_the_later_is_told_and_loses_nothing() -> None:
    store, now = await lived_in()
    before = await files_of(store, 1)
    async with a_console(store, now) as (session, _), a_browser(session) as other:
        await log_in(session)
        await log_in(other, "admin", "the-token")
        theirs = before["scores.yaml"].replace("half_life_days: 14", "half_life_days: 7")
        await _post(other, "rules/save", 303, file="scores.yaml", base="1", text=theirs)
        mine = {"file": COHORTS, "text": before[COHORTS] + MORE}
        _, html = await _post(session, "rules/save", 409, base="1", **mine)
        assert "Version 2 was made meanwhile, by admin" in html
        assert "half life days is 7, was 14" in html
        assert "keen:" in html
        assert 'name="base" value="2"' in html
        location, _ = await _post(session, "rules/save", 303, base="2", **mine)
        assert location.endswith("/3?said=saved")
        both = await files_of(store, 3)
        assert both["scores.yaml"] == theirs
        assert both[COHORTS] == before[COHORTS] + MORE


async def test_two_who_edit_one_file_lose_nothing_of_each_other() -> None:
    store, now = await lived_in()
    before = (await files_of(store, 1))["scores.yaml"]
    theirs = before.replace("half_life_days: 14", "half_life_days: 7")
    async with a_console(store, now) as (session, _):
        await log_in(session)
        await _post(session, "rules/save", 303, file="scores.yaml", base="1", text=theirs)
        # Elsewhere in the file: both edits stand in the text that is given back.
        mine = "# of another hand\n" + before
        _, html = await _post(session, "rules/save", 409, file="scores.yaml", base="1", text=mine)
        assert "# of another hand" in html
        assert "half_life_days: 7" in html
        assert 'name="base" value="2"' in html
        # The same line: it is not saved, however often, until it is said that theirs may go.
        edit = {"file": "scores.yaml", "base": "1", "text": theirs.replace(": 7", ": 9")}
        for _ in range(2):
            _, html = await _post(session, "rules/save", 409, **edit)
            assert 'name="base" value="1"' in html
            assert "half_life_days: 9" in html
            assert 'name="over" value="2"' in html
        await _post(session, "rules/save", 303, **edit, over="2")
        assert (await files_of(store, 3))["scores.yaml"] == edit["text"]


async def test_after_a_roll_back_what_is_published_is_edited_and_what_came_after_stays_as_it_was() -> (
    None
):
    store, now = await lived_in()
    before = (await files_of(store, 1))[COHORTS]
    async with a_console(store, now) as (session, _):
        await log_in(session)
        await _post(session, "rules/save", 303, file=COHORTS, base="1", text=before + MORE)
        await _post(session, "rules/publish", 303, version="2", instead_of="1")
        await _post(session, "rules/publish", 303, version="1", instead_of="2", runs="migrate")
        page = await _get(session, "rules/versions/1")
        assert f'href="/console/rules/edit?file={COHORTS}&version=1"' in page
        assert page.count("Published ") == 2, "once by each who did"
        assert "Decided for the runs under way" not in page, "nobody stood on version 2"
        everybody = a_lived_world().bots.states("rules").values()
        runs = [run for held in everybody for run in held.state.runs.values()]
        under_way = sum(run.active or run.status == "alerted" for run in runs)
        assert 0 < under_way < len(runs)
        assert f"{under_way} stay" in await _get(session, "rules/versions/2")
        html = await _get(session, f"rules/edit?file={COHORTS}&version=1")
        assert "keen:" not in html
        assert "Version 2 is the newest. The draft is made of version 1" in html
        assert 'name="newest" value="2"' in html
        edit = {"file": COHORTS, "base": "1", "newest": "2", "text": before + "# mine\n"}
        location, _ = await _post(session, "rules/save", 303, **edit)
        assert location.endswith("/3?said=saved")
        assert (await files_of(store, 3))[COHORTS] == edit["text"]
        assert (await files_of(store, 2))[COHORTS] == before + MORE
        # Somebody else was first: both stay, and the later is asked whether that is what is wanted.
        later = {**edit, "text": before + "# another\n"}
        _, html = await _post(session, "rules/save", 409, **later)
        assert "Version 3 was made meanwhile, by kim" in html
        assert "your draft would be made of version 1" in html
        assert "# another" in html
        assert 'name="newest" value="3"' in html
        await _post(session, "rules/save", 303, **later | {"newest": "3"})
        assert (await files_of(store, 4))[COHORTS] == later["text"]
        # What comes to what the newest says is no new version.
        location, _ = await _post(session, "rules/save", 303, **later | {"newest": "4"})
        assert location.endswith("/4?said=same")
        async with session.get("/api/v1/rules/1", headers=ADMIN) as answer:
            found = (await answer.json(content_type=None))["version"]
        assert [(each["by"], each["runs"]) for each in found["publications"]] == [
            ("kim", "migrate"),
            ("kim", "stay"),
        ]
        body = {"base": 1, "file": COHORTS, "text": before + "# by the API\n"}
        for more, status in (({}, 409), ({"newest": 4}, 201)):
            async with session.post("/api/v1/rules", headers=ADMIN, json=body | more) as answer:
                assert answer.status == status, await answer.text()


async def test_what_becomes_of_each_group_is_chosen_where_it_is_possible() -> None:
    store, now = await lived_in()
    standing = {each.stage: each for each in await impact(store, 2, rules_without("opened"))}
    went, left, lost = standing["cart"], standing["invited"], standing["opened"]
    async with a_console(store, now) as (session, _):
        await log_in(session)
        text = (await files_of(store, 1))[PATH].replace("- name: opened", "- name: keen")
        await _post(session, "rules/save", 303, file=PATH, base="1", text=text)
        page = await _get(session, "rules/versions/2")
        assert "cannot go over: version 2 has no such stage" in page
        choices = {
            stage: re.findall(r'<option value="(\w+)"', found)
            for stage, found in re.findall(r'name="group:[\w-]+/1/(\w+)".*?>(.*?)</select>', page)
        }
        assert choices["invited"] == ["stay", "migrate", "exit"]
        assert choices["opened"] == ["stay", "exit"]
        order = {"version": "2", "instead_of": "1", "runs": "migrate"}
        wrong = order | {f"group:{lost.name}": "migrate"}
        _, html = await _post(session, "rules/publish", 422, **wrong)
        assert f"Group {lost.name} cannot migrate, for version 2 has no such stage" in html
        assert await published(store) == 1
        chosen = {f"group:{left.name}": "exit", f"group:{lost.name}": ""}
        await _post(session, "rules/publish", 303, **order | chosen)
        [row] = [each for each in await publications(store) if each["version"] == 2]
        assert (row["runs"], row["groups"]) == ("migrate", {left.name: "exit"})
        page = await _get(session, "rules/versions/2")
        over = sum(each.runs + each.waiting for each in standing.values() if each.has_place)
        said = f"{over - left.runs} go over, {lost.runs + lost.waiting} stay, {left.runs} leave"
        assert f"Decided for the runs under way: {said}" in page
        assert "went over" not in page, "nobody has moved yet"
        assert went.runs
        assert left.runs
        assert left.waiting, "who is with a person goes over, where the others leave"
        assert f"runs under way: {said}" in await _get(session, "changes")
        kept = {each["stage"]: each for each in row["impact"]}
        assert (kept["opened"]["choice"], kept["invited"]["choice"]) == ("stay", "exit")
        assert kept["invited"]["decided"] == {"stay": 0, "migrate": left.waiting, "exit": left.runs}
        async with session.get("/api/v1/rules/2", headers=ADMIN) as answer:
            [told] = (await answer.json(content_type=None))["version"]["publications"]
        groups = {each["stage"]: each for each in told["groups"]}
        assert (told["said"], told["came"]) == (said, "")
        for stage, group in kept.items():
            assert groups[stage]["choice"] == group["choice"], stage
            assert groups[stage]["decided"] == group["decided"], stage
        assert groups["opened"]["why_not"] == "no such stage"
        cells = dict(
            re.findall(
                r'<th scope="row">([\w-]+)<small>.*?</th><td class="words sentence">(.*?)</td>',
                page,
            )
        )
        stays = f"{lost.runs + lost.waiting} stay: version 2 has no such stage"
        assert cells["opened"] == stays, "and not what was chosen for all"
        assert cells["invited"] == f"{left.waiting} go over, {left.runs} leave"


async def test_what_happened_is_said_once_the_mover_is_done() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        text = (await files_of(store, 1))[PATH] + "# again\n"
        await _post(session, "rules/save", 303, file=PATH, base="1", text=text)
        order = {"version": "2", "instead_of": "1", "runs": "migrate"}
        await _post(session, "rules/publish", 303, **order)
        [row] = [each for each in await publications(store) if each["version"] == 2]
        decided = sum(each["runs"] + each["waiting"] for each in row["impact"])
        assert f"{decided} go over" in await _get(session, "rules/versions/2")
        move = {"status": "under way", "action": "migrate", "at": now, "version": 2}
        move |= {"told": {f"{PATH}/cart": 3}, "left": {}, "telling": []}
        await store.put_document("moves", str(row["number"]), move)
        page = await _get(session, "rules/versions/2")
        assert f"{decided} go over" in page
        assert "What came of it" not in page
        move |= {"status": "done", "told": {f"{PATH}/cart": decided - 3}, "stay": {}}
        move |= {"left": {f"{PATH}/cart": 1}}
        await store.put_document("moves", str(row["number"]), move)
        page = await _get(session, "rules/versions/2")
        came = f"{decided - 4} went over, 1 left, 3 had ended by then"
        assert f"What came of it: {came}" in page
        async with session.get("/api/v1/rules/2", headers=ADMIN) as answer:
            [told] = (await answer.json(content_type=None))["version"]["publications"]
        assert (told["said"], told["came"]) == (f"{decided} go over", came)


async def test_groups_stand_in_the_order_of_their_path() -> None:
    store, now = await lived_in()
    stages = places_of(parse(PATH, (await files_of(store, 1))[PATH]).data)
    assert stages != sorted(stages), "else their names would do"
    async with a_console(store, now) as (session, _):
        await log_in(session)
        text = (await files_of(store, 1))[PATH] + "# again\n"
        await _post(session, "rules/save", 303, file=PATH, base="1", text=text)
        page = await _get(session, "rules/versions/2")
        shown = re.findall(r'name="group:[\w-]+/1/([\w-]+)"', page)
        assert len(shown) > 2
        assert shown == [each for each in stages if each in shown]
        async with session.get("/api/v1/rules/2/impact", headers=ADMIN) as answer:
            groups = (await answer.json(content_type=None))["impact"]
        assert [each["stage"] for each in groups] == shown


async def test_a_publication_that_somebody_else_overtook_is_refused() -> None:
    store, now = await lived_in()
    before = (await files_of(store, 1))[COHORTS]
    async with a_console(store, now) as (session, _):
        await log_in(session)
        for number, title in enumerate(("one", "two"), 1):
            text = f"{before}# {title}\n"
            await _post(session, "rules/save", 303, file=COHORTS, base=str(number), text=text)
        await _post(session, "rules/publish", 303, version="3", instead_of="1")
        _, html = await _post(session, "rules/publish", 409, version="2", instead_of="1")
        assert "somebody else published" in html.lower()
        assert await published(store) == 3


async def test_a_file_is_added_and_removed_and_what_still_needs_it_is_told() -> None:
    store, now = await lived_in()
    hello = (await files_of(store, 1))["templates/invite-hello.yaml"]
    async with a_console(store, now) as (session, _):
        await log_in(session)
        assert "A new file" in await _get(session, "rules/edit?file=templates/new-one.yaml")
        edit = {"file": "templates/new-one.yaml", "base": "1", "text": hello}
        await _post(session, "rules/save", 303, **edit)
        assert (await files_of(store, 2))["templates/new-one.yaml"] == hello
        await _post(session, "rules/remove", 303, file="templates/new-one.yaml", base="2")
        assert await files_of(store, 3) == await files_of(store, 1)
        used = {"file": "templates/invite-hello.yaml", "base": "3"}
        _, html = await _post(session, "rules/remove", 422, **used)
        assert "paths/lead-to-customer.yaml" in html, "a path still names it"


async def test_a_new_file_begins_with_an_example_and_stays_new_until_it_is_saved() -> None:
    store, now = await lived_in()
    file = "paths/win-back.yaml"
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, f"rules/edit?file={file}")
        assert "This is an example to begin with" in html
        assert "entry: {cohort: addressable-lead}" in html
        assert "What a step does" in html
        wrong = {"file": file, "base": "1", "text": "titel: Come back\n"}
        for path, status in (("rules/check", 200), ("rules/save", 422)):
            _, html = await _post(session, path, status, **wrong)
            assert "A new file, on top of version 1" in html
            assert "Remove the file" not in html
            assert ("nothing was saved" in html) == (path == "rules/save")
            assert "example to begin with" not in html
        text = beginning_of(file)
        location, _ = await _post(session, "rules/save", 303, **wrong | {"text": text})
        assert location.startswith("/console/rules/versions/2")
        assert "Remove the file" in await _get(session, f"rules/edit?file={file}")


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("rules/save", {"file": "../settings.yaml", "base": "1", "text": "x"}, 422),
        ("rules/save", {"file": "a/b/c.yaml", "base": "1", "text": "x"}, 422),
        ("rules/save", {"file": "x" * 200, "base": "1", "text": "x"}, 422),
        ("rules/save", {"file": "settings.yaml", "base": "1", "text": "x: 1"}, 422),
        ("rules/save", {"file": COHORTS, "base": "one", "text": "x"}, 422),
        ("rules/save", {"file": COHORTS, "base": "1", "text": "a\0b"}, 422),
        ("rules/save", {"file": COHORTS, "base": "99", "text": "x"}, 409),
        ("rules/save", {}, 422),
        ("rules/publish", {"version": "99", "instead_of": "1"}, 404),
        ("rules/publish", {"version": "-1", "instead_of": "1"}, 422),
        ("rules/publish", {"version": "1"}, 422),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_page_that_says_so(
    path: str, form: dict[str, str], status: int
) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        await _post(session, path, status, **form)
        assert await newest(store) == 1
        assert await published(store) == 1


@pytest.mark.parametrize("path", ["rules/versions/9", "rules/versions/x", "rules/edit?file=.."])
async def test_what_is_not_there_is_said_to_be_not_there(path: str) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        async with session.get(f"/console/{path}") as answer:
            assert answer.status in (404, 422)
            assert "Nothing was changed" in await answer.text()


async def test_the_same_stands_in_the_admin_api() -> None:
    store, now = await lived_in()
    people = await store.figures("behavior")
    async with a_console(store, now) as (session, _):

        async def get(path: str, status: int = 200) -> Any:
            async with session.get(f"/api/v1/{path}", headers=ADMIN) as answer:
                assert answer.status == status
                return await answer.json(content_type=None)

        [line] = (await get("rules"))["rules"]
        assert [each["by"] for each in line.pop("publications")] == ["kim"]
        assert line | {"at": ""} == {"number": 1, "at": "", "by": "kim", "is_published": True}
        found = await get("cohorts")
        assert found["as_of"] == "2026-03-26T06:00:00Z"
        counts = {each["name"]: each["people"] for each in found["cohorts"]}
        assert counts["customers"] == people["cohorts/customers"]
        assert [each["name"] for each in (await get("paths"))["paths"]] == ["lead-to-customer"]
        assert len((await get("templates"))["templates"]) == TEMPLATES
        routine = (await get("routines/lead-to-customer"))["routine"]
        assert routine["entered"] == sum(
            edge["runs"] for edge in routine["edges"] if not edge["source"]
        )
        await get("routines/none", 404)
