"""What a person's *resume* goes on from: what comes of the earlier run is still heard, and a goal ends both."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from agents.rules_manager.state import Run
from messaging.vocabulary.effects import LogReward, LogStory
from messaging.vocabulary.messages import AlertAnswered, CohortEntered, GoalReached
from tests.rules_builders import PATH, VISITOR, OneVisitor, a_view, some_rules

DAY = 24.0


def alerted(reentry: str = "never") -> OneVisitor:
    """Return a lead for whom a person was called."""
    rules = some_rules()
    rules.paths[PATH] = msgspec.structs.replace(rules.paths[PATH], reentry=reentry)
    lead = OneVisitor(a_view(rules)).enter()
    lead.pass_time(17 * DAY)
    assert lead.run.status == "alerted"
    return lead


def answer(lead: OneVisitor, action: str = "resume", alert: str = "", stage: str = "") -> None:
    """Let a person answer the alert."""
    lead.take(
        AlertAnswered(
            visitor=VISITOR,
            at=lead.now,
            alert_id=alert or lead.run.alert_id,
            path=PATH,
            run=lead.run.run,
            action=action,
            by="ann",
            stage=stage,
        )
    )


def stories(lead: OneVisitor, kind: str) -> list[dict[str, object]]:
    """Return what the story says of a kind."""
    return [
        each.detail for each in lead.effects if isinstance(each, LogStory) and each.kind == kind
    ]


def test_a_goal_from_before_the_resume_that_is_heard_of_after_it_ends_the_new_run() -> None:
    """A person's answer takes one hop less than an order, which goes by way of Sales."""
    for action, stage in (("resume", ""), ("change", "visited")):
        lead = alerted()
        sent, bought = len(lead.plans), lead.now
        lead.now += timedelta(milliseconds=300)
        answer(lead, action, stage=stage)
        assert lead.run.active
        lead.now += timedelta(milliseconds=200)
        lead.take(GoalReached(VISITOR, bought, [PATH], "o1", 10.0, "EUR", "", ""))
        assert (lead.run.run, lead.run.status) == ("2", "won")
        lead.pass_time(30 * DAY)
        assert len(lead.plans) == sent
        assert len({alert.alert_id for alert in lead.alerts}) == 1


def test_what_is_asked_of_email_is_judged_by_the_run_that_was_resumed() -> None:
    lead = alerted()
    entered = lead.plans[0].entered_at
    answer(lead)
    answer_again(lead)
    assert {each.entered_at for each in lead.plans} == {entered}
    assert len(lead.plans) == 12


def answer_again(lead: OneVisitor) -> None:
    """Let the resumed run come to its alert, resume again, and let that one come to its own."""
    lead.pass_time(17 * DAY)
    assert lead.run.status == "alerted"
    answer(lead)
    lead.pass_time(17 * DAY)


def test_a_click_on_an_e_mail_of_the_earlier_run_is_the_lead_coming_back() -> None:
    lead = alerted()
    answer(lead)
    lead.answer("clicked", send=3)
    assert (lead.run.stage, lead.run.status) == ("visited", "visiting")
    assert lead.run.attempts == 0
    lead.pass_time(40 * DAY)
    assert (lead.run.attempts, lead.run.status) == (4, "alerted")


def test_an_open_of_an_earlier_e_mail_leaves_as_many_attempts_as_an_open_does() -> None:
    lead = alerted()
    answer(lead)
    lead.answer("opened", send=3)
    lead.pass_time(40 * DAY)
    assert lead.run.attempts == 2


def test_an_order_that_is_credited_to_an_earlier_e_mail_is_its_reward() -> None:
    lead = alerted()
    answer(lead)
    earlier = lead.run.earlier[-1]
    lead.buy(credited=earlier.send_id)
    found = [each.reward for each in lead.effects if isinstance(each, LogReward)]
    of_it = [each for each in found if each.decision_id == earlier.template_choice.decision_id]
    assert [(each.kind, each.value) for each in of_it] == [("response", 0.0), ("purchase", 20.0)]


def test_a_mailbox_that_an_earlier_e_mail_comes_back_from_ends_the_run() -> None:
    lead = alerted()
    answer(lead)
    lead.answer("bounced", send=3)
    assert (lead.run.status, lead.run.attempts) == ("stopped", 0)


def test_an_e_mail_that_was_on_its_way_leaves_the_new_run_as_it_is() -> None:
    for outcome in ("handed over", "refused", "given up"):
        lead = alerted()
        last = lead.run.tries[-1]
        last.status, last.window_ends = "reserved", None
        answer(lead)
        stands = lead.run.status, lead.run.attempts, lead.run.planned_at
        lead.settle(lead.plans[3], outcome, "no reason")
        assert (lead.run.status, lead.run.attempts, lead.run.planned_at) == stands
        lead.pass_time(40 * DAY)
        assert (lead.run.status, lead.run.attempts) == ("alerted", 4)


def test_nobody_is_called_on_for_a_lead_who_came_again() -> None:
    lead = alerted("after_end")
    alert = lead.run.alert_id
    lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort="addressable-lead"))
    assert lead.run.active
    assert [(each.alert_id, each.status, each.by) for each in lead.alerts[1:]] == [
        (alert, "closed", "entry")
    ]
    answer(lead, "close", alert)
    assert len(stories(lead, "alert.stale")) == 1


def test_a_run_from_before_goes_on_from_none() -> None:
    lead = alerted()
    stored = msgspec.to_builtins(lead.run)
    run = msgspec.convert(stored[:-2], Run)
    assert (run.goal_since, run.earlier) == (run.entered_at, [])
