"""What becomes of a flow's run when two visitors prove to be one, and when another version is published."""

from __future__ import annotations

import pytest

from agents.behavior_bot.knowing import trait_of
from agents.protocol.bot import View
from messaging.vocabulary.effects import CallWebhook, Tell
from messaging.vocabulary.messages import (
    CohortEntered,
    Identified,
    MergedInto,
    Message,
    RunsMoved,
    TraitsSet,
    TraitValue,
    WebhookSettled,
)
from tests import behavior_builders as behavior
from tests.flow_builders import HEAD, MAIL, a_flow, on
from tests.rules_builders import HOUR, MONDAY, PATH, VISITOR, OneVisitor, some_rules

MARK = "- {name: mark, tag: reached}"
STEPS = f"""
- {{name: rest, wait: {{days: 1}}}}
- {{name: hello, email: {MAIL}}}
- name: cart
  wait_until: {{when: {{in_cart: true}}, at_most_hours: 48}}
- {{name: up, goto: cart, times: 2}}
{MARK}
"""


def merged_state(younger: OneVisitor) -> Message:
    """Return the state that a younger visitor hands over."""
    effects = younger.take(MergedInto(visitor=VISITOR, at=younger.now, into="00" * 12))
    return next(e.message for e in effects if isinstance(e, Tell))


@pytest.mark.parametrize("hours", [0, 24.5, 30, 80])
def test_a_merge_goes_on_where_the_further_of_the_two_stood(hours: float) -> None:
    younger = on(STEPS)
    younger.pass_time(hours)
    stage, status, until = younger.run.stage, younger.run.status, younger.run.until
    older = OneVisitor(a_flow(STEPS), at=younger.now).enter()
    older.take(merged_state(younger))
    assert (older.run.stage, older.run.status) == (stage, status)
    if until is not None:
        assert older.wakes["flow:" + PATH] == until
    older.pass_time(24 * 30)
    assert older.run.status == "ended"
    assert len(older.plans) + len(younger.plans) == 1


def test_a_merge_before_the_handing_over_was_told_sends_nothing_twice() -> None:
    younger = OneVisitor(a_flow(STEPS))
    younger.outcome = ""
    younger.enter()
    younger.pass_time(30)
    assert younger.run.status == "sending"
    older = OneVisitor(a_flow(STEPS), at=younger.now).enter()
    older.take(merged_state(younger))
    assert (older.run.stage, older.run.status) == ("hello", "sending")
    older.settle(younger.plans[0], "handed over")
    assert (older.run.stage, older.run.status) == ("cart", "waiting")
    older.pass_time(24 * 30)
    assert not older.plans


def test_what_went_round_counts_together_after_a_merge() -> None:
    pair = []
    for _ in range(2):
        lead = on(STEPS)
        lead.pass_time(24 + 7 + 50)
        assert lead.run.gone == {"up": 1}
        pair.append(lead)
    pair[0].take(merged_state(pair[1]))
    assert pair[0].run.gone == {"up": 2}
    pair[0].pass_time(49)
    assert pair[0].run.status == "ended"


ROUND = f"""
- {{name: hello, email: {MAIL}}}
- {{name: rest, wait: {{hours: 14}}}}
- {{name: up, goto: hello, times: 5}}
"""


@pytest.mark.parametrize(("rounds", "sends"), [(1, 3), (2, 4)])
def test_two_halves_that_each_had_an_e_mail_planned_share_one_budget(
    rounds: int, sends: int
) -> None:
    pair = []
    for visitor in (VISITOR, "b" * 24):
        lead = OneVisitor(a_flow(ROUND))
        lead.state.visitor = visitor
        lead.enter()
        lead.pass_time(
            24 * rounds - 8
        )  # Monday or Tuesday at 23: the next goes at 8 in the morning
        assert (lead.run.status, lead.run.stage, lead.run.attempts) == ("planned", "hello", rounds)
        pair.append(lead)
    older, younger = pair
    older.take(merged_state(younger))
    older.pass_time(24 * 14)
    assert len(older.plans) + len(younger.plans) == sends, (
        "three in all: two halves may have had four"
    )
    assert older.run.status == "alerted"


def test_a_customers_other_half_ends_the_flow() -> None:
    customer = OneVisitor(a_flow(STEPS))
    customer.identify()
    customer.buy()
    lead = on(STEPS)
    lead.pass_time(2)
    lead.take(merged_state(customer))
    assert lead.run.status == "won"
    assert "flow:" + PATH not in lead.wakes


def moved(lead: OneVisitor, view: View, action: str = "migrate") -> None:
    """Publish another version, and move the runs to it."""
    rules = view.rules
    lead.view = View(rules, 2, {**lead.view.pinned, 2: rules}, {}, holdout=0.0)
    lead.take(RunsMoved(VISITOR, lead.now, 2, action, "eve"))


def test_a_run_whose_step_is_gone_stays_on_its_version_and_ends_there() -> None:
    lead = on(STEPS)
    moved(lead, a_flow(MARK, 2))
    assert lead.run.version == 1
    lead.pass_time(24 * 30)
    assert (lead.run.status, lead.run.stage) == ("ended", "mark")


def test_a_wait_under_way_keeps_its_end_in_another_version() -> None:
    lead = on(STEPS)
    lead.pass_time(5)
    moved(lead, a_flow(f"- {{name: rest, wait: {{days: 9}}}}\n{MARK}", 2))
    assert (lead.run.version, lead.wakes["flow:" + PATH]) == (2, MONDAY + 24 * HOUR)
    lead.pass_time(20)
    assert (lead.run.status, lead.run.stage) == ("ended", "mark")


def test_a_planned_email_keeps_its_time_in_another_version() -> None:
    lead = on(f"- {{name: hello, email: {MAIL}}}")
    planned = lead.run.planned_at
    moved(lead, a_flow(f"- {{name: hello, email: {MAIL}}}\n{MARK}", 2))
    assert (lead.run.version, lead.run.planned_at) == (2, planned)
    lead.pass_time(2)
    assert (len(lead.plans), lead.run.stage) == (1, "mark")


@pytest.mark.parametrize(
    ("before", "after", "stands"),
    [
        ("wait: {days: 1}", f"email: {MAIL}", "same"),
        (f"email: {MAIL}", "wait: {days: 1}", "same"),
        (f"email: {MAIL}", "tag: x", "mark"),
        ("wait: {days: 1}", "if: {in_cart: true}, then: [{name: y, end: true}]", "mark"),
        ("wait: {days: 1}", "wait_until: {when: {in_cart: true}, at_most_hours: 9}", "same"),
    ],
)
def test_a_step_that_does_something_else_now_is_taken_anew(
    before: str, after: str, stands: str
) -> None:
    lead = on(f"- {{name: same, {before}}}\n{MARK}")
    moved(lead, a_flow(f"- {{name: same, {after}}}\n{MARK}", 2))
    assert (lead.run.version, lead.run.stage) == (2, stands)
    lead.pass_time(24 * 9)
    assert (lead.run.status, lead.run.stage) == ("ended", "mark")
    assert len(lead.plans) == after.startswith("email")
    assert not [key for key in lead.wakes if key.startswith(("flow:", "send:"))]


HOOK = "webhook: {url: 'https://crm.example/score', at_most_hours: 6}"


@pytest.mark.parametrize(
    "before", ["wait: {days: 1}", "wait_until: {when: {in_cart: true}, at_most_hours: 48}"]
)
def test_a_wait_that_becomes_a_webhook_is_called(before: str) -> None:
    lead = on(f"- {{name: same, {before}}}\n{MARK}")
    lead.pass_time(5)
    moved(lead, a_flow(f"- {{name: same, {HOOK}}}\n{MARK}", 2))
    (call,) = [effect for effect in lead.effects if isinstance(effect, CallWebhook)]
    assert (call.step, lead.wakes["flow:" + PATH]) == ("same", MONDAY + 11 * HOUR)
    lead.take(WebhookSettled(VISITOR, lead.now, call.call_id, PATH, "1", "same", "answered", ""))
    assert (lead.run.status, lead.run.stage) == ("ended", "mark")


def test_a_webhook_that_becomes_a_wait_waits_its_time_whatever_is_answered() -> None:
    lead = on(f"- {{name: same, {HOOK}}}\n{MARK}")
    (call,) = [effect for effect in lead.effects if isinstance(effect, CallWebhook)]
    lead.pass_time(5)
    moved(lead, a_flow(f"- {{name: same, wait: {{days: 1}}}}\n{MARK}", 2))
    lead.take(WebhookSettled(VISITOR, lead.now, call.call_id, PATH, "1", "same", "answered", ""))
    assert (lead.run.stage, lead.wakes["flow:" + PATH]) == ("same", MONDAY + 29 * HOUR)
    lead.pass_time(24)
    assert (lead.run.status, lead.run.stage) == ("ended", "mark")


def test_what_a_wait_waits_for_may_hold_by_the_new_version_already() -> None:
    lead = on(f"- {{name: same, wait: {{days: 1}}}}\n{MARK}")
    lead.take(CohortEntered(VISITOR, lead.now, f".{PATH}.same"))
    after = "wait_until: {when: {in_cart: true}, at_most_hours: 9}"
    moved(lead, a_flow(f"- {{name: same, {after}}}\n{MARK}", 2))
    assert (lead.run.status, lead.run.stage) == ("ended", "mark")


def test_a_loops_run_has_no_place_in_a_flow() -> None:
    lead = OneVisitor().enter()
    moved(lead, a_flow("- {name: invited, wait: {days: 1}}", 2))
    assert lead.run.version == 1
    lead.pass_time(24 * 30)
    assert lead.run.status == "alerted"
    flow = on("- {name: invited, wait: {days: 1}}")
    rules = some_rules(2)
    flow.view = View(rules, 2, {**flow.view.pinned, 2: rules}, {}, holdout=0.0)
    flow.take(RunsMoved(VISITOR, flow.now, 2, "migrate", "eve"))
    assert flow.run.version == 1


def test_behavior_takes_what_a_step_sets_and_tells_what_may_be_greeted_with() -> None:
    ann = behavior.Ann()
    ann.sees(behavior.an_identify(1, "u1", traits={"email": "ann@example.com", "firstName": "Ann"}))
    now = behavior.START + behavior.MINUTE
    set_ = TraitsSet(
        behavior.ANN, now, {"tags.new": True, "size": 3, "firstName": "Eve"}, PATH, "mark"
    )
    effects = ann.take(set_, now)
    assert [trait_of(ann.state, name) for name in ("tags.new", "size", "firstName")] == [
        True,
        3,
        "Eve",
    ]
    assert [m.traits["firstName"] for m in behavior.told(effects, Identified, "rules")] == ["Eve"]
    assert ann.take(set_, now) == [], "said again it changes nothing"


def test_a_step_cannot_give_consent_or_an_address() -> None:
    ann = behavior.Ann()
    ann.sees(behavior.an_identify(1, "u1", traits={"email": "ann@example.com"}))
    before = (ann.state.address, dict(ann.state.consents))
    traits: dict[str, TraitValue] = {"email": "x@example.com", "email_consent": True}
    ann.take(TraitsSet(behavior.ANN, behavior.START, traits, PATH, "mark"), behavior.START)
    assert (ann.state.address, dict(ann.state.consents)) == before


def test_what_a_flow_asks_is_told_before_the_cohort_that_starts_its_run() -> None:
    steps = "- {name: q, if: {country: DE}, then: [{name: german, tag: g}], else: [{name: other, tag: o}]}"
    ann = behavior.Ann(a_flow(steps))
    traits = {"email": "ann@example.com", "country": "DE", "email_consent": True}
    effects = ann.sees(behavior.an_identify(1, "u1", traits=traits))
    entered = behavior.told(effects, CohortEntered, "rules")
    assert [each.cohort for each in entered] == [f".{PATH}.q", "addressable-lead"]
    lead = OneVisitor(a_flow(steps))
    lead.identify()
    for each in entered:
        lead.take(each)
    assert list(lead.run.reached) == ["q", "german"]


def test_what_a_flow_asks_is_told_before_the_day_that_starts_its_run() -> None:
    steps = "- {name: q, if: {trait: {name: plan, equals: gold}}, then: [{name: gold, tag: g}]}"
    entry = "{date: {trait: birthday, anniversary: true}}"
    ann = behavior.Ann(a_flow(steps, head=HEAD.replace("{cohort: addressable-lead}", entry)))
    ann.sees(behavior.an_identify(1, "u1", traits={"email": "ann@example.com"}))
    traits = {"birthday": "1990-11-23", "plan": "gold"}
    effects = ann.sees(behavior.an_identify(2, "u1", traits=traits))
    entered = behavior.told(effects, CohortEntered, "rules")
    assert [each.cohort for each in entered] == [f".{PATH}.q", f".{PATH}."]


def test_hidden_cohorts_are_counted_and_shown_nowhere() -> None:
    ann = behavior.Ann(
        a_flow("- {name: q, if: {country: DE}, then: [{name: german, tag: g}]}\n" + MARK)
    )
    ann.sees(behavior.an_identify(1, "u1", traits={"email": "a@example.com", "country": "DE"}))
    assert f".{PATH}.q" in ann.state.cohorts
    assert not [name for name in ann.bot.figures(ann.state) if name.startswith("cohorts/.")]
