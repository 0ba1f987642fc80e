"""Take a visitor through flows: each kind of step, and what ends a flow."""

from __future__ import annotations

from datetime import datetime, timedelta

from messaging.vocabulary.effects import LogStory, Tell
from messaging.vocabulary.messages import (
    AlertAnswered,
    CohortEntered,
    CohortLeft,
    EngagementRequested,
    EngagementsWithdrawn,
    Message,
    SessionEnded,
    SiteConsent,
    TraitsSet,
)
from tests.flow_builders import HEAD, MAIL, a_flow, on
from tests.rules_builders import HOUR, MONDAY, PATH, VISITOR, OneVisitor

MARK = "- {name: mark, tag: reached}"


def told(lead: OneVisitor, kind: type[Message]) -> list[Message]:
    """Return what was told of a kind."""
    return [e.message for e in lead.effects if isinstance(e, Tell) and isinstance(e.message, kind)]


def test_a_wait_of_hours_goes_on_when_it_is_over() -> None:
    lead = on(f"- {{name: rest, wait: {{hours: 3}}}}\n{MARK}")
    lead.pass_time(2.9)
    assert (lead.run.status, lead.run.stage) == ("waiting", "rest")
    lead.pass_time(0.2)
    assert (lead.run.status, lead.run.stage) == ("ended", "mark")
    assert "flow:" + PATH not in lead.wakes


def test_a_wait_until_an_hour_of_a_weekday_is_by_the_visitors_clock_also_over_a_change_of_it() -> (
    None
):
    # Clocks in Rome go forward on Sunday 2027-03-28: Monday 9:00 there is 7:00 UTC, a week earlier it was 8:00.
    lead = OneVisitor(
        a_flow(f"- {{name: monday, wait: {{until: {{weekday: mon, hour: 9}}}}}}\n{MARK}"),
        at=datetime.fromisoformat("2027-03-22T08:30:00+00:00"),
    )
    lead.identify(zone="Europe/Rome")
    lead.take(CohortEntered(VISITOR, lead.now, "addressable-lead"))
    assert lead.wakes["flow:" + PATH] == datetime.fromisoformat("2027-03-29T07:00:00+00:00")


def test_a_condition_is_asked_when_the_run_comes_to_it() -> None:
    steps = """
    - name: carted
      if: {in_cart: true}
      then: [{name: yes, tag: carted}]
      else: [{name: no, tag: empty}]
    """
    lead = on(steps)
    assert list(lead.run.reached) == ["carted", "no"]
    other = OneVisitor(a_flow(steps))
    other.take(CohortEntered(VISITOR, other.now, f".{PATH}.carted"))
    other.enter()
    assert list(other.run.reached) == ["carted", "yes"]
    back = OneVisitor(a_flow(steps))
    back.take(CohortEntered(VISITOR, back.now, f".{PATH}.carted"))
    back.take(CohortLeft(VISITOR, back.now, f".{PATH}.carted"))
    back.enter()
    assert list(back.run.reached) == ["carted", "no"]


UNTIL_CART = f"""
- name: cart
  wait_until: {{when: {{in_cart: true}}, at_most_hours: 48}}
  else: [{{name: late, tag: late}}, {{name: over, end: true}}]
{MARK}
"""


def test_waiting_for_a_condition_ends_when_it_becomes_true() -> None:
    lead = on(UNTIL_CART)
    lead.pass_time(5)
    lead.take(CohortEntered(VISITOR, lead.now, "in-cart"))
    assert lead.run.stage == "cart", "another cohort is another question"
    lead.take(CohortEntered(VISITOR, lead.now, f".{PATH}.cart"))
    assert (lead.run.status, list(lead.run.reached)) == ("ended", ["cart", "mark"])
    assert "flow:" + PATH not in lead.wakes


def test_waiting_for_a_condition_takes_the_other_branch_when_the_time_is_over() -> None:
    lead = on(UNTIL_CART)
    lead.pass_time(48)
    assert (lead.run.status, list(lead.run.reached)) == ("ended", ["cart", "late", "over"])
    lead.take(CohortEntered(VISITOR, lead.now, f".{PATH}.cart"))
    assert list(lead.run.reached) == ["cart", "late", "over"], "an ended run stays ended"


def test_waiting_for_what_is_so_already_does_not_wait() -> None:
    lead = OneVisitor(a_flow(UNTIL_CART))
    lead.take(CohortEntered(VISITOR, lead.now, f".{PATH}.cart"))
    lead.enter()
    assert list(lead.run.reached) == ["cart", "mark"]


def test_a_split_sends_a_visitor_the_same_way_every_time_and_keeps_its_shares() -> None:
    steps = """
    - name: two
      split:
        ways:
          - {name: a, share: 3, steps: [{name: in-a, tag: a}]}
          - {name: b, share: 1, steps: [{name: in-b, tag: b}]}
    """
    view = a_flow(steps)
    went = []
    for number in range(400):
        lead = OneVisitor(view)
        lead.state.visitor = f"{number:024x}"
        lead.enter()
        went.append(lead.run.stage)
    again = OneVisitor(view)
    again.state.visitor = f"{7:024x}"
    assert again.enter().run.stage == went[7]
    # 300 expected, the standard deviation is 8.7.
    assert 265 < went.count("in-a") < 335
    assert went.count("in-a") + went.count("in-b") == 400


def test_an_email_is_planned_reserved_and_counted_as_a_loops_is_and_then_the_flow_goes_on() -> None:
    lead = on(f"- {{name: hello, email: {MAIL}}}\n- {{name: rest, wait: {{days: 2}}}}\n{MARK}")
    lead.pass_time(1)  # Monday 8:00: the quiet hours end
    assert [(p.stage, p.step, p.attempt, p.template) for p in lead.plans] == [
        ("hello", "hello", 1, "hello")
    ]
    assert lead.sent_at == [MONDAY + HOUR]
    assert (lead.run.stage, lead.run.status, lead.run.attempts) == ("rest", "waiting", 1)
    assert [touch.channel for touch in lead.state.touches] == ["email"]
    assert "window:" + PATH + ":1" in lead.wakes


def test_an_email_that_did_not_go_out_is_planned_again_and_the_flow_stays_there() -> None:
    lead = OneVisitor(a_flow(f"- {{name: hello, email: {MAIL}}}\n{MARK}"))
    lead.outcome = ""
    lead.enter()
    lead.pass_time(1)
    lead.settle(lead.plans[0], "given up", "the server was busy")
    assert (lead.run.stage, lead.run.status, lead.run.attempts) == ("hello", "planned", 0)
    lead.outcome = "handed over"
    lead.pass_time(24)
    assert lead.run.status == "ended"


def test_a_bounce_ends_the_flow_and_calls_a_person() -> None:
    lead = OneVisitor(a_flow(f"- {{name: hello, email: {MAIL}}}\n{MARK}"))
    lead.outcome = "bounced"
    lead.enter()
    lead.pass_time(1)
    assert lead.run.status == "stopped"
    assert [alert.kind for alert in lead.alerts] == ["address bounced"]


ANSWERED = f"""
- {{name: hello, email: {MAIL}}}
- name: reads
  wait_until: {{when: {{answered: opened}}, at_most_hours: 48}}
  else: [{{name: silent, end: true}}]
- name: eager
  if: {{answered: clicked}}
  then: [{{name: very, tag: very}}]
{MARK}
"""


def test_an_answer_to_the_latest_email_is_waited_for_and_machines_do_not_count() -> None:
    lead = on(ANSWERED)
    lead.pass_time(2)
    lead.answer("opened", human=0.0)
    assert lead.run.stage == "reads"
    lead.answer("opened")
    assert list(lead.run.reached) == ["hello", "reads", "eager", "mark"]


def test_a_click_is_an_open_as_well() -> None:
    lead = on(ANSWERED)
    lead.pass_time(2)
    lead.answer("clicked")
    assert list(lead.run.reached) == ["hello", "reads", "eager", "very", "mark"]


def test_nobody_answers_in_time() -> None:
    lead = on(ANSWERED)
    lead.pass_time(60)
    assert (lead.run.stage, lead.run.status) == ("silent", "ended")


def test_a_step_sets_traits_tags_stage_and_owner_at_behavior_once() -> None:
    lead = on(
        """
        - {name: a, set_trait: {language: de, size: 3}}
        - {name: b, tag: new}
        - {name: c, stage: trial}
        - {name: d, owner: Eve}
        """
    )
    assert [m.traits for m in told(lead, TraitsSet)] == [  # type: ignore[attr-defined]
        {"language": "de", "size": 3},
        {"tags.new": True},
        {"stage": "trial"},
        {"owner": "Eve"},
    ]
    assert {each.path for each in told(lead, TraitsSet)} == {PATH}  # type: ignore[attr-defined]


def test_an_offer_waits_for_the_visitor_over_the_end_of_a_visit_until_its_time_is_over() -> None:
    lead = on("- {name: bar, offer: {interaction: notice, hours: 48}}")
    (asked,) = told(lead, EngagementRequested)
    assert isinstance(asked, EngagementRequested)
    assert (asked.plan.interaction, asked.plan.expires_at) == ("notice", MONDAY + 48 * HOUR)
    lead.take(SessionEnded(VISITOR, lead.now, lead.now, 1))
    assert [offer.status for offer in lead.state.offered.values()] == ["open"]


OFFERS = """
- {name: bar, offer: {interaction: notice, hours: 48}}
- {name: rest, wait: {hours: 3}}
- {name: again, offer: {interaction: notice, hours: 48}}
- {name: after, wait: {days: 1}}
"""


def test_who_refuses_to_be_spoken_to_on_the_site_is_offered_nothing_and_the_flow_goes_on() -> None:
    lead = OneVisitor(a_flow(OFFERS))
    lead.take(SiteConsent(VISITOR, lead.now, may_show=False))
    lead.enter()
    assert (told(lead, EngagementRequested), lead.run.stage) == ([], "rest")
    refused = [e.detail for e in lead.effects if isinstance(e, LogStory)]
    assert {"interaction": "notice", "type": "notice_bar", "rule": "consent"} in refused
    assert lead.state.refused == 1
    lead.take(SiteConsent(VISITOR, lead.now, may_show=True))
    assert told(lead, EngagementRequested) == [], "the step was passed"
    lead.pass_time(4)
    assert (len(told(lead, EngagementRequested)), lead.run.stage) == (1, "after")


def test_an_offer_that_waits_is_taken_back_with_the_consent() -> None:
    lead = on(OFFERS)
    (asked,) = told(lead, EngagementRequested)
    lead.take(SiteConsent(VISITOR, lead.now, may_show=False))
    (back,) = told(lead, EngagementsWithdrawn)
    assert isinstance(asked, EngagementRequested)
    assert isinstance(back, EngagementsWithdrawn)
    assert (back.engagement_ids, back.reason) == ([asked.plan.engagement_id], "consent")
    lead.pass_time(4)
    assert (len(told(lead, EngagementRequested)), lead.run.stage) == (1, "after")


def test_an_offer_of_an_interaction_that_is_not_published_any_more_is_refused_and_the_flow_goes_on() -> (
    None
):
    lead = OneVisitor(a_flow(f"- {{name: bar, offer: notice}}\n{MARK}"))
    dict.clear(lead.view.rules.interactions)  # type: ignore[arg-type]
    lead.enter()
    assert lead.run.stage == "mark"
    assert "offer.refused" in lead.stories()


CALLS = f"- {{name: call, alert: {{title: Look}}}}\n- {{name: rest, wait: {{days: 1}}}}\n{MARK}"


def answer_alert(lead: OneVisitor, action: str, stage: str = "") -> None:
    """Let a person answer the alert."""
    ids = (lead.run.alert_id, PATH, lead.run.run)
    lead.take(AlertAnswered(VISITOR, lead.now, *ids, action, "eve", stage))


def statuses(lead: OneVisitor) -> list[str]:
    return [alert.status for alert in lead.alerts]


def test_an_alert_calls_a_person_and_the_flow_goes_on_and_rests_with_that_person_at_its_end() -> (
    None
):
    lead = on(CALLS)
    assert [alert.kind for alert in lead.alerts] == ["Look (step call)"]
    assert (lead.run.stage, lead.run.status) == ("rest", "waiting")
    lead.pass_time(24)
    assert lead.run.status == "alerted"
    answer_alert(lead, "resume")
    assert (lead.run.run, lead.run.stage, lead.run.status) == ("2", "rest", "waiting")


def test_an_alert_that_is_answered_while_the_flow_goes_on() -> None:
    lead = on(CALLS)
    answer_alert(lead, "resume")
    assert (lead.run.run, lead.run.stage, statuses(lead)) == ("1", "rest", ["open", "resumed"])
    lead.pass_time(24)
    assert lead.run.status == "ended"

    lead = on(CALLS)
    answer_alert(lead, "change", "mark")
    assert (lead.run.run, lead.run.stage, lead.run.status) == ("2", "mark", "ended")
    assert "flow:" + PATH not in lead.wakes

    lead = on(CALLS)
    answer_alert(lead, "close")
    assert (lead.run.run, lead.run.status) == ("1", "closed")
    lead.pass_time(48)
    assert lead.run.stage == "rest"


def test_a_person_is_called_again_only_after_answering_and_by_another_alert() -> None:
    steps = "- {name: call, alert: {title: Look}}\n- {name: rest, wait: {days: 1}}\n- {name: up, goto: call, times: 2}"
    lead = on(steps)
    lead.pass_time(25)
    assert statuses(lead) == ["open"]
    answer_alert(lead, "resume")
    lead.pass_time(24)
    assert statuses(lead) == ["open", "resumed", "open"]
    assert len({alert.alert_id for alert in lead.alerts}) == 2


def test_goto_goes_back_so_often_and_then_on() -> None:
    lead = on(f"- {{name: rest, wait: {{hours: 1}}}}\n- {{name: up, goto: rest, times: 2}}\n{MARK}")
    lead.pass_time(2.5)
    assert (lead.run.stage, lead.run.gone) == ("rest", {"up": 2})
    lead.pass_time(1)
    assert (lead.run.stage, lead.run.status) == ("mark", "ended")


ROUND = f"- {{name: hello, email: {MAIL}}}\n- {{name: rest, wait: {{days: 1}}}}\n- {{name: up, goto: hello}}"


def test_a_circle_with_an_email_ends_with_the_attempts_and_a_person_is_called() -> None:
    lead = on(ROUND)
    lead.pass_time(24 * 30)
    assert len(lead.plans) == 3
    assert (lead.run.stage, lead.run.status) == ("hello", "alerted")
    assert [alert.kind for alert in lead.alerts] == ["Nobody answers (attempts used)"]
    assert lead.alerts[0].at - lead.sent_at[-1] >= timedelta(hours=72), "the last window has ended"
    answer_alert(lead, "resume")
    lead.pass_time(24 * 30)
    assert (lead.run.run, len(lead.plans)) == ("2", 6)


def test_after_an_open_there_are_at_most_so_many_more_and_a_click_gives_the_rest() -> None:
    lead = OneVisitor(
        a_flow(ROUND, head=HEAD.replace("{total: 3, after_open: 2}", "{total: 4, after_open: 1}"))
    ).enter()
    lead.pass_time(2)
    lead.answer("opened")
    lead.pass_time(26)
    assert len(lead.plans) == 2
    lead.pass_time(26)
    assert (len(lead.plans), lead.run.status, lead.run.stage) == (2, "waiting", "hello")
    lead.answer("clicked")
    assert lead.run.status == "planned"
    assert lead.wakes["send:" + PATH] >= lead.now + 24 * HOUR, "whoever clicks is on the site"
    lead.pass_time(24 * 30)
    assert len(lead.plans) == 4


def test_a_visit_puts_the_next_email_off() -> None:
    lead = on(f"- {{name: hello, email: {MAIL}}}\n- {{name: next, email: {MAIL}}}\n{MARK}")
    lead.pass_time(20)
    lead.end_session()
    lead.pass_time(20)
    assert len(lead.plans) == 1
    lead.pass_time(20)
    assert len(lead.plans) == 2


def test_the_goal_ends_a_flow_at_every_kind_of_step_that_waits() -> None:
    for steps in (f"- {{name: hello, email: {MAIL}}}", UNTIL_CART, "- {name: a, wait: {days: 9}}"):
        lead = on(steps)
        lead.buy()
        assert lead.run.status == "won"
        assert not [key for key in lead.wakes if key.startswith(("flow:", "send:"))]
        lead.pass_time(24 * 20)
        assert not lead.plans


def test_the_goal_counts_what_was_reached_until_then_whichever_message_came_first() -> None:
    lead = on("- {name: a, wait: {hours: 2}}\n- {name: b, wait: {hours: 2}}\n- {name: c, tag: c}")
    lead.pass_time(3)
    lead.buy(at=MONDAY + HOUR)
    assert (lead.run.status, lead.run.stage) == ("won", "a")


def test_who_leaves_is_stopped_at_every_kind_of_step_that_waits() -> None:
    for steps in (f"- {{name: hello, email: {MAIL}}}", UNTIL_CART, "- {name: a, wait: {days: 9}}"):
        lead = on(steps)
        lead.identify(may_email=False)
        assert lead.run.status == "stopped"
        lead.pass_time(24 * 20)
        assert not lead.plans
        assert lead.run.status == "stopped"


def test_a_late_wake_up_of_a_wait_that_is_over_does_nothing() -> None:
    lead = on(UNTIL_CART)
    at = lead.wakes["flow:" + PATH]
    lead.take(CohortEntered(VISITOR, lead.now, f".{PATH}.cart"))
    lead.wakes["flow:" + PATH] = at
    lead.pass_time(60)
    assert list(lead.run.reached) == ["cart", "mark"]


def test_figures_count_each_way_that_was_gone_once_a_run() -> None:
    lead = on(f"- {{name: rest, wait: {{hours: 1}}}}\n- {{name: up, goto: rest, times: 2}}\n{MARK}")
    lead.pass_time(9)
    figures = lead.bot.figures(lead.state)
    assert {name: n for name, n in figures.items() if name.startswith("steps/")} == {
        f"steps/{PATH}/|rest": 1,
        f"steps/{PATH}/rest|up": 1,
        f"steps/{PATH}/up|mark": 1,
    }
    assert not [name for name in figures if name.startswith("ways/")]
