"""A split test at an e-mail step: who gets which variant, what is logged, and what the learner hears."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from agents.protocol.draw import share
from agents.rules.compiled import CompiledRules
from agents.rules_manager.turn import OPEN_WORTH
from learning.serving.next_best import policy_name
from learning.serving.split_test import ALARM, LOST, NO_DIFFERENCE, NOT_IN_TEST, VERDICTS, WINNER
from messaging.vocabulary.effects import LogDecision, LogReward, Tell
from messaging.vocabulary.ids import policy_key, visitor_id_for
from messaging.vocabulary.messages import (
    AlertAnswered,
    DecisionMade,
    EntryMet,
    RewardSeen,
    StateMerged,
)
from messaging.vocabulary.records import Decision, Snapshot, SplitTest
from tests.experiment_builders import a_test
from tests.rules_builders import PATH, VISITOR, OneVisitor, a_stage, a_view, some_rules

A, B, C, D = (f"invited-mail-{letter}" for letter in "abcd")
DAY = 24.0


def rules_with(test: SplitTest) -> CompiledRules:
    """Return the small rules with a test at the first stage."""
    rules = some_rules()
    rules.paths[PATH].stages[0] = a_stage("invited", "entry", split_test=test)
    return rules


def a_lead(test: SplitTest, *, visitor: str = VISITOR, **changes: Any) -> OneVisitor:
    """Let a visitor enter the path whose first e-mail is tested, and get it."""
    verdict = changes.pop("verdict", "")
    view = a_view(rules_with(test), **changes)
    if verdict:
        view.snapshots[test.policy] = told(test, verdict)
    lead = OneVisitor(view)
    lead.state.visitor = visitor
    lead.enter()
    lead.pass_time(DAY)
    return lead


def told(test: SplitTest, verdict: str, winner: str = "") -> Snapshot:
    """Return what the learner published of a test."""
    arms = [variant for variant, _ in test.variants]
    wins = [float(arm == (winner or arms[-1]) and verdict == WINNER) for arm in arms]
    arrays = {"verdict": [float(VERDICTS.index(verdict))], "winner": wins}
    return Snapshot(policy=test.policy, version=7, arms=arms, arrays=arrays)


def decisions(lead: OneVisitor) -> list[Decision]:
    """Return the decisions between templates."""
    made = [e.decision for e in lead.effects if isinstance(e, LogDecision)]
    return [decision for decision in made if decision.kind == "template"]


def heard(lead: OneVisitor, kind: type, test: SplitTest) -> list[Any]:
    """Return what the learner is told of a test."""
    messages = [e.message for e in lead.effects if isinstance(e, Tell) and e.bot == "learner"]
    return [m for m in messages if isinstance(m, kind) and m.visitor == policy_key(test.policy)]


def test_each_variant_goes_to_its_share_and_the_decision_says_so() -> None:
    test = a_test(**{A: 0.75, B: 0.25})
    got: Counter[str] = Counter()
    for number in range(400):
        lead = a_lead(test, visitor=visitor_id_for(f"u:{number}"))
        (decision,) = decisions(lead)
        assert (decision.policy, decision.policy_version) == (test.policy, 0)
        assert decision.probabilities == [0.75, 0.25]
        assert {c.arm: c.refused for c in decision.candidates} == {
            A: "",
            B: "",
            C: NOT_IN_TEST,
            D: NOT_IN_TEST,
        }
        got[decision.arm] += 1
    assert 270 <= got[A] <= 330


def test_the_same_visitor_gets_the_same_variant_however_often_it_is_drawn() -> None:
    test = a_test(**{A: 0.5, B: 0.5})
    lead = OneVisitor(a_view(rules_with(test)))
    lead.outcome = "given up"
    lead.enter()
    lead.pass_time(10 * DAY)
    drawn = decisions(lead)
    assert len(drawn) > 2
    assert len({decision.arm for decision in drawn}) == 1
    assert len({decision.id for decision in drawn}) == len(drawn)
    expected = A if share(test.salt, VISITOR) < 0.5 else B
    assert drawn[0].arm == expected


def test_another_salt_is_another_draw() -> None:
    first, second = a_test(**{A: 0.5, B: 0.5}), a_test(salt="other", **{A: 0.5, B: 0.5})
    visitors = [visitor_id_for(f"u:{number}") for number in range(60)]
    pairs = Counter(
        (decisions(a_lead(first, visitor=v))[0].arm, decisions(a_lead(second, visitor=v))[0].arm)
        for v in visitors
    )
    assert len(pairs) == 4


def test_what_follows_the_first_e_mail_is_chosen_as_if_there_were_no_test() -> None:
    lead = a_lead(a_test(**{A: 0.5, B: 0.5}))
    lead.pass_time(17 * DAY)
    first, *later = decisions(lead)
    assert len(later) == 3
    assert {decision.policy for decision in later} == {policy_name(PATH, "invited")}
    assert len({plan.template for plan in lead.plans}) == 4
    assert first.arm not in {decision.arm for decision in later}


def test_a_second_run_of_a_visitor_is_not_tested_again() -> None:
    test = a_test(**{A: 0.5, B: 0.5})
    lead = a_lead(test)
    lead.pass_time(17 * DAY)
    alert = lead.alerts[-1].alert_id
    lead.take(AlertAnswered(VISITOR, lead.now, alert, PATH, "1", "resume", "ann", ""))
    lead.pass_time(2 * DAY)
    assert decisions(lead)[-1].run == "2"
    assert decisions(lead)[-1].policy == policy_name(PATH, "invited")
    assert len(heard(lead, DecisionMade, test)) == 1


def test_the_first_run_of_a_keyed_path_is_tested_and_that_of_another_key_is_not() -> None:
    test = a_test(**{A: 0.5, B: 0.5})
    rules = rules_with(test)
    rules.paths[PATH] = msgspec.structs.replace(rules.paths[PATH], reentry="keyed")
    lead = OneVisitor(a_view(rules))
    lead.identify()
    for key in ("cart-1", "cart-2"):
        lead.take(EntryMet(VISITOR, lead.now, PATH, 1, key))
        lead.pass_time(2 * DAY)
    first = {decision.run: decision.policy for decision in reversed(decisions(lead))}
    assert first == {"cart-1~1": test.policy, "cart-2~2": policy_name(PATH, "invited")}
    assert len(heard(lead, DecisionMade, test)) == 1


def test_the_test_and_the_templates_both_hear_of_the_answer_and_it_is_logged_once() -> None:
    test = a_test(**{A: 0.5, B: 0.5})
    lead = a_lead(test)
    lead.answer("opened")
    assert heard(lead, RewardSeen, test) == [], "a click may follow"
    lead.pass_time(3 * DAY)
    (made,) = heard(lead, DecisionMade, test)
    (seen,) = heard(lead, RewardSeen, test)
    decision = decisions(lead)[0]
    assert (made.test, made.decision) == (test, decision)
    assert (seen.reward.value, seen.arm, seen.in_lift) == (1.0, decision.arm, True)
    (learned,) = [
        e.message
        for e in lead.effects
        if isinstance(e, Tell)
        and isinstance(e.message, RewardSeen)
        and e.message.policy == policy_name(PATH, "invited")
    ]
    assert learned.reward == msgspec.structs.replace(seen.reward, value=OPEN_WORTH)
    assert not learned.in_lift, "a split test is neither the rules nor what was learned"
    logged = [e.reward for e in lead.effects if isinstance(e, LogReward)]
    assert [reward.decision_id for reward in logged].count(decision.id) == 1


def test_no_answer_is_told_to_the_test_when_the_window_ends() -> None:
    test = a_test(**{A: 0.5, B: 0.5})
    lead = a_lead(test)
    lead.pass_time(4 * DAY)
    (seen,) = heard(lead, RewardSeen, test)
    assert seen.reward.value == 0.0


def test_a_held_out_visitor_gets_the_default_and_is_counted_alike() -> None:
    test = a_test(**{B: 0.5, C: 0.5})
    lead = a_lead(test, holdout=1.0)
    lead.pass_time(4 * DAY)
    (decision, *_) = decisions(lead)
    assert (decision.arm, decision.policy, decision.probabilities) == (A, "rules", [1.0])
    (seen,) = heard(lead, RewardSeen, test)
    assert (seen.holdout, seen.in_lift, seen.arm) == (True, True, A)


def test_while_learning_is_off_nothing_is_tested() -> None:
    test = a_test(**{B: 0.5, C: 0.5})
    lead = a_lead(test, learning=False)
    assert decisions(lead)[0].arm == A
    assert heard(lead, DecisionMade, test) == []


def test_the_winner_goes_to_everybody_and_the_decision_says_who_lost() -> None:
    test = a_test(**{A: 0.5, B: 0.5})
    for number in range(20):
        lead = a_lead(test, visitor=visitor_id_for(f"u:{number}"), verdict=WINNER)
        (decision,) = decisions(lead)
        assert (decision.arm, decision.probabilities) == (B, [1.0])
        assert (decision.policy, decision.policy_version) == (test.policy, 7)
        assert {c.arm: c.refused for c in decision.candidates}[A] == LOST
        assert heard(lead, DecisionMade, test) == [], "the shares do not hold any more"


@pytest.mark.parametrize(
    ("verdict", "then"), [(WINNER, "bandit"), (NO_DIFFERENCE, "winner"), (NO_DIFFERENCE, "bandit")]
)
def test_what_is_decided_otherwise_is_handed_over_to_the_bandit(verdict: str, then: str) -> None:
    lead = a_lead(a_test(then=then, **{A: 0.5, B: 0.5}), verdict=verdict)
    (decision,) = decisions(lead)
    assert decision.policy == policy_name(PATH, "invited")
    assert len(decision.probabilities) == 4


def test_after_an_alarm_everybody_gets_the_rules_default() -> None:
    lead = a_lead(a_test(**{B: 0.5, C: 0.5}), verdict=ALARM)
    (decision,) = decisions(lead)
    assert (decision.arm, decision.policy) == (A, "rules")


def test_who_may_not_get_every_variant_takes_no_part() -> None:
    test = a_test(**{A: 0.5, B: 0.5})
    rules = rules_with(test)
    rules.paths[PATH].stages[0] = a_stage(
        "invited", "entry", split_test=test, templates=[(A, "vip"), (B, None)]
    )
    lead = OneVisitor(a_view(rules)).enter()
    lead.pass_time(DAY)
    assert decisions(lead)[0].policy == policy_name(PATH, "invited")
    assert heard(lead, DecisionMade, test) == []


def test_variants_for_one_cohort_are_tested_among_those_who_are_in_it() -> None:
    test = a_test(**{A: 0.75, B: 0.25})
    rules = rules_with(test)
    templates = [(A, "vip"), (B, "vip"), (C, None)]
    rules.paths[PATH].stages[0] = a_stage("invited", "entry", split_test=test, templates=templates)
    got: Counter[str] = Counter()
    for number in range(200):
        lead = OneVisitor(a_view(rules))
        lead.state.visitor = visitor_id_for(f"u:{number}")
        lead.state.cohorts = ["vip"] if number % 2 else []
        lead.enter()
        lead.pass_time(DAY)
        (decision,) = decisions(lead)
        is_in = decision.policy == test.policy
        assert is_in == bool(number % 2), "nobody else takes part"
        assert bool(heard(lead, DecisionMade, test)) == is_in
        if is_in:
            assert decision.probabilities == [0.75, 0.25]
            got[decision.arm] += 1
        else:
            assert decision.arm == C
    assert got.keys() == {A, B}
    assert 60 <= got[A] <= 90, "three of four of a hundred"


def test_of_a_visitor_whose_two_halves_took_part_the_older_ones_variant_counts() -> None:
    test = a_test(**{A: 0.5, B: 0.5})
    older, younger = a_lead(test), a_lead(test, visitor=visitor_id_for("u:2"))
    state = msgspec.msgpack.encode(younger.state)
    older.take(StateMerged(VISITOR, older.now, younger.state.visitor, state))
    older.pass_time(10 * DAY)
    (seen,) = heard(older, RewardSeen, test)
    assert seen.reward.decision_id == decisions(older)[0].id


def test_a_lead_known_before_its_browser_is_counted_once_when_both_are_found_to_be_one() -> None:
    test = a_test(**{A: 0.5, B: 0.5})
    younger = a_lead(test, visitor=visitor_id_for("u:2"))
    older = OneVisitor(younger.view, younger.now)
    state = msgspec.msgpack.encode(younger.state)
    older.take(StateMerged(VISITOR, older.now, younger.state.visitor, state))
    older.pass_time(4 * DAY)
    (seen,) = heard(older, RewardSeen, test)
    assert seen.reward.decision_id == decisions(younger)[0].id
