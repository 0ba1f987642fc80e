"""Who would be in the cohorts of a draft, counted while it is written: exact for few people, a sample for many."""

from __future__ import annotations

from datetime import datetime

import pytest

from agents.rules.compiled import CompiledRules
from config.load import DEFAULTS, compile_files, read_folder
from messaging.gateway.console.rulebook import Matching
from messaging.ports import Store
from scripts import matching as counting
from scripts.affected import Ask, asks_of, changed
from scripts.entering import entering, said
from scripts.matching import matching
from scripts.rules import push_files
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


SCORES = "scores.yaml"
PATH = "paths/lead-to-customer.yaml"
OLD = compile_files(FILES, 1)


def asks(file: str, text: str) -> tuple[list[Ask], list[str], CompiledRules]:
    """Return what an edit of one file asks of visitors, what it says besides, and its rules."""
    rules = compile_files(FILES | {file: text}, 2)
    return *asks_of(OLD, rules, FILES | {file: text}, file, FILES.get(file, "")), rules


def edited(file: str, before: str, after: str) -> str:
    """Return a shipped file with one thing written otherwise."""
    assert before in FILES[file], "the routine's text has changed"
    return FILES[file].replace(before, after, 1)


async def counted(store: Store, now: datetime, file: str, text: str) -> Matching:
    found, notes, rules = asks(file, text)
    return await matching(store, rules, found, now, "opt-in", notes)


async def test_of_few_people_everybody_is_asked_and_the_count_is_what_the_bots_have() -> None:
    store, now = await lived_in()
    figures = await store.figures("behavior")
    text = FILES[COHORTS].replace("customers:", "buyers:", 1)
    files = {
        name: each.replace("cohort: customers", "cohort: buyers") for name, each in FILES.items()
    }
    rewritten = text.replace("cohort: customers", "cohort: buyers")
    rules = compile_files(files | {COHORTS: rewritten}, 2)
    assert rules.cohorts["buyers"].said == OLD.cohorts["customers"].said
    files |= {COHORTS: rewritten}
    found, _ = asks_of(OLD, rules, files, COHORTS, FILES[COHORTS])
    told = await matching(store, rules, found, now, "opt-in")
    assert told.looked == told.people == int(figures["people"])
    [line] = [line for line in told.lines if line.name == "buyers"]
    assert line.people == line.low == line.high == figures["cohorts/customers"]
    assert line.now is None


async def test_of_many_people_a_sample_is_asked_and_its_interval_holds_the_truth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "SAMPLE", 40)
    monkeypatch.setattr(counting, "AT_ONCE", 20)
    store, now = await lived_in()
    found = await counted(store, now, COHORTS, FILES[COHORTS] + KEEN)
    [line] = found.lines
    assert (found.looked, found.people) == (40, int((await store.figures("behavior"))["people"]))
    assert line.low <= line.people <= line.high
    assert line.low < line.high


async def test_what_refers_to_an_edited_cohort_is_counted_with_it_and_so_are_paths() -> None:
    store, now = await lived_in()
    text = FILES[COHORTS] + (
        "  base:\n    when: {known: email}\n"
        "  upon:\n    when: {all: [{cohort: base}, {known: email}]}\n"
        "  over:\n    when: {cohort: upon}\n"
    )
    files = FILES | {COHORTS: text, PATH: edited(PATH, "cohort: addressable-lead", "cohort: over")}
    old = compile_files(files, 1)
    after = text.replace(
        "base:\n    when: {known: email}", "base:\n    when: {lifecycle: customer}"
    )
    rules = compile_files(files | {COHORTS: after}, 2)
    found, notes = asks_of(old, rules, files | {COHORTS: after}, COHORTS, text)
    assert [(ask.name, ask.kind) for ask in found] == [
        ("base", "cohort"),
        ("upon", "depends"),
        ("over", "depends"),
        ("lead-to-customer", "path"),
    ]
    assert notes == []
    told = await matching(store, rules, found, now, "opt-in")
    people = {line.name: line.people for line in told.lines}
    figures = await store.figures("behavior")
    assert people["base"] == figures["cohorts/customers"] > 0
    assert people["upon"] == people["over"] == people["lead-to-customer"] == people["base"]


SEEN = "page: {starts_with: /}"
UNKEPT = {
    "page": SEEN,
    "properties": "event: {name: Product Viewed, properties: {price: {at_least: 1}}}",
    "probability": "probability: {of: opportunity, from: 0.0}",
    "cart": "cart: {items_at_least: 2}",
    "changed": "trait: {name: city, changed: {within_days: 30}}",
}


def a_cohort(name: str, when: str) -> str:
    return f"  {name}:\n    when: {{{when}}}\n"


@pytest.mark.parametrize("name", UNKEPT)
async def test_what_is_not_kept_yet_is_no_number_but_a_span_with_the_line_and_what_to_do(
    name: str,
) -> None:
    store, now = await lived_in()
    assert not any(each.keeps & {"cart:kept"} for each in OLD.cohorts.values())
    text = (
        FILES[COHORTS]
        + a_cohort("wanted", UNKEPT[name])
        + a_cohort("others", f"not: {{{UNKEPT[name]}}}")
    )
    told = await counted(store, now, COHORTS, text)
    lines = {line.name: line for line in told.lines}
    figures = await store.figures("behavior")
    leads = int(figures["people"] - figures["cohorts/customers"])
    most = leads if name == "probability" else told.people
    number = text[: text.index("  wanted:")].count("\n") + 2
    for line, low, high in (
        (lines["wanted"], 0, most),
        (lines["others"], told.people - most, told.people),
    ):
        assert (line.people, line.low, line.high) == (None, low, high), line
    [first] = lines["wanted"].unknown
    assert first.startswith(f"line {number} of cohorts.yaml, ")
    assert UNKEPT[name].partition(":")[0] in first
    assert any(note.startswith(first) and "Try" in note for note in told.notes), told.notes
    assert len(told.notes) == 2, "each condition once"


async def test_what_is_known_bounds_what_is_not() -> None:
    store, now = await lived_in()
    figures = await store.figures("behavior")
    customers, people = int(figures["cohorts/customers"]), int(figures["people"])
    text = FILES[COHORTS] + "".join(
        (
            a_cohort("both", f"all: [{{lifecycle: customer}}, {{{SEEN}}}]"),
            a_cohort("either", f"any: [{{lifecycle: customer}}, {{{SEEN}}}]"),
            a_cohort("rest", "all: [{not: {cohort: either}}, {page: {contains: q}}]"),
            a_cohort(
                "sure", f"all: [{{lifecycle: customer}}, {{any: [{{known: email}}, {{{SEEN}}}]}}]"
            ),
            a_cohort("never", f"all: [{{orders: {{at_least: 900}}}}, {{{SEEN}}}]"),
        )
    )
    told = await counted(store, now, COHORTS, text)
    lines = {line.name: (line.people, line.low, line.high) for line in told.lines}
    assert lines == {
        "both": (None, 0, customers),
        "either": (None, customers, people),
        "rest": (None, 0, people - customers),
        "sure": (customers, customers, customers),
        "never": (0, 0, 0),
    }
    unknown = {line.name: line.unknown for line in told.lines}
    assert unknown["sure"] == unknown["never"] == []


async def test_what_is_kept_whoever_asks_is_an_exact_number() -> None:
    store, now = await lived_in()
    text = (
        FILES[COHORTS]
        + a_cohort("asked", "in_cart: true")
        + a_cohort("viewed", "session: {depth_at_least: 1}")
    )
    told = await counted(store, now, COHORTS, text)
    assert told.notes == []
    assert all(line.low == line.people == line.high for line in told.lines)


async def test_a_score_that_gives_other_points_is_not_known_before_it_is_filled() -> None:
    store, now = await lived_in()
    text = FILES[SCORES].replace("page: 1", "page: 7", 1)
    assert text != FILES[SCORES], "the routine's text has changed"
    told = await counted(store, now, SCORES, text)
    for line in told.lines:
        if line.kind == "score":
            assert (line.people, line.low, line.high) == (None, 0, told.people)
            assert line.unknown[0].startswith("line ")
    assert any("scores.yaml" in note for note in told.notes)


async def test_who_would_enter_by_what_is_not_kept_is_a_span_too_and_the_editor_says_so() -> None:
    store, now = await lived_in()
    text = FILES[COHORTS] + a_cohort("seen", SEEN)
    entry = edited(PATH, "cohort: addressable-lead", "cohort: seen")
    files = FILES | {COHORTS: text, PATH: entry}
    rules = compile_files(files, 2)
    found, notes = asks_of(OLD, rules, files, COHORTS, FILES[COHORTS])
    told = await matching(store, rules, found, now, "opt-in", notes)
    [line] = [each for each in told.lines if each.kind == "path"]
    assert (line.people, line.at_once, line.at_once_at_most) == (None, 0, told.people)
    async with a_console(store, now) as (session, _):
        await log_in(session)
        form = {"form_key": await form_key(session), "file": COHORTS, "base": "1"}
        async with session.post("/console/rules/check", data={**form, "text": text}) as answer:
            html = await answer.text()
        counted_here = html.partition('id="matches"')[2].partition("</section>")[0]
        assert "not known" in counted_here
        assert f"0 to {told.people}" in counted_here
        assert "page: {starts_with: /}" in counted_here
        assert 'href="/console/try"' in counted_here
        assert "<b>0</b>" not in counted_here
        body = {"base": 1, "file": COHORTS, "text": text}
        async with session.post("/api/v1/rules/matching", headers=ADMIN, json=body) as answer:
            [line] = (await answer.json())["matching"]["lines"]
        assert (line["people"], line["low"], line["high"]) == (None, 0, told.people)


async def test_a_scores_edit_counts_its_bands_as_fading_and_caps_make_them() -> None:
    store, now = await lived_in()
    [name] = OLD.scores
    bands = [band for _, band in OLD.scores[name].bands]
    assert bands, "the routine's score has bands"
    low = edited(SCORES, f"from: {OLD.scores[name].bands[-1][0]:g}", "from: 100")
    told = await counted(store, now, SCORES, low)
    lines = {line.name: line for line in told.lines if line.kind == "score"}
    assert [*lines] == [f"{name}: {band}" for band in bands]
    top = lines[f"{name}: {bands[-1]}"]
    assert top.people == 0
    assert "from 100" in top.said
    [same] = [each for each in told.lines if each.name == f"{name}: {bands[0]}"]
    assert same.now is not None


async def test_a_paths_edit_counts_who_would_enter_as_its_publication_would() -> None:
    store, now = await lived_in()
    text = edited(PATH, "cohort: addressable-lead", "cohort: customers")
    told = await counted(store, now, PATH, text)
    [line] = told.lines
    figures = await store.figures("behavior")
    assert (line.name, line.kind, line.said) == (
        "lead-to-customer",
        "path",
        "entered by cohort customers",
    )
    assert line.people == line.now == figures["cohorts/customers"]
    assert line.at_once == 0, "who is inside already does not enter"
    text = edited(PATH, "cohort: addressable-lead", "date: {trait: birthday}")
    [line] = (await counted(store, now, PATH, text)).lines
    assert (line.people, line.at_once, line.now) == (0, 0, None)
    text = edited(PATH, "cohort: addressable-lead", "event: Signed Up")
    told = await counted(store, now, PATH, text)
    assert told.lines == []
    assert told.notes == [
        "lead-to-customer is entered by event Signed Up: whom that will be, no state tells"
    ]


async def test_who_would_enter_at_once_is_who_the_page_of_the_version_says() -> None:
    store, now = await lived_in()
    text = FILES[COHORTS] + KEEN
    entry = edited(PATH, "cohort: addressable-lead", "cohort: keen")
    files = FILES | {COHORTS: text, PATH: entry}
    version, _ = await push_files(store, files, at=now, by="kim")
    [wanted] = await entering(store, version)
    rules = compile_files(files, version)
    found, _ = asks_of(OLD, rules, files, PATH, FILES[PATH])
    [line] = [
        each
        for each in (await matching(store, rules, found, now, "opt-in")).lines
        if each.kind == "path"
    ]
    assert line.at_once == wanted.people > 0


LOOKED = """\
  looked:
    when:
      all:
        - known: email
        - not: {lifecycle: customer}
        - any:
            - lifecycle: lead
            - page: {starts_with: /nowhere-at-all}
"""


async def test_who_cannot_be_known_yet_is_said_by_bounds_and_never_to_be_nobody() -> None:
    store, now = await lived_in()
    for when, is_decided in (
        (LOOKED, True),
        (LOOKED.replace("lifecycle: lead", "in_cart: true"), False),
    ):
        entry = edited(PATH, "cohort: addressable-lead", "cohort: looked")
        files = FILES | {COHORTS: FILES[COHORTS] + when, PATH: entry}
        version, _ = await push_files(store, files, at=now, by="kim")
        [wanted] = await entering(store, version)
        rules = compile_files(files, version)
        found, notes = asks_of(OLD, rules, files, PATH, FILES[PATH])
        lines = (await matching(store, rules, found, now, "opt-in", notes)).lines
        [line] = [each for each in lines if each.kind == "path"]
        bounds = (line.at_once, line.at_once_at_most)
        assert (wanted.people, wanted.people + wanted.unknown) == bounds
        assert (wanted.unknown == 0) == is_decided
        assert "nobody enters" not in said(wanted)


async def test_an_interactions_edit_counts_who_may_be_offered_it() -> None:
    store, now = await lived_in()
    file = "interactions/opinion.yaml"
    cohort = OLD.interactions["opinion"].cohort
    told = await counted(store, now, file, edited(file, f"cohort: {cohort}", "cohort: customers"))
    [line] = told.lines
    assert (line.name, line.kind) == ("opinion", "interaction")
    assert line.now is not None


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
        for file in (
            "scores.yaml",
            "templates/new.yaml",
        ):  # a wrong file, and one that nobody matches
            body = {**body, "file": file}
            async with session.post("/api/v1/rules/matching", headers=ADMIN, json=body) as answer:
                assert (await answer.json())["matching"] is None
