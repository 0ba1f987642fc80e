"""Who would be in the cohorts of a draft, counted while it is written: exact for few people, a sample for many."""

from __future__ import annotations

import pytest

from config.load import DEFAULTS, compile_files, read_folder
from scripts import matching as counting
from scripts.matching import changed, matching
from tests.console_builders import a_console, form_key, lived_in, log_in
from tests.gateway_builders import ADMIN

COHORTS = "cohorts.yaml"
FILES = read_folder(DEFAULTS)
KEEN = (
    "  keen:\n    when:\n      all:\n        - known: email\n        - not: {lifecycle: customer}\n"
)


def test_only_the_cohorts_that_an_edit_changes_are_counted() -> None:
    text = FILES[COHORTS]
    assert changed(text, text) == []
    assert changed(text, text + KEEN) == ["keen"]
    assert changed("", "cohorts: {a: {when: {known: email}}}") == ["a"]
    for broken in ("", "[", "cohorts: 3", "- a"):
        assert changed(text, broken) == []


async def test_of_few_people_everybody_is_asked_and_the_count_is_what_the_bots_have() -> None:
    store, now = await lived_in()
    rules = compile_files(FILES, 1)
    figures = await store.figures("behavior")
    names = ["addressable-lead", "customers"]
    found = await matching(store, rules, names, now, "opt-in")
    assert found.looked == found.people == int(figures["people"])
    for line in found.lines:
        assert line.people == line.low == line.high == line.now == figures[f"cohorts/{line.name}"]


async def test_of_many_people_a_sample_is_asked_and_its_interval_holds_the_truth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "SAMPLE", 40)
    monkeypatch.setattr(counting, "AT_ONCE", 20)
    store, now = await lived_in()
    found = await matching(store, compile_files(FILES, 1), ["customers"], now, "opt-in")
    [line] = found.lines
    assert (found.looked, found.people) == (40, int((await store.figures("behavior"))["people"]))
    assert line.low <= line.people <= line.high
    assert line.low <= line.now <= line.high
    assert line.low < line.high


async def test_the_editor_counts_what_is_written_and_not_while_it_is_wrong() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        form = {"form_key": await form_key(session), "file": COHORTS, "base": "1"}
        text = FILES[COHORTS] + KEEN
        async with session.post("/console/rules/check", data={**form, "text": text}) as answer:
            html = await answer.text()
        counted = html.partition('id="matches"')[2].partition("</section>")[0]
        assert ">keen<" in counted
        assert "people were asked" in counted
        wrong = text.replace("known: email\n        - not", "knwon: email\n        - not")
        async with session.post("/console/rules/check", data={**form, "text": wrong}) as answer:
            assert "Nobody is counted while there is an error" in await answer.text()
        body = {"base": 1, "file": COHORTS, "text": text}
        async with session.post("/api/v1/rules/matching", headers=ADMIN, json=body) as answer:
            [line] = (await answer.json())["matching"]["lines"]
        assert line["name"] == "keen"
        assert line["people"] > 0
        body = {**body, "file": "scores.yaml"}
        async with session.post("/api/v1/rules/matching", headers=ADMIN, json=body) as answer:
            assert (await answer.json())["matching"] is None
