"""Check how the Rules Manager chooses a template by what it knows of a lead, and what it remembers for the learner."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from agents.rules_manager.bot import RulesBot
from agents.rules_manager.context import GROUPS, INPUTS, NAMES, group_of, inputs_of
from agents.rules_manager.state import SAME_VISIT, VISITS_MAX, RulesState, Visit
from learning.serving.next_best import policy_name
from messaging.vocabulary.effects import LogDecision, Tell
from messaging.vocabulary.messages import CohortEntered, CohortLeft, RewardSeen, SessionEnded
from messaging.vocabulary.records import CONTEXT_MAX, Decision, Snapshot
from tests.rules_builders import MONDAY, PATH, VISITOR, OneVisitor, a_view, some_rules

DAY = 24.0
A, B, C, D = (f"invited-mail-{letter}" for letter in "abcd")
POLICY = policy_name(PATH, "invited")


def a_snapshot(effects: dict[str, float], exposures: float = 500.0) -> Snapshot:
    """Build a snapshot in which *b* is for leads whose inputs are high, and *a* best for everybody else."""
    size, arms = len(INPUTS), [A, B, C, D]
    weights = [[level, *[0.0] * size] for level in (0.2, 0.1, 0.05, 0.05)]
    for name, effect in effects.items():
        weights[1][1 + INPUTS.index(name)] = effect
    return Snapshot(
        policy=POLICY,
        version=4,
        arms=arms,
        arrays={
            "successes": [100.0, 50.0, 25.0, 25.0],
            "exposures": [exposures] * 4,
            "weights": [value for row in weights for value in row],
            "common": weights[2],
            "answers": [exposures + 30.0] * 4,
            "noise": [0.1],
            "before": [30.0],
            "centre": [0.0] * size,
            "spread": [1.0] * size,
        },
    )


def templates(lead: OneVisitor) -> list[Decision]:
    made = [e.decision for e in lead.effects if isinstance(e, LogDecision)]
    return [decision for decision in made if decision.kind == "template"]


def a_lead(snapshot: Snapshot | None, *cohorts: str, **changes) -> OneVisitor:
    view = a_view(some_rules(), **changes)
    if snapshot is not None:
        view.snapshots[POLICY] = snapshot
    lead = OneVisitor(view)
    for cohort in cohorts:
        lead.take(CohortEntered(visitor=VISITOR, at=MONDAY, cohort=cohort))
    return lead.enter()


def test_what_is_known_of_a_lead_chooses_and_is_said():
    keen = f"group {group_of('keen')}"
    snapshot = a_snapshot({keen: 0.4})
    keen_lead, other = a_lead(snapshot, "keen"), a_lead(snapshot)
    keen_lead.pass_time(DAY)
    other.pass_time(DAY)
    chosen, plain = templates(keen_lead)[0], templates(other)[0]
    assert (chosen.arm, plain.arm) == (B, A)
    assert chosen.because == ["cohort keen"]
    assert plain.because == ["everybody"]
    assert dict(zip([c.arm for c in chosen.candidates], chosen.probabilities, strict=True))[B] > 0.9


@pytest.mark.parametrize("exposures", [0.0, 20.0])
def test_where_little_is_known_it_says_so(exposures):
    lead = a_lead(a_snapshot({}, exposures), "keen")
    lead.pass_time(DAY)
    assert templates(lead)[0].because == ["little"]


@pytest.mark.parametrize("changes", [{"holdout": 1.0}, {"learning": False}])
def test_who_is_held_out_gets_the_rules_default_whatever_is_known_of_them(changes):
    lead = a_lead(a_snapshot({"orders": 0.4}), "keen", **changes)
    lead.pass_time(DAY)
    [decision] = templates(lead)
    assert (decision.arm, decision.policy, decision.because) == (A, "rules", [])


def test_what_was_sent_before_is_refused_whatever_is_known():
    lead = a_lead(a_snapshot({"first_of_run": 0.9, "attempts": 0.9}))
    lead.pass_time(12 * DAY)
    sent = [decision.arm for decision in templates(lead)]
    assert len(sent) == len({*sent}) > 1
    refused = {c.arm: c.refused for c in templates(lead)[1].candidates if c.refused}
    assert refused == {sent[0]: "sent_before"}


def test_the_answer_tells_the_learner_what_was_known_and_is_then_forgotten():
    lead = a_lead(None, "keen")
    lead.pass_time(DAY)
    decision = templates(lead)[0]
    attempt = lead.run.tries[0]
    assert attempt.template_choice.inputs == inputs_of(decision.context)
    assert attempt.hour_choice.inputs == b""
    allowed = [each.arm for each in decision.candidates if not each.refused]
    assert attempt.template_choice.allowed == allowed == [A, B, C, D]
    assert attempt.template_choice.propensity == 0.25
    assert (attempt.hour_choice.allowed, attempt.hour_choice.propensity) == ([], 0.0)
    lead.answer("clicked")
    lead.pass_time(4 * DAY)
    seen = [
        e.message for e in lead.effects if isinstance(e, Tell) if isinstance(e.message, RewardSeen)
    ]
    told = {each.policy: each.inputs for each in seen if each.arm == decision.arm}
    assert told[POLICY] == inputs_of(decision.context)
    assert all(each.inputs == b"" for each in seen if each.policy == "send_time")
    [response] = [each for each in seen if each.policy == POLICY and each.arm == decision.arm]
    assert (response.allowed, response.propensity) == (allowed, 0.25)
    assert all(each.allowed == [] for each in seen if each.policy == "send_time")
    kept = lead.state.runs[PATH].tries[0].template_choice
    assert (kept.inputs, kept.allowed, kept.propensity) == (b"", [], 0.0)


@pytest.mark.parametrize("changes", [{"holdout": 1.0}, {"learning": False}])
def test_what_the_policy_did_not_draw_has_no_propensity(changes):
    lead = a_lead(a_snapshot({}), "keen", **changes)
    lead.pass_time(DAY)
    attempt = lead.run.tries[0]
    assert attempt.template_choice.inputs
    assert (attempt.template_choice.allowed, attempt.template_choice.propensity) == ([], 0.0)


def test_the_moment_counts_visits_answers_and_cohorts():
    lead = a_lead(None, "keen", "vip", ".welcome.has-bought")
    lead.take(CohortLeft(visitor=VISITOR, at=MONDAY, cohort="vip"))
    for days, depth in ((20, 2), (3, 4), (1, 7)):
        ended_at = lead.now - timedelta(days=days)
        lead.take(SessionEnded(visitor=VISITOR, at=lead.now, ended_at=ended_at, depth=depth))
    lead.pass_time(DAY)
    context = dict(zip(NAMES, templates(lead)[0].context, strict=True))
    assert len(NAMES) <= CONTEXT_MAX
    assert context["visits that ended in 7 days"] == 2.0
    assert context["visits that ended in 30 days"] == 3.0
    assert 1.0 <= context["days since the last visit ended, -1 for none"] <= 2.0
    assert context["pages of the last visit"] == 7.0
    groups = [context[f"cohorts of group {n + 1} of {GROUPS}"] for n in range(GROUPS)]
    assert sum(groups) == 2.0, "keen and that of the entry; hidden ones are no property of a lead"
    assert groups[group_of("keen")] >= 1.0


def test_an_end_that_is_told_again_is_the_same_visit_and_old_ones_are_let_go():
    state = RulesState(VISITOR)
    state.note_visits([Visit(MONDAY, 2)])
    state.note_visits([Visit(MONDAY, 2), Visit(MONDAY + SAME_VISIT / 2, 5)])
    assert state.visits == [Visit(MONDAY + SAME_VISIT / 2, 5)]
    state.note_visits([Visit(MONDAY + n * timedelta(days=1), n) for n in range(1, 20)])
    assert len(state.visits) == VISITS_MAX
    assert state.visits[-1].pages == 19


def test_two_halves_of_a_visitor_remember_the_visits_of_both():
    one, other = RulesState(VISITOR), RulesState(VISITOR)
    mine, theirs = [Visit(MONDAY, 1)], [Visit(MONDAY + timedelta(days=1), 2)]
    one.note_visits(mine)
    one.note_visits(theirs)
    other.note_visits(theirs)
    other.note_visits(mine)
    assert one.visits == other.visits == [*mine, *theirs]


def test_a_state_from_before_knows_no_visits_and_no_inputs():
    older = msgspec.to_builtins(RulesState(VISITOR))[:-1]
    state = msgspec.convert(older, RulesBot.state_type)
    assert state.visits == []
