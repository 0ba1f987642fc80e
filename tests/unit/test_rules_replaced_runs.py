"""What becomes of the last e-mails of a run whose place a new entry takes before their answers can have come."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from agents.rules_manager.counted import PAST_MAX, without_arms
from agents.rules_manager.state import REPLACED_MAX, RulesState
from agents.runtime.figures import arms_in, edges_in, stages_in
from messaging.vocabulary.effects import LogReward, Tell
from messaging.vocabulary.messages import (
    AlertAnswered,
    CohortEntered,
    CohortLeft,
    MergedInto,
    StateMerged,
)
from scripts.simulating import runs_of
from tests.rules_builders import PATH, VISITOR, OneVisitor, a_view, some_rules

DAY = 24.0
WINDOW = timedelta(hours=72)


def who_may_come_again() -> OneVisitor:
    """Return a lead on a path that takes in whoever left it."""
    rules = some_rules()
    rules.paths[PATH] = msgspec.structs.replace(rules.paths[PATH], reentry="after_end")
    return OneVisitor(a_view(rules))


def entered_twice() -> OneVisitor:
    """Return a lead who got an e-mail, bought a day later and is let in anew."""
    lead = who_may_come_again().enter()
    lead.pass_time(2 * DAY)
    assert [each.status for each in lead.run.tries] == ["handed over"]
    come_again(lead)
    return lead


def come_again(lead: OneVisitor) -> None:
    """End the run by an unsubscription that is taken back, and enter anew."""
    run = lead.run.run
    lead.identify(may_email=False)
    lead.take(CohortLeft(visitor=VISITOR, at=lead.now, cohort="addressable-lead"))
    assert not lead.run.active
    lead.identify()
    lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort="addressable-lead"))
    assert lead.run.run != run


def rewards(lead: OneVisitor, decision: str) -> list[tuple[str, float, datetime]]:
    """Return the rewards of a decision."""
    found = [each.reward for each in lead.effects if isinstance(each, LogReward)]
    return [(each.kind, each.value, each.at) for each in found if each.decision_id == decision]


def test_no_answer_is_a_reward_too() -> None:
    lead = entered_twice()
    [earlier] = lead.state.replaced[0].tries
    assert earlier.window_ends is not None
    lead.pass_time(20 * DAY)
    for choice in (earlier.template_choice, earlier.hour_choice):
        assert rewards(lead, choice.decision_id) == [("response", 0.0, earlier.window_ends)]
    assert lead.state.replaced == []
    assert lead.run.status == "alerted", "the new run has a budget and windows of its own"
    assert lead.run.attempts == 4


def test_a_click_on_the_earlier_runs_e_mail_counts_for_it_and_moves_nothing() -> None:
    lead = entered_twice()
    [earlier] = lead.state.replaced[0].tries
    decision, stage = earlier.template_choice.decision_id, lead.run.stage
    lead.answer("clicked", send=0)
    assert rewards(lead, decision) == [("response", 1.0, lead.now)]
    assert (lead.run.stage, lead.run.status) == (stage, "planned")
    lead.pass_time(20 * DAY)
    assert len(rewards(lead, decision)) == 1


def test_an_order_that_is_credited_to_the_earlier_run_is_its_reward() -> None:
    lead = entered_twice()
    [earlier] = lead.state.replaced[0].tries
    lead.buy(credited=earlier.send_id)
    assert rewards(lead, earlier.template_choice.decision_id) == [
        ("response", 1.0, lead.now),
        ("purchase", 20.0, lead.now),
    ]
    assert lead.run.status == "won"


def test_an_e_mail_that_was_on_its_way_is_waited_for() -> None:
    lead = who_may_come_again()
    lead.outcome = ""
    lead.enter().pass_time(2 * DAY)
    come_again(lead)
    [earlier] = lead.state.replaced[0].tries
    lead.outcome = "handed over"
    lead.settle(lead.plans[0], "handed over")
    ends = lead.now + WINDOW
    lead.pass_time(20 * DAY)
    assert rewards(lead, earlier.template_choice.decision_id) == [("response", 0.0, ends)]


def test_what_is_kept_is_bounded_and_goes_along_with_a_merge() -> None:
    lead = who_may_come_again().enter()
    for _ in range(REPLACED_MAX + 2):
        lead.pass_time(20)
        come_again(lead)
    assert 0 < len(lead.state.replaced) <= REPLACED_MAX
    older = who_may_come_again()
    older.now = lead.now
    effects = lead.take(MergedInto(visitor=VISITOR, at=lead.now, into="00" * 12))
    told = next(e.message for e in effects if isinstance(e, Tell))
    assert isinstance(told, StateMerged)
    older.take(told)
    waited_for = [each for run in older.state.replaced for each in run.tries]
    assert len(waited_for) == sum(len(run.tries) for run in lead.state.replaced)
    older.pass_time(20 * DAY)
    for attempt in waited_for:
        assert len(rewards(older, attempt.template_choice.decision_id)) == 1
    assert older.state.replaced == []


def test_a_state_from_before_has_none() -> None:
    stored = msgspec.to_builtins(RulesState(VISITOR))
    assert msgspec.convert(stored[:-1], RulesState).replaced == []


def test_it_stays_counted_with_its_goal_and_its_way() -> None:
    lead = who_may_come_again().enter()
    lead.pass_time(2 * DAY)
    lead.answer("clicked")
    lead.buy()
    lead.pass_time(DAY)
    come_again_after_the_goal(lead)
    lead.pass_time(DAY)
    figures = lead.bot.figures(lead.state)
    assert arms_in(figures) == {PATH: {"learning": (2, 1)}}
    assert figures[f"past/{PATH}/won/visited"] == 1
    assert stages_in(figures)[PATH]["visited"] == {"won": 1}
    entered = edges_in(figures, PATH, lead.view.rules.paths[PATH].places)
    assert entered["", "invited"] == 2
    assert entered["invited", "visited"] == 1


def come_again_after_the_goal(lead: OneVisitor) -> None:
    """Leave the cohort, and enter it anew."""
    run = lead.run.run
    lead.take(CohortLeft(visitor=VISITOR, at=lead.now, cohort="addressable-lead"))
    lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort="addressable-lead"))
    assert lead.run.run != run


def test_a_run_that_a_person_resumes_is_one() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(30 * DAY)
    [alert] = {each.alert_id for each in lead.alerts}
    lead.take(AlertAnswered(VISITOR, lead.now, alert, PATH, lead.run.run, "resume", "ann", ""))
    assert lead.run.active
    assert lead.state.past == {}
    assert arms_in(lead.bot.figures(lead.state)) == {PATH: {"learning": (1, 0)}}


def test_what_is_counted_of_the_past_is_bounded_and_goes_along_with_a_merge() -> None:
    lead = who_may_come_again().enter()
    for _ in range(PAST_MAX):
        lead.pass_time(20)
        come_again(lead)
    assert len(lead.state.past) <= PAST_MAX
    assert arms_in(lead.bot.figures(lead.state)) == {PATH: {"learning": (PAST_MAX + 1, 0)}}
    older = who_may_come_again()
    older.now = lead.now
    effects = lead.take(MergedInto(visitor=VISITOR, at=lead.now, into="00" * 12))
    older.take(next(e.message for e in effects if isinstance(e, Tell)))
    assert arms_in(older.bot.figures(older.state)) == {PATH: {"learning": (PAST_MAX + 1, 0)}}


def test_who_was_on_both_sides_of_the_holdout_is_in_no_arm_for_the_past_either() -> None:
    past = {f"arms/{PATH}/rules/entered": 2, f"past/{PATH}/won/cart": 1}
    assert without_arms(past) == {f"past/{PATH}/won/cart": 1}


def test_a_simulation_counts_how_each_run_ended() -> None:
    lead = who_may_come_again().enter()
    lead.pass_time(2 * DAY)
    lead.buy()
    lead.pass_time(DAY)
    come_again_after_the_goal(lead)
    assert list(runs_of(lead.state)) == [(PATH, "won"), (PATH, "planned")]
