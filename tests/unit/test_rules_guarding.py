"""Which of a visitor's decisions counts for the guardrail, what is told of it, and who decides after an alarm."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.protocol.draw import share
from agents.rules_manager import guarding
from agents.rules_manager.state import COUNTED_MAX, NOT_COUNTED, RulesState
from learning.serving.next_best import policy_name
from learning.serving.split_test import NO_DIFFERENCE, WINNER
from messaging.vocabulary.effects import LogDecision, LogReward, Tell
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import (
    AlertAnswered,
    DecisionFared,
    MergedInto,
    RewardSeen,
)
from messaging.vocabulary.records import BY_RULES, Snapshot
from tests.experiment_builders import a_test
from tests.rules_builders import PATH, VISITOR, OneVisitor, a_view
from tests.unit.test_rules_engaging import OnSite, an_interaction
from tests.unit.test_rules_split_test import A, B, a_lead

DAY = 24.0
INVITED = policy_name(PATH, "invited")
HOURS = "send_time"


def told(lead: OneVisitor, policy: str = INVITED) -> list[DecisionFared]:
    """Return what the learner was told of a policy's decisions that count."""
    messages = [e.message for e in lead.effects if isinstance(e, Tell) and e.bot == "learner"]
    found = [m for m in messages if isinstance(m, DecisionFared) and m.policy == policy]
    assert all(each.visitor == policy_key(policy) for each in found)
    return found


def a_snapshot(policy: str, **arrays: list[float]) -> Snapshot:
    return Snapshot(policy=policy, version=3, arms=[], arrays=arrays)


def invited(**changes: Any) -> OneVisitor:
    """Let a visitor get the first e-mail."""
    lead = OneVisitor(a_view(**changes)).enter()
    lead.pass_time(DAY)
    assert len(lead.plans) == 1
    return lead


@pytest.mark.parametrize("holdout", [0.0, 1.0])
def test_the_first_e_mail_counts_on_either_side_and_no_later_one_does(holdout):
    lead = OneVisitor(a_view(holdout=holdout)).enter()
    lead.pass_time(17 * DAY)
    assert len(lead.plans) == 4
    for policy in (INVITED, HOURS):
        [one] = told(lead, policy)
        assert (one.era, one.holdout, one.came) == (0, holdout == 1.0, [])


def test_nothing_is_told_before_the_window_is_over():
    lead = invited()
    lead.answer("clicked")
    assert told(lead) == told(lead, HOURS) == []
    lead.pass_time(4 * DAY)
    assert [each.came for each in (*told(lead), *told(lead, HOURS))] == [["response"]] * 2


def test_an_open_is_an_answer_to_the_hour_and_what_a_machine_opens_is_none():
    lead, other = invited(), invited()
    lead.answer("opened")
    other.answer("opened", human=0.1)
    for each in (lead, other):
        each.pass_time(4 * DAY)
    assert (told(lead, HOURS)[0].came, told(other, HOURS)[0].came) == (["response"], [])


def test_a_goal_inside_the_window_came_of_it_and_a_later_one_did_not():
    lead, late = invited(), invited()
    lead.buy()
    late.pass_time(3 * DAY)
    late.buy()
    for each in (lead, late):
        each.pass_time(4 * DAY)
    assert [each.came for each in told(lead)] == [["goal"]]
    assert [each.came for each in told(late)] == [[]]


@pytest.mark.parametrize(
    ("kind", "reward"), [("unsubscribed", "unsubscribe"), ("complained", "complaint")]
)
@pytest.mark.parametrize("holdout", [0.0, 1.0])
def test_who_leaves_leaves_by_the_e_mail_and_that_is_a_reward_once(kind, reward, holdout):
    lead = invited(holdout=holdout)
    lead.answer(kind)
    lead.answer(kind)
    lead.pass_time(4 * DAY)
    assert [each.came for each in (*told(lead), *told(lead, HOURS))] == [[reward]] * 2
    logged = [
        e.reward for e in lead.effects if isinstance(e, LogReward) and e.reward.kind == reward
    ]
    [decision] = [
        e.decision
        for e in lead.effects
        if isinstance(e, LogDecision) and e.decision.kind == "template"
    ]
    assert [each.decision_id for each in logged] == [decision.id]
    seen = [e.message for e in lead.effects if isinstance(e, Tell)]
    [heard] = [m for m in seen if isinstance(m, RewardSeen) and m.reward.kind == reward]
    assert (heard.policy, heard.holdout, heard.in_lift) == (INVITED, holdout == 1.0, True)


def test_who_leaves_by_no_e_mail_that_is_known_leaves_by_the_last():
    lead = OneVisitor(a_view()).enter()
    lead.pass_time(5 * DAY)
    assert len(lead.plans) == 2
    lead.plans.append(msgspec.structs.replace(lead.plans[-1], send_id=""))
    lead.answer("unsubscribed")
    tries = lead.run.tries
    assert [each.left for each in tries] == [[], ["unsubscribe"]]


def test_who_leaves_after_the_window_leaves_by_none():
    lead = invited()
    lead.outcome = ""
    lead.pass_time(5 * DAY)
    lead.answer("unsubscribed", send=0)
    assert not any(
        isinstance(e, LogReward) and e.reward.kind == "unsubscribe" for e in lead.effects
    )


def test_what_was_never_handed_over_counts_for_nobody_and_the_next_one_does():
    lead = OneVisitor(a_view())
    lead.outcome = ""
    lead.enter()
    lead.pass_time(DAY)
    lead.settle(lead.plans[0], "given up")
    assert lead.state.counted == {}
    lead.outcome = "handed over"
    lead.pass_time(6 * DAY)
    assert len(told(lead)) == 1


def test_in_another_era_a_visitor_counts_anew():
    lead = invited()
    lead.view.snapshots[INVITED] = a_snapshot(INVITED, era=[2.0])
    lead.pass_time(16 * DAY)
    assert [each.era for each in told(lead)] == [0, 2]
    assert len(told(lead, HOURS)) == 1


def test_while_learning_is_off_nobody_counts():
    lead = invited(learning=False)
    held = invited(learning=False, holdout=1.0)
    for each in (lead, held):
        each.pass_time(4 * DAY)
        assert told(each) == told(each, HOURS) == []


@pytest.mark.parametrize("holdout", [0.0, 1.0])
@pytest.mark.parametrize("verdict", ["", WINNER])
def test_what_a_split_test_decides_counts_on_neither_side_and_what_follows_does(holdout, verdict):
    test = msgspec.structs.replace(a_test(**{A: 0.5, B: 0.5}), then="winner")
    lead = a_lead(test, verdict=verdict, holdout=holdout)
    lead.pass_time(17 * DAY)
    assert len(lead.plans) == 4
    [one] = told(lead)
    assert one.at == lead.run.tries[1].window_ends


def test_after_a_test_without_a_winner_the_first_e_mail_counts_again():
    lead = a_lead(a_test(**{A: 0.5, B: 0.5}), verdict=NO_DIFFERENCE)
    lead.pass_time(4 * DAY)
    [one] = told(lead)
    assert one.at == lead.run.tries[0].window_ends


def test_a_policy_that_was_taken_back_leaves_everything_to_the_rules():
    view = a_view()
    for policy in (INVITED, HOURS):
        view.snapshots[policy] = a_snapshot(policy, fallback=[1.0])
    lead = OneVisitor(view).enter()
    lead.pass_time(17 * DAY)
    assert [plan.template for plan in lead.plans] == [f"invited-mail-{x}" for x in "abcd"]
    assert [at.hour for at in lead.sent_at] == [10, 18, 12, 15]
    made = [e.decision for e in lead.effects if isinstance(e, LogDecision)]
    assert {decision.policy for decision in made} == {BY_RULES}
    assert not any(decision.holdout for decision in made)
    seen = [e.message for e in lead.effects if isinstance(e, Tell)]
    assert not any(m.in_lift for m in seen if isinstance(m, RewardSeen))
    assert told(lead) == told(lead, HOURS) == []


def test_one_policy_is_taken_back_and_the_others_go_on():
    view = a_view()
    view.snapshots[INVITED] = a_snapshot(INVITED, fallback=[1.0])
    lead = OneVisitor(view).enter()
    lead.pass_time(DAY)
    by_kind = {
        e.decision.kind: e.decision.policy for e in lead.effects if isinstance(e, LogDecision)
    }
    assert by_kind == {"template": BY_RULES, "send_hour": HOURS}


@pytest.mark.parametrize("number", [float("nan"), -1.0, 0.0])
def test_a_number_that_is_none_takes_nothing_back(number):
    view = a_view()
    view.snapshots[HOURS] = a_snapshot(HOURS, fallback=[number], era=[number])
    lead = OneVisitor(view).enter()
    lead.pass_time(5 * DAY)
    assert [each.era for each in told(lead, HOURS)] == [0]


def test_an_offer_that_was_seen_is_told_when_it_ended_and_once_an_era():
    site = OnSite(an_interaction("bar"))
    policy = "on_site/bar"
    for outcome in ("clicked", "dismissed", "clicked"):
        [plan] = site.again("bar")
        site.ends(plan, outcome, seen=True)
        site.now += timedelta(hours=25)
        site.began = site.now
    assert [each.came for each in told(site, policy)] == [["response"]]


def test_two_who_became_one_count_for_neither_side_where_one_was_held_out():
    names = sorted((f"{n:024x}" for n in range(200)), key=lambda name: share("holdout", name))
    view = a_view(holdout=0.05)
    younger, older = OneVisitor(view), OneVisitor(view)
    younger.state.visitor, older.state.visitor = names[0], names[-1]
    younger.enter().pass_time(DAY)
    into = MergedInto(visitor=VISITOR, at=younger.now, into=older.state.visitor)
    state = next(e.message for e in younger.take(into) if isinstance(e, Tell))
    older.now = younger.now
    older.take(state)
    older.pass_time(5 * DAY)
    assert told(older) == told(younger) == []


def test_of_two_who_became_one_the_younger_ones_e_mail_still_counts():
    younger, older = invited(), OneVisitor(a_view())
    older.state.visitor = f"{7:024x}"
    into = MergedInto(visitor=VISITOR, at=younger.now, into=older.state.visitor)
    state = next(e.message for e in younger.take(into) if isinstance(e, Tell))
    older.now = younger.now
    older.take(state)
    assert older.state.counted == younger.state.counted
    older.pass_time(5 * DAY)
    assert len(told(older)) == 1


def test_what_is_remembered_is_bounded_and_a_state_from_before_goes_on():
    state = RulesState(VISITOR)
    for key in range(3 * COUNTED_MAX):
        guarding._note(state, key, 0)
    assert len(state.counted) == COUNTED_MAX
    lead = invited()
    fields = msgspec.to_builtins(lead.state)
    place = RulesState.__struct_fields__.index("counted")
    old = msgspec.convert(fields[:place], RulesState)
    assert old.counted == {}
    assert old.runs[PATH].tries[0].template_choice.era != NOT_COUNTED


def test_a_run_that_a_person_resumed_counts_no_visitor_twice():
    lead = OneVisitor(a_view()).enter()
    lead.pass_time(17 * DAY)
    alert = lead.alerts[-1].alert_id
    lead.take(AlertAnswered(VISITOR, lead.now, alert, PATH, "1", "resume", "ann", ""))
    lead.pass_time(6 * DAY)
    assert len(lead.plans) > 4
    assert len(told(lead)) == 1
