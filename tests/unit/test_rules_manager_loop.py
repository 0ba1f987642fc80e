"""The e-mail rows of the routine, one by one, on a clock that jumps."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.protocol.draw import share
from agents.rules.compiled import CompiledRules
from agents.rules_manager.context import NAMES
from agents.rules_manager.turn import OPEN_WORTH
from messaging.vocabulary.effects import LogDecision, LogReward, Tell
from messaging.vocabulary.messages import (
    AlertAnswered,
    CohortEntered,
    MergedInto,
    MergeStarted,
    Responded,
    RewardSeen,
    StateMerged,
)
from messaging.vocabulary.records import CONTEXT_MAX, Reward
from tests.rules_builders import MONDAY, PATH, VISITOR, OneVisitor, a_view, some_rules

DAY = 24.0


def test_a_lead_that_never_answers_gets_four_mails_and_one_alert_within_17_days() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(17 * DAY)
    assert len(lead.plans) == 4
    assert lead.run.status == "alerted"
    assert len(lead.alerts) == 1
    assert len(lead.alerts[0].history) == 4
    lead.pass_time(60 * DAY)
    assert len(lead.plans) == 4
    assert len(lead.alerts) == 1


def test_the_first_mail_comes_within_24_hours_and_no_mail_in_quiet_hours() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(17 * DAY)
    assert lead.sent_at[0] - MONDAY <= timedelta(hours=24)
    assert all(8 <= at.hour < 21 for at in lead.sent_at)


def test_no_two_mails_of_a_run_share_template_or_hour_while_another_is_allowed() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(17 * DAY)
    assert len({plan.template for plan in lead.plans}) == 4
    assert len({at.hour for at in lead.sent_at}) == 4


def test_no_mail_of_a_run_repeats_a_subject_while_another_is_allowed() -> None:
    rules = some_rules()
    for name in ("invited-mail-b", "invited-mail-c"):
        changed = msgspec.structs.replace(rules.templates[name], subject="invited-mail-a")
        rules.templates[name] = changed
    lead = OneVisitor(a_view(rules)).enter()
    lead.pass_time(17 * DAY)
    subjects = [rules.templates[plan.template].subject for plan in lead.plans]
    assert len(set(subjects[:2])) == 2
    decisions = [e.decision for e in lead.effects if isinstance(e, LogDecision)]
    second = [d for d in decisions if d.kind == "template"][1]
    assert "different_subject" in {c.refused for c in second.candidates} or (
        lead.plans[0].template == "invited-mail-d"
    )
    assert len({plan.template for plan in lead.plans}) == 4


@pytest.mark.parametrize(("opened", "sends"), [(1, 3), (2, 4), (3, 4), (4, 4)])
def test_an_open_without_a_click_leaves_two_more_at_most(opened: int, sends: int) -> None:
    lead = OneVisitor().enter()
    while len(lead.plans) < opened:
        lead.pass_time(1)
    lead.answer("opened")
    lead.pass_time(17 * DAY)
    assert len(lead.plans) == sends
    assert len(lead.alerts) == 1


def test_an_open_after_its_window_leaves_two_more_as_well() -> None:
    lead = OneVisitor().enter()
    while lead.run.status != "planned" or not lead.plans:
        lead.pass_time(1)
    assert len(lead.plans) == 1
    lead.answer("opened")
    lead.pass_time(17 * DAY)
    assert len(lead.plans) == 3


def test_a_second_open_does_not_open_the_budget_again() -> None:
    lead = OneVisitor().enter()
    for count in (1, 2):
        while len(lead.plans) < count:
            lead.pass_time(1)
        lead.answer("opened")
    lead.pass_time(17 * DAY)
    assert len(lead.plans) == 3


def test_a_click_gives_the_rest_of_the_four() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    lead.answer("opened")
    while len(lead.plans) < 2:
        lead.pass_time(1)
    lead.answer("clicked")
    lead.pass_time(0.5)
    lead.end_session()
    lead.pass_time(20 * DAY)
    assert len(lead.plans) == 4
    assert [plan.stage for plan in lead.plans] == ["invited", "opened", "visited", "visited"]
    assert len(lead.alerts) == 1


def test_after_a_visit_the_loop_goes_on_a_day_after_the_sessions_end() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    lead.answer("clicked")
    lead.pass_time(0.5)
    lead.end_session()
    ended = lead.now
    lead.pass_time(23.9)
    assert len(lead.plans) == 1
    lead.pass_time(24.2)
    assert len(lead.plans) == 2
    assert lead.sent_at[1] - ended >= timedelta(hours=24)


@pytest.mark.parametrize("outcome", ["handed over", "uncertain", "given up"])
def test_a_visit_that_begins_and_ends_while_a_send_is_handed_over_puts_the_next_off_by_a_day(
    outcome: str,
) -> None:
    lead = OneVisitor()
    lead.outcome = ""
    lead.enter()
    while not lead.plans:
        lead.pass_time(1)
    lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort="in-cart"))
    lead.end_session()
    ended = lead.now
    lead.pass_time(1)
    lead.settle(lead.plans[0], outcome)
    assert lead.run.status == "visiting"
    assert lead.wakes["visit:" + PATH] == ended + timedelta(hours=24)


def test_the_alert_comes_at_the_end_of_the_last_window_whether_they_visit_or_not() -> None:
    lead = OneVisitor().enter()
    while len(lead.plans) < 4:
        lead.pass_time(1)
    due = lead.sent_at[3] + timedelta(hours=72)
    lead.pass_time((due - lead.now) / timedelta(hours=1) - 2)
    lead.answer("clicked")
    lead.pass_time(30 * DAY)
    assert [alert.at for alert in lead.alerts] == [due]
    assert lead.run.status == "alerted"
    assert not lead.wakes


def test_a_machines_open_and_click_change_nothing() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    lead.answer("opened", human=0.0)
    lead.answer("clicked", human=0.4)
    assert lead.run.stage == "invited"
    lead.pass_time(17 * DAY)
    assert len(lead.plans) == 4


def test_a_cart_holds_every_trigger_until_the_visit_is_over() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(1)
    lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort="in-cart"))
    assert lead.run.stage == "cart"
    assert "send:" + PATH not in lead.wakes
    lead.pass_time(1)
    lead.end_session()
    lead.pass_time(24)
    lead.pass_time(24)
    assert [plan.stage for plan in lead.plans][-1] == "cart"


def test_a_lead_who_becomes_known_with_a_full_cart_is_left_alone_as_well() -> None:
    """Whether the address or the cart came first must not decide whether they are disturbed at the checkout."""
    lead = OneVisitor()
    lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort="in-cart"))
    lead.enter()
    assert lead.run.status == "visiting"
    lead.pass_time(1)
    lead.end_session()
    lead.pass_time(23.9)
    assert not lead.plans
    lead.pass_time(24.2)
    assert [plan.stage for plan in lead.plans] == ["cart"]


def test_a_send_that_missed_its_hours_is_planned_anew_however_often() -> None:
    """A path that is paused for weeks loses nobody."""
    lead = OneVisitor()
    lead.outcome = ""
    lead.enter()
    for _ in range(30):
        lead.pass_time(DAY)
        lead.settle(lead.plans[-1], "given up", "quiet_hours")
    assert lead.run.status == "planned"
    assert not lead.alerts
    lead.outcome = "handed over"
    lead.pass_time(17 * DAY)
    assert lead.run.attempts == 4


def test_a_send_that_can_never_be_handed_over_calls_a_person_in_the_end() -> None:
    lead = OneVisitor()
    lead.outcome = "given up"
    lead.enter().pass_time(40 * DAY)
    assert lead.run.status == "stopped"
    assert len(lead.alerts) == 1


def test_what_a_server_refuses_is_tried_again_later_and_later() -> None:
    lead = OneVisitor(a_view(some_rules(timing="now", window_hours=0)), at=MONDAY)
    lead.outcome = ""
    lead.enter()
    refused = 0
    while lead.run.active:
        lead.pass_time(40)
        refused += 1
        lead.settle(lead.plans[-1], "given up", "554 END: 5.7.1 looks like spam")
        if lead.run.planned_at is not None and lead.run.active:
            rest = lead.run.planned_at - lead.now
            assert rest >= timedelta(minutes=15) * 2 ** (refused - 1)
    assert refused == 8
    assert [row.kind for row in lead.alerts] == ["cannot be sent"]


def test_a_purchase_ends_the_run_at_once_and_cancels_what_waits() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    lead.buy(credited=lead.plans[0].send_id)
    assert lead.run.status == "won"
    lead.pass_time(60 * DAY)
    assert len(lead.plans) == 1
    assert not lead.alerts


def test_how_far_a_customer_had_come_does_not_depend_on_which_message_overtook_which() -> None:
    """The cart comes from Behavior, the goal by way of Sales; later answers count for the run no more."""
    ends = set()
    for order in itertools.permutations(("cart", "goal", "late click")):
        lead = OneVisitor().enter()
        lead.pass_time(DAY)
        cart_at, goal_at = lead.now, lead.now + timedelta(minutes=1)
        click_at = goal_at + timedelta(minutes=1)
        lead.now = click_at
        send = lead.plans[0].send_id
        for each in order:
            if each == "cart":
                lead.take(CohortEntered(visitor=VISITOR, at=cart_at, cohort="in-cart"))
            elif each == "goal":
                lead.buy(at=goal_at)
            else:
                lead.take(Responded(VISITOR, click_at, send, "clicked", 1.0))
        ends.add((lead.run.stage, lead.run.status, lead.run.attempts))
        lead.pass_time(30 * DAY)
        assert len(lead.plans) == 1
    assert ends == {("cart", "won", 1)}


@pytest.mark.parametrize("goal_first", [True, False])
def test_what_is_done_after_the_goal_moves_the_run_no_more(goal_first: bool) -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    goal_at = lead.now
    lead.now += timedelta(minutes=1)
    clicked = Responded(VISITOR, lead.now, lead.plans[0].send_id, "clicked", 1.0)
    if not goal_first:
        lead.take(clicked)
    lead.buy(at=goal_at)
    if goal_first:
        lead.take(clicked)
    assert (lead.run.stage, lead.run.status) == ("invited", "won")


def test_a_goal_that_overtakes_the_entry_keeps_the_run_from_opening() -> None:
    lead = OneVisitor()
    lead.identify()
    lead.buy(at=lead.now)
    lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort="addressable-lead"))
    assert PATH not in lead.state.runs


def test_a_late_answer_does_not_open_an_ended_run_again() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(17 * DAY)
    lead.answer("clicked")
    lead.end_session()
    lead.pass_time(30 * DAY)
    assert lead.run.status == "alerted"
    assert len(lead.plans) == 4


def test_a_bounce_counts_no_attempt_and_calls_a_person_once() -> None:
    lead = OneVisitor()
    lead.outcome = "bounced"
    lead.enter().pass_time(30 * DAY)
    assert lead.run.attempts == 0
    assert lead.run.status == "stopped"
    assert len(lead.alerts) == 1
    assert not lead.state.touches


def test_a_refused_send_gives_its_reservation_back() -> None:
    lead = OneVisitor()
    lead.outcome = "refused"
    lead.enter().pass_time(2 * DAY)
    assert not lead.state.touches
    assert lead.run.attempts == 0
    assert not lead.run.active


def test_a_send_given_up_is_tried_again_under_another_id() -> None:
    lead = OneVisitor()
    lead.outcome = ""
    lead.enter().pass_time(3 * DAY)
    lead.outcome = "handed over"
    lead.settle(lead.plans[0], "given up")
    lead.pass_time(17 * DAY)
    ids = [plan.send_id for plan in lead.plans]
    assert len(set(ids)) == len(ids)
    assert lead.run.attempts == 4


def test_an_uncertain_send_counts_as_an_attempt() -> None:
    lead = OneVisitor()
    lead.outcome = "uncertain"
    lead.enter().pass_time(17 * DAY)
    assert lead.run.attempts == 4
    assert lead.run.status == "alerted"


def test_caps_hold_for_an_uncertain_send_that_arrives_minutes_after_it_was_told() -> None:
    """A process that was replaced, and has not noticed, ends the hand-over that it had begun."""
    rules = _with_path(some_rules(timing="now", window_hours=0), after_visit_hours=1)
    lead = OneVisitor(a_view(rules), at=MONDAY + timedelta(hours=6))
    lead.outcome = "uncertain"
    lead.enter().pass_time(1)
    arrived = lead.sent_at[0] + timedelta(minutes=10)
    lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort="in-cart"))
    lead.end_session()
    lead.pass_time(DAY)
    assert len(lead.sent_at) == 2
    assert lead.sent_at[1] - arrived >= timedelta(hours=20)


def test_the_touch_of_a_run_that_a_new_one_replaced_counts_from_its_hand_over_too() -> None:
    lead = OneVisitor(a_view(_with_path(some_rules(), reentry="after_end")))
    lead.outcome = ""
    lead.enter()
    while not lead.plans:
        lead.pass_time(1)
    lead.buy()
    lead.pass_time(0.1)
    lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort="addressable-lead"))
    assert lead.run.run == "2"
    lead.settle(lead.plans[0], "handed over")
    assert [touch.at for touch in lead.state.touches] == [lead.now]


def _with_path(rules: CompiledRules, **changes: Any) -> CompiledRules:
    rules.paths[PATH] = msgspec.structs.replace(rules.paths[PATH], **changes)
    return rules


def test_withdrawn_consent_stops_the_run() -> None:
    lead = OneVisitor().enter()
    lead.identify(may_email=False)
    lead.pass_time(30 * DAY)
    assert not lead.plans
    assert lead.run.status == "stopped"


def test_resume_opens_a_new_run_with_a_new_budget_and_nothing_else_does() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(17 * DAY)
    answer = AlertAnswered(
        visitor=VISITOR,
        at=lead.now,
        alert_id=lead.run.alert_id,
        path=PATH,
        run=lead.run.run,
        action="resume",
        by="ann",
        stage="",
    )
    lead.take(answer)
    lead.take(answer)
    assert lead.run.run == "2"
    lead.pass_time(20 * DAY)
    assert len(lead.plans) == 8
    assert lead.run.status == "alerted"
    assert [a.status for a in lead.alerts] == ["open", "resumed", "open"]


@pytest.mark.parametrize(
    ("action", "status"), [("resume", "resumed"), ("change", "changed"), ("close", "closed")]
)
def test_a_settled_alert_says_all_that_it_said_and_by_whom_and_when(
    action: str, status: str
) -> None:
    """The row is replaced: what it does not say any more is lost to whoever asks later."""
    lead = OneVisitor().enter()
    lead.pass_time(17 * DAY)
    [alert] = lead.alerts
    assert alert.kind.endswith("(attempts used)")
    assert (alert.by, alert.settled_at) == ("", None)
    asked = {"alert_id": alert.alert_id, "path": PATH, "run": alert.run, "action": action}
    stage = "opened" if action == "change" else ""
    lead.pass_time(DAY)
    lead.take(AlertAnswered(visitor=VISITOR, at=lead.now, by="ann", stage=stage, **asked))
    said = {"status": status, "by": "ann", "settled_at": lead.now, "stage": stage}
    assert lead.alerts[1] == msgspec.structs.replace(alert, **said)


def test_an_alert_that_the_goal_settles_says_why_it_had_come() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(17 * DAY)
    [alert] = lead.alerts
    lead.pass_time(DAY)
    lead.buy()
    assert lead.alerts[-1] == msgspec.structs.replace(
        alert, status="closed", by="goal", settled_at=lead.now
    )


def test_close_ends_the_run_for_good() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(17 * DAY)
    lead.take(
        AlertAnswered(
            visitor=VISITOR,
            at=lead.now,
            alert_id=lead.run.alert_id,
            path=PATH,
            run=lead.run.run,
            action="close",
            by="ann",
            stage="",
        )
    )
    lead.pass_time(30 * DAY)
    assert len(lead.plans) == 4
    assert lead.alerts[-1].status == "closed"


def test_every_decision_has_exactly_one_response_reward_in_the_end() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    lead.answer("opened")
    lead.pass_time(40 * DAY)
    decisions = {e.decision.id for e in lead.effects if isinstance(e, LogDecision)}
    rewards = [e.reward.decision_id for e in lead.effects if isinstance(e, LogReward)]
    assert sorted(rewards) == sorted(decisions)


def of_template(lead: OneVisitor) -> list[Reward]:
    """Return the rewards of the first e-mail's template."""
    drawn = [e.decision for e in lead.effects if isinstance(e, LogDecision)]
    first = next(decision.id for decision in drawn if decision.kind == "template")
    logged = [e.reward for e in lead.effects if isinstance(e, LogReward)]
    return [reward for reward in logged if reward.decision_id == first]


def test_an_open_is_worth_a_part_of_a_click_and_told_when_no_click_has_followed() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    lead.answer("opened", human=0.8)
    assert of_template(lead) == []
    lead.pass_time(3 * DAY)
    (reward,) = of_template(lead)
    assert (reward.kind, reward.value, reward.human) == ("response", OPEN_WORTH, 0.8)


def test_an_open_whose_window_is_closed_late_is_rewarded_as_of_the_windows_end() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    lead.answer("opened")
    [attempt] = lead.run.tries
    ends = attempt.window_ends
    assert ends is not None
    lead.now = ends + timedelta(days=1)  # nobody woke it: its machine was down
    lead.pass_time(DAY)
    (reward,) = of_template(lead)
    assert (reward.value, reward.at) == (OPEN_WORTH, ends)


def test_a_click_after_an_open_is_the_whole_reward_at_once_and_there_is_no_other() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    lead.answer("opened")
    lead.answer("clicked")
    (reward,) = of_template(lead)
    assert (reward.value, reward.at) == (1.0, lead.now)
    lead.pass_time(10 * DAY)
    assert of_template(lead) == [reward]


def test_who_opens_and_buys_by_that_e_mail_rewards_it_whole() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    lead.answer("opened")
    lead.buy(credited=lead.plans[0].send_id)
    assert next((each.kind, each.value) for each in of_template(lead)) == ("response", 1.0)
    other = OneVisitor().enter()
    other.pass_time(DAY)
    other.answer("opened")
    other.buy()
    assert [(each.kind, each.value) for each in of_template(other)] == [("response", OPEN_WORTH)]


def test_every_probability_is_exact_and_no_refused_arm_is_drawn() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(17 * DAY)
    for effect in lead.effects:
        if isinstance(effect, LogDecision):
            decision = effect.decision
            allowed = [c.arm for c in decision.candidates if not c.refused]
            assert decision.arm in allowed
            assert len(allowed) == len(decision.probabilities)
            assert abs(sum(decision.probabilities) - 1.0) < 1e-9
            assert 0 < decision.probabilities[allowed.index(decision.arm)] <= 1


def test_a_decision_says_in_numbers_at_what_moment_it_was_made() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    lead.answer("opened")
    lead.pass_time(17 * DAY)
    made = [e.decision for e in lead.effects if isinstance(e, LogDecision)]
    assert all(len(NAMES) == len(decision.context) <= CONTEXT_MAX for decision in made)
    moments = [dict(zip(NAMES, decision.context, strict=True)) for decision in made]
    hours = [m for m, d in zip(moments, made, strict=True) if d.kind == "send_hour"]
    assert [m["attempts of the run"] for m in hours] == [0.0, 1.0, 2.0]
    assert [m["its e-mails opened"] for m in hours] == [0.0, 1.0, 1.0]
    assert hours[0]["days since its last e-mail, -1 for none"] == -1.0
    assert hours[0]["hour of the week in the visitor's zone, 0 = Monday 00:00"] == 7.0
    assert 0.0 < hours[1]["days since its last e-mail, -1 for none"] < 4.0


@pytest.mark.parametrize("older_is_held_out", [True, False])
def test_a_merge_over_the_holdouts_edge_leaves_the_visitor_out_of_the_lift(
    older_is_held_out: bool,
) -> None:
    """How a mail was chosen stays what it was: it teaches, or not, as at its decision."""
    names = sorted((f"{n:024x}" for n in range(200)), key=lambda name: share("holdout", name))
    held, free = names[0], names[-1]
    assert share("holdout", held) < 0.05 < share("holdout", free)
    view = a_view(holdout=0.05)
    younger, older = OneVisitor(view), OneVisitor(view)
    younger.state.visitor, older.state.visitor = (free, held) if older_is_held_out else (held, free)
    younger.enter().pass_time(DAY)
    told = next(
        e.message
        for e in younger.take(MergedInto(visitor=VISITOR, at=younger.now, into=older.state.visitor))
        if isinstance(e, Tell)
    )
    older.now = younger.now
    older.take(told)
    older.pass_time(4 * DAY)
    seen = [
        e.message
        for e in older.effects
        if isinstance(e, Tell) and isinstance(e.message, RewardSeen)
    ]
    made = {e.decision.id: e.decision for e in younger.effects if isinstance(e, LogDecision)}
    theirs = [m for m in seen if m.reward.decision_id in made]
    assert theirs
    assert all(m.holdout == made[m.reward.decision_id].holdout for m in theirs)
    assert {m.holdout for m in theirs} == {not older_is_held_out}
    assert not any(m.in_lift for m in seen)


def test_held_out_visitors_get_the_rules_templates_and_hours() -> None:
    lead = OneVisitor(a_view(holdout=1.0)).enter()
    lead.pass_time(17 * DAY)
    assert [plan.template for plan in lead.plans] == [f"invited-mail-{x}" for x in "abcd"]
    assert [at.hour for at in lead.sent_at] == [10, 18, 12, 15]


def test_the_cap_of_one_in_20_hours_holds_over_two_runs_of_different_paths() -> None:
    lead = OneVisitor(a_view(some_rules(timing="now", window_hours=0))).enter()
    lead.pass_time(17 * DAY)
    gaps = [b - a for a, b in zip(lead.sent_at, lead.sent_at[1:], strict=False)]
    assert all(gap >= timedelta(hours=20) for gap in gaps)


def test_a_merge_adds_the_attempts_and_keeps_one_run() -> None:
    younger = OneVisitor().enter()
    younger.pass_time(5 * DAY)
    sent = len(younger.plans)
    effects = younger.take(MergedInto(visitor=VISITOR, at=younger.now, into="00" * 12))
    told = next(e.message for e in effects if isinstance(e, Tell))
    assert isinstance(told, StateMerged)
    older = OneVisitor(at=MONDAY).enter()
    older.pass_time(5 * DAY)
    sent += len(older.plans)
    older.take(told)
    assert older.run.attempts == sent
    older.pass_time(30 * DAY)
    assert older.run.attempts <= 4
    assert len(older.alerts) == 1


def test_a_click_gives_the_rest_of_the_four_also_where_a_merge_brings_it() -> None:
    younger, older = OneVisitor().enter(), OneVisitor().enter()
    for visitor, kind in ((younger, "clicked"), (older, "opened")):
        visitor.pass_time(DAY)
        visitor.answer(kind)
    told = next(
        e.message
        for e in younger.take(MergedInto(visitor=VISITOR, at=younger.now, into="00" * 12))
        if isinstance(e, Tell)
    )
    older.take(told)
    older.pass_time(30 * DAY)
    assert older.run.attempts == 4


def test_a_visitor_on_the_site_is_left_alone_after_a_merge_too() -> None:
    younger = OneVisitor().enter()
    younger.pass_time(DAY)
    younger.answer("clicked")
    told = next(
        e.message
        for e in younger.take(MergedInto(visitor=VISITOR, at=younger.now, into="00" * 12))
        if isinstance(e, Tell)
    )
    older = OneVisitor(at=younger.now).enter()
    older.take(told)
    assert older.run.status == "visiting"
    assert "send:" + PATH not in older.wakes
    older.end_session()
    assert older.wakes["visit:" + PATH] == older.now + timedelta(hours=24)


def test_a_merge_with_a_customer_wins_the_run() -> None:
    younger = OneVisitor()
    younger.identify()
    younger.buy()
    effects = younger.take(MergedInto(visitor=VISITOR, at=younger.now, into="00" * 12))
    told = next(e.message for e in effects if isinstance(e, Tell))
    older = OneVisitor(at=MONDAY - timedelta(days=1)).enter()
    older.now = MONDAY
    older.take(told)
    assert older.run.status == "won"
    older.pass_time(30 * DAY)
    assert not older.plans or older.sent_at[-1] <= MONDAY


def test_a_lead_who_proves_to_be_a_customer_of_before_is_written_to_no_more() -> None:
    older = OneVisitor()
    older.identify()
    older.buy()
    younger = OneVisitor(at=MONDAY + timedelta(days=2)).enter()
    younger.pass_time(DAY)
    told = next(
        e.message
        for e in younger.take(MergedInto(visitor=VISITOR, at=younger.now, into="00" * 12))
        if isinstance(e, Tell)
    )
    older.now = younger.now
    older.take(told)
    assert older.run.status == "won"
    older.pass_time(30 * DAY)
    assert not older.plans
    assert not older.alerts


def test_a_send_may_be_handed_over_until_the_next_quiet_hours_begin() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(DAY)
    until = lead.plans[0].until
    assert until is not None
    assert until.hour == 21
    assert lead.sent_at[0] < until <= lead.sent_at[0] + timedelta(hours=13)


def test_nothing_is_sent_while_a_younger_visitors_touches_are_on_their_way() -> None:
    younger = OneVisitor().enter()
    younger.pass_time(3)
    sent = len(younger.plans)
    told = next(
        e.message
        for e in younger.take(MergedInto(visitor=VISITOR, at=younger.now, into="00" * 12))
        if isinstance(e, Tell)
    )
    older = OneVisitor(at=younger.now)
    older.take(MergeStarted(visitor=VISITOR, at=older.now, younger=told.younger))
    older.enter().pass_time(DAY)
    assert not older.plans
    older.take(told)
    assert not older.state.awaiting
    older.pass_time(17 * DAY)
    assert sent + len(older.plans) <= 4
    gaps = [b - a for a, b in zip(older.sent_at, older.sent_at[1:], strict=False)]
    assert all(gap >= timedelta(hours=20) for gap in gaps)


def test_word_of_a_merge_that_comes_after_its_state_is_not_waited_for() -> None:
    younger = OneVisitor()
    told = next(
        e.message
        for e in younger.take(MergedInto(visitor=VISITOR, at=younger.now, into="00" * 12))
        if isinstance(e, Tell)
    )
    older = OneVisitor()
    older.take(told)
    older.take(MergeStarted(visitor=VISITOR, at=older.now, younger=told.younger))
    older.enter().pass_time(DAY)
    assert len(older.plans) == 1
