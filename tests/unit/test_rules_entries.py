"""Hold how people come onto a path: by cohort, event, date, list or API, and when they may come again."""

from __future__ import annotations

from dataclasses import replace as with_fields
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.behavior_bot.entries import FRESH
from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules, EntryRule
from agents.rules_manager.state import OPEN_MAX, RUNS_MAX
from config.load import DEFAULTS, compile_files, read_folder, validate_files
from messaging.vocabulary.effects import Effect, LogStory, Tell
from messaging.vocabulary.events import EntryAsked, Record
from messaging.vocabulary.ids import position
from messaging.vocabulary.messages import (
    AlertAnswered,
    Arrived,
    CohortEntered,
    EntryMet,
    GoalReached,
    MergedInto,
    StateMerged,
)
from tests.behavior_builders import (
    ANN,
    START,
    Ann,
    a_listing,
    a_record,
    a_track,
    a_view,
    an_identify,
)
from tests.rules_builders import HOUR, PATH, VISITOR, OneVisitor, some_rules
from tests.rules_builders import a_view as a_small_view

FILE = "paths/lead-to-customer.yaml"


def files_with(entry: str, reentry: str = "never") -> dict[str, str]:
    """Return the shipped files with another entry, and another goal."""
    files = read_folder(DEFAULTS)
    entered_by = "entry:\n  cohort: addressable-lead"
    assert entered_by in files[FILE], "the routine's text has changed"
    path = files[FILE].replace(entered_by, f"entry:\n  {entry}")
    path = path.replace("reentry: never", f"reentry: {reentry}")
    files[FILE] = path.replace("goal: [Order Completed]", "goal: [Club Joined]")
    return files


def view_of(entry: str, reentry: str = "never") -> View:
    """Return a view of the shipped files with another entry."""
    rules = compile_files(files_with(entry, reentry), 1)
    return a_view(rules=rules, pinned={1: rules})


def met(effects: list[Effect]) -> list[tuple[str, str]]:
    """Return (path, key) of what Rules is told of entries."""
    told = [e.message for e in effects if isinstance(e, Tell) and e.bot == "rules"]
    return [(each.path, each.key) for each in told if isinstance(each, EntryMet)]


def entered(effects: list[Effect]) -> list[str]:
    """Return the cohorts that Rules is told were entered."""
    told = [e.message for e in effects if isinstance(e, Tell)]
    return [each.cohort for each in told if isinstance(each, CohortEntered)]


def arrived(record: Record) -> Arrived:
    """Return what Behavior gets of a record."""
    return Arrived(ANN, record.received_at, record)


# ------------------------------------------------------------------------ what a file may say

MISTAKES = [
    ("two causes", "cohort: addressable-lead\n  event: Signed Up", "never", "entry:", "write one of cohort"),
    ("no cause", "api: false", "never", "entry:", "write one of cohort"),
    ("where without an event", "api: true\n  where: {total: {at_least: 9}}", "never", "entry:", "name it under event"),
    ("an event that is the goal", "event: Club Joined", "never", "event: Club", "every run would end as it begins"),
    ("a cohort has no key", "cohort: addressable-lead", "keyed\nkey: order_id", "reentry:", "no key that would tell"),
    ("no key", "event: Signed Up", "keyed", "reentry:", "needs the event's property"),
    ("a key that is not looked at", "event: Signed Up", "never\nkey: order_id", "key: order_id", "no key is looked at"),
    ("a key of nobody", "list: vip", "keyed\nkey: order_id", "reentry:", "no key that would tell"),
    ("days too far", "date: {trait: birthday, offset_days: -400}", "never", "date:", "greater than or equal to -180"),
    ("anniversary too far", "date: {trait: x, anniversary: true, offset_days: 181}", "never", "date:", "180 at most"),
    ("an unknown re-entry", "event: Signed Up", "always", "reentry:", "'every_time'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "reentry", "at", "problem"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_wrong_entry_is_told_by_its_line(entry: str, reentry: str, at: str, problem: str) -> None:
    files = files_with(entry, reentry)
    (error, *_) = validate_files(files)
    line = files[FILE][: files[FILE].index(at)].count("\n") + 1
    assert (error.file, error.line) == (FILE, line)
    assert problem in str(error)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("event: Order Completed\n  where: {total: {at_least: 9}}", "event Order Completed with such properties"),
        ("list: vip", "list vip"),
        ("api: true", "a call of the API"),
        ("date: {trait: renewal, offset_days: 1}", "1 day after the day of renewal"),
        ("cohort: addressable-lead\n  api: true", "cohort addressable-lead, or a call of the API"),
    ],
)  # fmt: skip
def test_every_entry_can_be_written_and_said(entry: str, said: str) -> None:
    assert validate_files(files_with(entry)) == []
    rules = compile_files(files_with(entry), 1)
    assert rules.paths["lead-to-customer"].entry.said == said


# ------------------------------------------------------------------------------- Behavior tells


def test_an_event_starts_a_run_each_time_and_tells_its_key() -> None:
    entry = "event: Order Completed\n  where: {total: {at_least: 50}}"
    ann = Ann(view_of(entry, "keyed\nkey: order_id"))
    big = {"order_id": "o1", "total": 80}
    assert met(ann.take(arrived(a_track(1, "Order Completed", properties=big)))) == [
        ("lead-to-customer", "o1")
    ]
    small = {"order_id": "o2", "total": 20}
    assert met(ann.take(arrived(a_track(2, "Order Completed", properties=small)))) == []
    odd = {"order_id": ["o3"], "total": 80}
    assert met(ann.take(arrived(a_track(3, "Order Completed", properties=odd)))) == [
        ("lead-to-customer", "")
    ]


def test_an_event_of_the_past_starts_nothing() -> None:
    ann = Ann(view_of("event: Signed Up"))
    late = START + FRESH + timedelta(seconds=1)
    record = a_record(1, at=START, taken=late, type="track", event="Signed Up", anonymousId="a1")
    assert met(ann.take(Arrived(ANN, late, record), now=late)) == []
    again = a_record(2, at=late, type="track", event="Signed Up", anonymousId="a1")
    assert met(ann.take(Arrived(ANN, late, again), now=late)) == [("lead-to-customer", "")]


def test_the_api_lets_somebody_in() -> None:
    ann = Ann(view_of("api: true"))
    fact = EntryAsked(visitor=ANN, path="lead-to-customer", key="o1")
    record = Record(position(1, 1), "m1", 0, START, START, "", msgspec.json.encode(fact))
    assert met(ann.take(arrived(record))) == [("lead-to-customer", "o1")]


def test_a_list_is_a_hidden_cohort() -> None:
    ann = Ann(view_of("list: vip"))
    effects = ann.take(arrived(a_listing(1, "1", vip=True)))
    assert ".lead-to-customer." in entered(effects)


@pytest.mark.parametrize(
    ("entry", "born", "day"),
    [
        ("{trait: birthday, anniversary: true, offset_days: -7}", "1990-12-24", "2026-12-17"),
        ("{trait: birthday, anniversary: true, offset_days: 7}", "1990-11-20", "2026-11-27"),
        ("{trait: birthday, anniversary: true}", "1990-11-24", "2026-11-24"),
        ("{trait: birthday, anniversary: true, offset_days: -30}", "1990-01-15", "2026-12-16"),
        ("{trait: birthday, offset_days: 3}", "2026-11-24", "2026-11-27"),
        ("{trait: birthday, offset_days: -1}", "2026-11-26", "2026-11-25"),
    ],
)
def test_a_date_lets_in_on_its_day_and_on_no_other(entry: str, born: str, day: str) -> None:
    """By the wake-ups alone: nobody is looked for."""
    ann = Ann(view_of(f"date: {entry}"))
    traits = {"birthday": born, "timezone": "America/New_York"}
    effects = ann.take(arrived(an_identify(1, "1", traits=traits)))
    assert ".lead-to-customer." not in entered(effects)
    begins = datetime.fromisoformat(f"{day}T05:00:00+00:00")
    found = []
    while (due := ann.wakes.get("cohorts")) is not None and due < begins + timedelta(days=60):
        if ".lead-to-customer." in entered(ann.wakes_until(due)):
            found.append(due)
    assert found == [begins]


# ------------------------------------------------------------------------------- Rules takes


def rules_with(**path: Any) -> CompiledRules:
    """Return small rules whose path is entered by an event."""
    rules = some_rules()
    changed = msgspec.structs.replace(
        rules.paths[PATH], entry=EntryRule(event="Order Completed", key="order_id"), **path
    )
    return with_fields(rules, paths={PATH: changed})


def somebody(**path: Any) -> OneVisitor:
    """Return a visitor who may be written to."""
    one = OneVisitor(a_small_view(rules_with(**path)))
    one.identify()
    return one


def ask(one: OneVisitor, key: str = "", path: str = PATH) -> None:
    """Let a visitor in."""
    one.take(EntryMet(VISITOR, one.now, path, 1, key))


def refusals(one: OneVisitor) -> list[str]:
    """Return the rules by which runs were refused."""
    lines = [e for e in one.effects if isinstance(e, LogStory)]
    return [line.detail["rule"] for line in lines if line.kind == "run.refused"]


def test_never_is_never_also_when_the_run_was_let_go() -> None:
    one = somebody(reentry="never")
    ask(one)
    one.buy()
    one.state.runs.clear()
    one.now += 24 * HOUR
    ask(one)
    assert one.state.runs == {}


def test_after_the_end_means_one_run_at_a_time() -> None:
    one = somebody(reentry="after_end")
    ask(one)
    ask(one)
    assert [run.run for run in one.state.runs.values()] == ["1"]
    one.buy()
    one.now += HOUR
    ask(one)
    assert [(run.run, run.status) for run in one.state.runs.values()] == [("2", "planned")]


def test_every_time_opens_a_run_beside_the_others_up_to_a_bound() -> None:
    one = somebody(reentry="every_time")
    for _ in range(OPEN_MAX + 2):
        ask(one)
    assert len(one.state.runs) == OPEN_MAX
    assert len({run.run for run in one.state.runs.values()}) == OPEN_MAX
    assert refusals(one) == ["open_runs"] * 2


def test_a_key_has_one_run_and_another_key_another() -> None:
    one = somebody(reentry="keyed")
    for key in ("o1", "o2", "o1"):
        ask(one, key)
    ask(one)
    assert [run.run for run in one.state.runs.values()] == ["o1~1", "o2~2"]
    assert refusals(one) == ["no_key"]


def test_runs_beside_each_other_send_apart_and_share_the_caps() -> None:
    """Each has wake-ups, sends and windows of its own; the cap of one e-mail in 20 hours holds for both."""
    one = somebody(reentry="keyed")
    ask(one, "o1")
    ask(one, "o2")
    one.pass_time(24 * 30)
    assert {(plan.run, plan.attempt) for plan in one.plans} == {
        (run, attempt) for run in ("o1~1", "o2~2") for attempt in (1, 2, 3, 4)
    }
    assert len({plan.send_id for plan in one.plans}) == 8
    gaps = [b - a for a, b in zip(one.sent_at, one.sent_at[1:], strict=False)]
    assert min(gaps) >= 20 * HOUR
    assert len({alert.alert_id for alert in one.alerts}) == 2


def test_an_alert_of_one_of_several_runs_resumes_that_one() -> None:
    one = somebody(reentry="keyed")
    ask(one, "o1")
    ask(one, "o2")
    one.pass_time(24 * 30)
    alert = next(a for a in one.alerts if a.run == "o2~2")
    one.take(AlertAnswered(VISITOR, one.now, alert.alert_id, PATH, "o2~2", "resume", "ann", ""))
    assert {run.run: run.status for run in one.state.runs.values()} == {
        "o1~1": "alerted",
        "o2~3": "planned",
    }


def test_the_goal_ends_every_run_of_the_path() -> None:
    one = somebody(reentry="keyed")
    ask(one, "o1")
    ask(one, "o2")
    one.buy()
    assert {run.status for run in one.state.runs.values()} == {"won"}
    assert one.wakes == {}


def test_who_may_not_be_written_to_is_refused_with_the_reason() -> None:
    one = OneVisitor(a_small_view(rules_with()))
    ask(one)
    one.identify(may_email=False)
    ask(one)
    assert (one.state.runs, refusals(one)) == ({}, ["consent", "consent"])


def test_an_unknown_path_is_refused_and_a_goal_reached_since_as_well() -> None:
    one = somebody()
    ask(one, path="nowhere")
    one.buy(at=one.now + HOUR)
    ask(one)
    assert (one.state.runs, refusals(one)) == ({}, ["no_such_path", "goal_reached"])


@pytest.mark.parametrize(("reentry", "runs"), [("keyed", 3), ("every_time", 4)])
def test_a_merge_makes_one_run_of_a_key_and_keeps_the_others(reentry: str, runs: int) -> None:
    older, younger = somebody(reentry=reentry), somebody(reentry=reentry)
    for one, keys in ((older, ("o1", "o2")), (younger, ("o2", "o3"))):
        for key in keys:
            ask(one, key)
    state = next(
        e.message.state
        for e in younger.take(MergedInto(VISITOR, younger.now, VISITOR))
        if isinstance(e, Tell) and isinstance(e.message, StateMerged)
    )
    older.take(StateMerged(VISITOR, older.now, "b" * 24, state))
    assert len(older.state.runs) == runs
    older.pass_time(24 * 60)
    assert len({plan.send_id for plan in older.plans}) == len(older.plans) > 4
    older.take(GoalReached(VISITOR, older.now, [PATH], "o", 1.0, "EUR", "", ""))
    assert not any(run.active for run in older.state.runs.values())


def test_the_runs_of_a_visitor_are_bounded() -> None:
    one = somebody(reentry="keyed")
    for number in range(3 * RUNS_MAX):
        ask(one, f"o{number}")
        one.buy()
        one.now += HOUR
    assert len(one.state.runs) == RUNS_MAX
