"""Whatever a flow is made of and whatever a visitor does: a run waits for something, or it has ended."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agents.protocol.bot import View
from agents.rules_manager.state import Run
from config.load import compile_files, validate_files
from messaging.vocabulary.effects import Tell
from messaging.vocabulary.messages import (
    AlertAnswered,
    CohortEntered,
    CohortLeft,
    MergedInto,
    RunsMoved,
)
from tests.flow_builders import files_of
from tests.rules_builders import PATH, VISITOR, OneVisitor, a_view

STATE_MAX = 16_000
"""Bytes of a visitor's state that must never be passed."""

KINDS = (
    "wait",
    "until",
    "wait_until",
    "if",
    "split",
    "email",
    "offer",
    "tag",
    "alert",
    "goto",
    "end",
)
ASKED: tuple[Any, ...] = (
    {"in_cart": True},
    {"answered": "opened"},
    {"answered": "clicked"},
    {"event": {"name": "Form Sent", "since_entry": True}},
)
ACTS = (
    "passes",
    "passes",
    "opened",
    "clicked",
    "cart",
    "leaves cart",
    "visits",
    "resume",
    "change",
    "close",
)
REFUSED = (
    "cannot be reached",
    "has no budget",
    "at most 60",
    "nobody can meet this",  # what it asks right below was answered, or no e-mail was sent before
)
"""What a flow that was put together at random may be refused for."""

SIFTED = [HealthCheck.filter_too_much]
"""Flows that are refused are drawn anew: how many of a tree's examples are is its luck."""


@st.composite
def flows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw a flow, branches within branches."""
    names: list[str] = []

    def some(depth: int) -> list[dict[str, Any]]:
        return [one(depth) for _ in range(draw(st.integers(1, 4 if depth else 5)))]

    def one(depth: int) -> dict[str, Any]:
        name = f"s{len(names)}"
        earlier = list(names)
        names.append(name)
        kind = draw(st.sampled_from(KINDS if depth < 2 else KINDS[:2] + KINDS[5:]))
        step: dict[str, Any] = {"name": name}
        if kind == "goto" and earlier:
            step["goto"] = draw(st.sampled_from(earlier))
            if draw(st.booleans()):
                step["times"] = draw(st.integers(1, 3))
        elif kind == "wait_until":
            step[kind] = {"when": draw(st.sampled_from(ASKED)), "at_most_hours": 30}
            if draw(st.booleans()):
                step["else"] = some(depth + 1)
        elif kind == "if":
            step["if"], step["then"] = draw(st.sampled_from(ASKED)), some(depth + 1)
            if draw(st.booleans()):
                step["else"] = some(depth + 1)
        elif kind == "split":
            ways = [{"name": way, "steps": some(depth + 1)} for way in "ab"]
            step["split"] = {"ways": ways}
        else:
            step |= SIMPLE.get(kind, {"tag": "x"})
        return step

    return some(0)


SIMPLE: dict[str, dict[str, Any]] = {
    "wait": {"wait": {"hours": 5}},
    "until": {"wait": {"until": {"weekday": "thu", "hour": 9}}},
    "email": {"email": {"timing": "now", "templates": ["hello", "again"]}},
    "offer": {"offer": {"interaction": "notice", "hours": 30}},
    "alert": {"alert": {"title": "Look"}},
    "end": {"end": True},
}


def view_of(flow: list[dict[str, Any]], version: int = 1) -> View:
    """Return a view of a flow that is valid; others are drawn anew."""
    files = files_of(json.dumps(flow))
    errors = validate_files(files)
    assert all(any(why in each.problem for why in REFUSED) for each in errors), errors
    assume(not errors)
    return a_view(compile_files(files, version))


def stands_well(lead: OneVisitor) -> None:
    """Check that the run waits for what will come, or has ended, within its budgets."""
    run: Run = lead.run
    path = lead.view.pinned[run.version].paths[PATH]
    if run.active:
        windows = [key for key in lead.wakes if key.startswith(f"window:{PATH}:")]
        waits = {
            "planned": f"send:{PATH}" in lead.wakes,
            "sending": any(attempt.status == "reserved" for attempt in run.tries),
            "waiting": f"flow:{PATH}" in lead.wakes or bool(windows),
        }
        assert waits[run.status], (run, lead.wakes)
    else:
        assert f"flow:{PATH}" not in lead.wakes
    for name, count in run.gone.items():
        if run.version == 1:  # another version may allow fewer
            assert count <= path.steps[name].times
    assert run.attempts <= path.attempts_total
    assert len(run.came) == len(run.reached)
    assert run.stage in path.steps
    assert len(msgspec.msgpack.encode(lead.state)) < STATE_MAX


def act(lead: OneVisitor, what: str) -> None:
    run = lead.run
    if what in ("opened", "clicked") and lead.plans:
        lead.answer(what)
    elif what == "cart":
        for step in lead.view.pinned[run.version].paths[PATH].steps.values():
            if step.cohort:
                lead.take(CohortEntered(VISITOR, lead.now, step.cohort))
    elif what == "leaves cart":
        for cohort in [each for each in lead.state.cohorts if each.startswith(".")]:
            lead.take(CohortLeft(VISITOR, lead.now, cohort))
    elif what == "visits":
        lead.end_session()
    elif what in ("resume", "change", "close") and run.alert_id:
        stage = next(iter(run.reached)) if what == "change" else ""
        ids = (run.alert_id, PATH, run.run)
        lead.take(AlertAnswered(VISITOR, lead.now, *ids, what, "eve", stage))


def live(lead: OneVisitor, acts: list[tuple[float, str]]) -> None:
    for hours, what in acts:
        lead.pass_time(hours)
        stands_well(lead)
        act(lead, what)
        stands_well(lead)


def ends(lead: OneVisitor) -> None:
    """Check that the run ends when nobody does anything any more."""
    lead.pass_time(24 * 400)
    stands_well(lead)
    assert not lead.run.active
    before = len(lead.plans)
    lead.buy()
    assert lead.run.status == "won"
    lead.pass_time(24 * 60)
    assert len(lead.plans) == before


lives = st.lists(st.tuples(st.floats(0, 60), st.sampled_from(ACTS)), max_size=10)
outcomes = st.sampled_from(["handed over"] * 5 + ["uncertain"])


@settings(max_examples=80, suppress_health_check=SIFTED)
@given(flows(), lives, outcomes)
def test_a_run_waits_or_has_ended_and_ends_in_the_end(
    flow: list[dict[str, Any]], acts: list[tuple[float, str]], outcome: str
) -> None:
    lead = OneVisitor(view_of(flow))
    lead.outcome = outcome
    lead.enter()
    stands_well(lead)
    live(lead, acts)
    ends(lead)


@settings(max_examples=40, suppress_health_check=SIFTED)
@given(flows(), lives, lives)
def test_two_halves_of_a_visitor_become_one_run_within_its_budgets(
    flow: list[dict[str, Any]], mine: list[tuple[float, str]], theirs: list[tuple[float, str]]
) -> None:
    view = view_of(flow)
    older, younger = OneVisitor(view).enter(), OneVisitor(view).enter()
    live(older, mine)
    live(younger, theirs)
    younger.now = older.now = max(older.now, younger.now)
    for lead in (older, younger):
        lead.pass_time(0)
    effects = younger.take(MergedInto(VISITOR, younger.now, "00" * 12))
    told = next(each.message for each in effects if isinstance(each, Tell))
    older.take(told)
    sends = {plan.send_id for plan in older.plans}
    assert len(sends) == len(older.plans)
    path = view.rules.paths[PATH]
    before = older.run.attempts
    older.pass_time(24 * 400)
    assert not older.run.active
    assert older.run.attempts <= max(before, path.attempts_total)


@settings(max_examples=40, suppress_health_check=SIFTED)
@given(flows(), flows(), lives, lives)
def test_a_run_goes_over_to_any_other_flow_and_ends_there(
    first: list[dict[str, Any]],
    second: list[dict[str, Any]],
    before: list[tuple[float, str]],
    after: list[tuple[float, str]],
) -> None:
    lead = OneVisitor(view_of(first)).enter()
    rules = view_of(second, 2).rules
    live(lead, before)
    lead.view = View(rules, 2, {**lead.view.pinned, 2: rules}, {}, holdout=0.0)
    lead.take(RunsMoved(VISITOR, lead.now, 2, "migrate", "eve"))
    assert lead.run.stage in lead.view.pinned[lead.run.version].paths[PATH].steps
    live(lead, after)
    lead.pass_time(24 * 400)
    assert not lead.run.active
