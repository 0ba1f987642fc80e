"""What the console says of a visitor: each row of a timeline is one plain sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.cli_status import totals
from scripts.cli_visitor import facts
from scripts.story import sentence
from scripts.worth import revenue_said

AGENTS = Path(__file__).parents[2] / "agents"
WRITTEN = re.compile(r'(?:story|LogStory)\(\s*"([a-z_]+\.[a-z_]+)"')

EVERYTHING = {
    "before": 1,
    "stays": 1,
    "path": "leads",
    "run": "1",
    "stage": "invited",
    "does": "wait_until",
    "issue": "total is no sum that can be read",
    "until": "2026-11-26T14:00:00Z",
    "way": "letter",
    "step": "invitation",
    "version": 1,
    "rule": "weekly_cap",
    "reason": "unsubscribed",
    "outcome": "refused",
    "attempt": 2,
    "attempts": 4,
    "template": "hello",
    "response": "opened",
    "action": "resume",
    "by": "eve",
    "broadcast": "b1",
    "younger": "f60d",
    "at": "2026-11-26T14:00:00Z",
    "paths": ["leads"],
    "lists": {"vip": True},
    "event": "Order Completed",
    "order_id": "o-1",
    "value": 49.0,
    "currency": "EUR",
    "credited": "s-1",
    "interaction": "opinion",
    "type": "opinion_form",
    "linear": ["s-0", "s-1"],
    "amount": 5.0,
    "left": 44.0,
    "sources": ["gravatar", "activitypub"],
    "times": 2,
    "source": "gravatar",
    "hosts": ["api.example", "api.example"],
    "presence": "found",
    "profile": "personal",
    "posts": 3,
    "last_active_at": "2026-11-26T14:00:00Z",
    "chances": {"customer": 0.31, "opportunity": None},
    "answers": {"missing": "The price", "stars": 4},
    "entered": ["likely"],
}
"""What any line of a story may hold."""


def a_decision(**changed):
    candidates = [["86", ""], ["87", ""], ["70", "quiet_hours"], ["71", "quiet_hours"]]
    return {
        "kind": "decisions: send_hour",
        "step": "invitation",
        "candidates": candidates,
        "probabilities": [0.954, 0.046],
        "arm": "86",
        "holdout": False,
    } | changed


def test_a_decision_says_what_was_chosen_how_likely_and_what_was_refused():
    assert sentence(a_decision()) == (
        'chose Thu 14:00 (their time) for the e-mail "invitation" '
        "(95 %, of 2 hours allowed); not 2 hours: quiet hours"
    )


def test_several_rules_that_refused_are_counted_each():
    found = a_decision(
        kind="decisions: template",
        candidates=[
            ["hello", ""],
            ["help", "sent_before"],
            ["ask", "sent_before"],
            ["x", "cohort"],
        ],
        probabilities=[1.0],
        arm="hello",
    )
    assert sentence(found) == (
        'chose template "hello" for the e-mail "invitation" (the only template allowed); '
        'not "help", "ask": it was sent before; "x": it is meant for another cohort'
    )


def test_a_goal_of_paths_that_somebody_is_not_on_is_not_said_to_be_reached_by_them():
    detail = {"event": "Order Completed", "order_id": "o-1", "value": 0}
    row = {"kind": "story: goal.reached", "detail": {**detail, "paths": ["bday", "low", "renew"]}}
    assert sentence(row) == 'did what 3 paths have as their goal: "Order Completed" o-1'
    row["detail"]["paths"] = ["leads"]
    assert sentence(row) == 'did what leads has as its goal: "Order Completed" o-1'


def test_who_is_held_out_got_what_the_rules_say():
    assert "held out" in sentence(a_decision(holdout=True))


def test_a_choice_on_the_site_says_what_was_offered_and_what_was_not():
    candidates = [["notice-new", ""], ["notice-returning", "cohort"]]
    found = a_decision(
        kind="decisions: interaction",
        candidates=candidates,
        probabilities=[1.0],
        arm="notice-new",
    )
    assert sentence(found) == (
        'chose to offer "notice-new" on the site (the only interaction allowed); '
        'not "notice-returning": it is meant for another cohort'
    )


def test_a_choice_among_equals_on_the_site_says_how_likely_it_was():
    found = a_decision(
        kind="decisions: interaction",
        candidates=[["hello", ""], ["question", ""], ["old", "priority"]],
        probabilities=[0.25, 0.75],
        arm="question",
    )
    assert sentence(found) == (
        'chose to offer "question" on the site (75 %, of 2 interactions allowed); '
        'not "old": another one matters more'
    )
    found |= {"holdout": True, "candidates": [["hello", ""], ["question", "by_rules"]]}
    found |= {"probabilities": [1.0], "arm": "hello"}
    assert sentence(found) == (
        'chose to offer "hello" on the site (as the rules say: held out from learning); '
        'not "question": the rules name another one first'
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"status": "offered"}, "stands ready on the site"),
        ({"status": "submitted", "shown_at": "2026-11-26T14:00:00Z"}, "was answered"),
        (
            {"status": "withdrawn", "reason": "made room"},
            "withdrawn unseen: something that matters more took its place",
        ),
        ({"status": "expired", "shown_at": "2026-11-26T14:00:00Z"}, "expired after it was seen"),
    ],
)
def test_an_engagement_says_how_it_stands(changed, said):
    row = {"kind": "engagements: engagements", "interaction": "opinion", "reason": ""}
    row |= {"interaction_type": "opinion_form", "shown_at": None} | changed
    assert sentence(row) == f'opinion form "opinion" {said}'


def written() -> set[str]:
    return {kind for file in AGENTS.rglob("*.py") for kind in WRITTEN.findall(file.read_text())}


@pytest.mark.parametrize("kind", sorted(written() | {"run.won", "run.stopped"}))
def test_every_line_that_a_bot_writes_has_a_sentence(kind):
    said = sentence({"kind": f"story: {kind}", "detail": EVERYTHING})
    assert kind not in said, "it is said by its name only"
    assert not set("{}[]=") & set(said)


def test_what_is_not_known_is_said_by_its_own_words():
    said = sentence({"kind": "story: moon.rose", "detail": {"phase": "full"}})
    assert said == "moon.rose  phase full"


def test_a_send_says_its_template_its_place_and_why_it_ended():
    row = {"kind": "sends: sends", "status": "refused", "reason": "no consent", "template": "hello"}
    row |= {"attempt": 2, "stage": "invited", "step": "invitation", "success": False}
    assert (
        sentence(row)
        == "e-mail hello (attempt 2, stage invited) refused: the visitor has not agreed to it"
    )


def test_an_open_alert_waits_for_a_person():
    row = {"kind": "alerts: Four attempts (attempts used)", "status": "open", "by": ""}
    assert sentence(row) == "alert, waits for a person: Four attempts"


def test_a_settled_alert_says_what_it_was_and_who_settled_it_when():
    row = {"kind": "alerts: Four attempts (attempts used)", "status": "resumed", "by": "kim"}
    row |= {"settled_at": "2026-11-26T14:00:00Z"}
    assert sentence(row) == ("alert resumed by kim, Thu 26 Nov 2026, 14:00 UTC: Four attempts")


def test_the_facts_of_a_visitor_are_words():
    found = {
        "visitor_id": "5c31",
        "user_ids": ["user-1"],
        "anonymous_ids": [],
        "lists": ["vip"],
        "traits": {"city": "Rio", "social_profile": "", "social_activity": None},
        "counters": {"page": 2, "alert_settled": 1},
        "scores": {"interest": 11.0},
        "cohorts": ["in-cart", "customers"],
        "consent": {"email": False},
        "unsubscribed_at": "2026-11-26T14:00:00Z",
        "runs": [
            EVERYTHING | {"status": "won", "entered_at": EVERYTHING["at"], "planned_at": None}
        ],
        "sends": [EVERYTHING | {"status": "handed over", "reason": ""}],
        "orders": [
            {
                "order_id": "o-1",
                "value": 49.0,
                "currency": "EUR",
                "refunded": 5.0,
                "left": 44.0,
                "credits": [{"template": "hello"}, {"template": "again"}],
            }
        ],
    }
    found["runs"][0]["holdout"] = False
    told = {
        "value": 0.12,
        "horizon_days": 30,
        "early": False,
        "reasons": ["more likely: e-mails opened (1)"],
    }
    found["probabilities"] = {"customer": told}
    said = dict(facts(found))
    rare = facts(found | {"probabilities": {"customer": told | {"value": 0.0, "reasons": []}}})
    assert dict(rare)["customer"] == "under 0.1 % likely within 30 days"
    assert said["customer"] == "12 % likely within 30 days; more likely: e-mails opened (1)"
    assert said["consent"] == "email no"
    assert said["unsubscribed"] == "Thu 26 Nov 2026, 14:00 UTC"
    assert said["cohorts"] == "in-cart, customers"
    assert said["has done"] == "viewed a page (2 x)", "an alert was answered by somebody else"
    assert said["alerts"] == "answered by a person (1 x)"
    assert said["traits"] == "city Rio"
    assert said["lists"] == "vip"
    assert "social profile" not in said, "nothing was found"
    seen = {"city": "Rio", "social_presence": "found", "social_profile": "personal"}
    assert (
        dict(facts(found | {"traits": seen}))["social profile"]
        == "presence found, profile personal"
    )
    assert said["order"] == ("o-1: 49.00 EUR, 5.00 given back, 44.00 left, thanks to again + hello")
    assert "won at stage invited" in said["path"]
    assert said["e-mail"].startswith("hello: handed over")


def test_one_is_said_in_the_singular():
    stats = {"runs": {}, "sends": {}, "orders": 1, "alerts": 1, "alerts_open": 1, "quarantined": 1}
    said = dict(totals(stats | {"gateway": {"waiting_events": 1, "replay_waiting": 1}}))
    assert said["alerts"] == "1 waits for a person, 1 in all"
    assert said["set aside"] == "1 message that could not be taken (see `mdma quarantine`)"
    assert said["waiting"] == "1 event for the journal, 1 call of a replay"
    row = {"kind": "story: run.alerted", "detail": {"path": "p", "run": "1", "attempts": 1}}
    assert "after 1 attempt: " in sentence(row)


def test_status_says_what_came_of_it_and_is_silent_of_nothing_set_aside():
    stats = {"runs": {"won": 2}, "sends": {"handed over": 1_200, "refused": 0}, "orders": 2}
    stats |= {"alerts": 3, "alerts_open": 1, "quarantined": 0}
    said = dict(totals(stats))
    assert said["runs"] == "2 won"
    assert said["e-mails"] == "1,200 handed over"
    assert "set aside" not in said
    assert said["orders"] == "2"
    assert dict(totals(stats | {"orders": 0}))["orders"] == "none yet"
    assert "mail" not in dict(totals(stats))


@pytest.mark.parametrize(
    ("paused", "said"), [("all", "all paths"), (["leads", "stock"], "leads, stock"), ([], None)]
)
def test_a_pause_that_is_on_is_said(paused, said):
    stats = {"runs": {}, "sends": {}, "orders": 0, "alerts": 0, "alerts_open": 0, "quarantined": 0}
    found = dict(totals(stats | {"paused": paused})).get("paused")
    assert found == (f"{said}: nothing is handed over until `mdma resume`" if said else None)


@pytest.mark.parametrize(
    ("value", "currency", "said"),
    [
        (49.9, "EUR", "49.90 EUR"),
        (1_234_567.5, "USD", "1,234,567.50 USD"),
        (4_990.0, "JPY", "4,990 JPY"),
        (5.125, "KWD", "5.125 KWD"),
        (49.9, "", "49.90"),
    ],
)
def test_a_sum_is_said_alike_wherever_it_stands(value, currency, said):
    """By its currency's decimals: at the order, in the goal's line, and in the sums of the overview."""
    order = {"order_id": "o1", "value": value, "currency": currency, "refunded": 0, "credits": []}
    visitor = {"visitor_id": "5c31", "unsubscribed_at": None, "orders": [order]}
    visitor |= {name: [] for name in ("user_ids", "anonymous_ids", "lists", "cohorts")}
    visitor |= {name: [] for name in ("runs", "sends")}
    visitor |= {name: {} for name in ("traits", "consent", "scores", "counters")}
    assert dict(facts(visitor))["order"] == f"o1: {said}"
    goal = {"paths": ["p"], "event": "Order Completed", "order_id": "o1"}
    goal |= {"value": value, "currency": currency}
    line = sentence({"kind": "story: goal.reached", "detail": goal})
    assert line.endswith(f"o1 of {said}")
    assert revenue_said({"currencies": [{"currency": currency, "revenue": value}]}) == said


def test_an_e_mail_that_waits_for_an_address_says_so_and_until_when():
    row = EVERYTHING | {"kind": "sends", "status": "planned", "reason": "no address"}
    row |= {"template": "thanks", "step": "success", "run": "o-1"}
    said = sentence(row)
    waits = "waits until Thu 26 Nov 2026, 14:00 UTC: no address is known"
    assert said == f"success e-mail thanks for order o-1 {waits}"
    visitor = {"visitor_id": "5c31", "unsubscribed_at": None, "sends": [row]}
    visitor |= {name: [] for name in ("user_ids", "anonymous_ids", "lists", "cohorts", "runs")}
    visitor |= {name: {} for name in ("traits", "consent", "scores", "counters")}
    assert dict(facts(visitor))["e-mail"] == f"thanks: {waits}, Thu 26 Nov 2026, 14:00 UTC"
    plain = sentence({name: each for name, each in row.items() if name != "until"})
    assert plain.endswith("o-1 planned: no address is known"), "of before it was written down"


def test_a_refund_says_what_is_left_and_status_sums_up():
    row = {"order_id": "o1", "amount": 5.0, "currency": "EUR", "left": 15.0}
    said = sentence({"kind": "story: order.refunded", "detail": row})
    assert said == "order o1: 5.00 EUR given back, 15.00 EUR and its credit are left"
    early = sentence({"kind": "story: order.refunded", "detail": row | {"left": None}})
    assert early == "order o1: 5.00 EUR given back, before the order itself is known"
    whole = sentence({"kind": "story: order.refunded", "detail": row | {"amount": None, "left": 0}})
    assert "all of it given back" in whole
    stats = {"runs": {}, "sends": {}, "orders": 2, "alerts": 0, "alerts_open": 0, "quarantined": 0}
    euros = {"currency": "EUR", "revenue": 1_015.0, "refunded": 5.0}
    dollars = {"currency": "USD", "revenue": 2.5, "refunded": 0.0}
    stats["sales"] = {"currencies": [euros, dollars], "unread": 0}
    said = "2 worth 1,015.00 EUR, 2.50 USD, 5.00 EUR given back"
    assert dict(totals(stats))["orders"] == said
    stats["sales"]["unread"] = 1
    assert (
        dict(totals(stats))["orders"]
        == f"{said}; 1 order with a sum that could not be taken as told"
    )
    unread = {
        "order_id": "o1",
        "amount": 0.0,
        "currency": "EUR",
        "left": 20.0,
        "issue": "total is …",
    }
    assert "counts nothing (total is …)" in sentence(
        {"kind": "story: order.refunded", "detail": unread}
    )


def test_a_sum_of_which_only_the_currency_is_odd_is_said_to_count():
    row = {"order_id": "o1", "issue": "$ is …"}
    assert sentence({"kind": "story: order.unread", "detail": row}) == (
        "order o1 counts nothing: $ is …"
    ), "as it was kept before there was a value"
    said = sentence({"kind": "story: order.unread", "detail": row | {"value": 5, "currency": ""}})
    assert said == "order o1 counts 5.00: $ is …"
    row |= {"amount": 5.0, "currency": "", "left": 15.0, "left_currency": "EUR"}
    said = sentence({"kind": "story: order.refunded", "detail": row})
    assert said == "order o1: 5.00 ($ is …) given back, 15.00 EUR and its credit are left"


def test_status_says_of_whom_nobody_was_told():
    stats = {"runs": {}, "sends": {}, "orders": 0, "alerts": 2, "alerts_open": 2, "quarantined": 0}
    assert "notices" not in dict(totals(stats | {"notices": {"waiting": 0, "failed": 0}}))
    said = dict(totals(stats | {"notices": {"waiting": 1, "failed": 2, "uncertain": 0}}))
    assert said["notices"].startswith("1 waiting, 2 failed")


def test_a_run_that_goes_over_to_another_version_goes_on():
    detail = {"run": "1", "path": "welcome", "before": 1, "version": 2, "by": "kim"}
    assert sentence({"kind": "story: run.migrated", "detail": detail}) == (
        "run 1 of welcome went over to version 2 of the rules, from 1: decided at publishing version 2, by kim"
    )
    detail = {"run": "1", "path": "welcome", "stage": "cart", "version": 2, "by": "kim"}
    detail["reason"] = "another version was published"
    assert sentence({"kind": "story: run.stopped", "detail": detail}) == (
        "run 1 of welcome left the path: decided at publishing version 2, by kim"
    )
    detail = {"run": "1", "path": "welcome", "stage": "cart", "stays": 3, "version": 4, "by": "kim"}
    assert sentence({"kind": "story: run.stayed", "detail": detail}) == (
        "run 1 of welcome stays on version 3 of the rules, as was chosen for stage cart:"
        " decided at publishing version 4, by kim"
    )
    no_place = {"kind": "story: run.stayed", "detail": detail | {"reason": "no such stage"}}
    assert sentence(no_place) == (
        "run 1 of welcome stays on version 3 of the rules, since version 4 has no such stage:"
        " decided at publishing version 4, by kim"
    )
    detail = {"run": "1", "path": "welcome", "stage": "cart", "version": 2, "by": "kim"}
    detail["reason"] = "another version was published"
    old = {name: value for name, value in detail.items() if name not in ("version", "by")}
    assert "another version was published" in sentence(
        {"kind": "story: run.stopped", "detail": old}
    )


@pytest.mark.parametrize(
    ("why", "says"),
    [
        ("quiet_hours", "quiet hours"),
        ("cap", "a cap of the path is reached"),
        ("cap_then_quiet_hours", "a cap of the path is reached, and then quiet hours"),
        ("send_time", "the hour that was picked for it"),
        ("after_visit", "they are left alone for a while after a visit"),
    ],
)
def test_what_is_planned_says_why_it_waits(why, says):
    detail = {"run": "1", "path": "welcome", "stage": "cart", "step": "cart-mail", "why": why}
    detail["at"] = "2026-11-26T08:00:00Z"
    assert sentence({"kind": "story: send.planned", "detail": detail}) == (
        f'planned the e-mail "cart-mail" of welcome for Thu 26 Nov 2026, 08:00 UTC: {says}'
    )
    broadcast = detail | {"path": "broadcast:b1", "stage": "broadcast", "step": "broadcast"}
    assert sentence({"kind": "story: send.planned", "detail": broadcast}) == (
        f"broadcast b1 waits until Thu 26 Nov 2026, 08:00 UTC: {says}"
    )


@pytest.mark.parametrize(
    ("channel", "count", "hours", "says"),
    [
        ("email", 4, 336, "4 e-mails in 14 days are the limit"),
        ("email", 1, 20, "1 e-mail in 20 hours is the limit"),
        ("total", 3, 24, "3 touches on all channels together in 24 hours are the limit"),
    ],
)
def test_a_wait_for_a_cap_names_the_cap_where_the_line_has_it(channel, count, hours, says):
    cap = {"channel": channel, "count": count, "hours": hours}
    detail = {"run": "1", "path": "broadcast:b1", "at": "2026-11-26T08:00:00Z", "cap": cap}
    until = "broadcast b1 waits until Thu 26 Nov 2026, 08:00 UTC: "
    said = sentence({"kind": "story: send.planned", "detail": detail | {"why": "cap"}})
    assert said == until + says
    both = detail | {"why": "cap_then_quiet_hours"}
    said = sentence({"kind": "story: send.planned", "detail": both})
    assert said == f"{until}{says}, and then quiet hours"
    put_off = detail | {"stage": "broadcast", "rule": "cap"}
    said = sentence({"kind": "story: touch.refused", "detail": put_off})
    assert said == f"broadcast b1 was put off: {says}"


def test_an_e_mail_that_is_called_off_is_not_said_to_be_put_off():
    detail = {"run": "1", "path": "club", "stage": "invited", "rule": "mailbox_of_another_visitor"}
    said = sentence({"kind": "story: touch.refused", "detail": detail})
    assert said.endswith("of club is not sent: the address belongs to another visitor")
    said = sentence({"kind": "story: touch.refused", "detail": detail | {"waits": True}})
    assert said.endswith("of club was put off: the address belongs to another visitor")


def test_a_move_after_social_forgot_is_not_said_to_come_of_an_answer():
    row = {"kind": "cohorts.moved", "entered": ["unknown"], "left": [], "by": "social"}
    assert sentence(row) == "entered cohort unknown: what Social knows of them changed"


def test_what_waits_for_nothing_names_no_reason():
    detail = {"run": "1", "path": "welcome", "step": "m", "at": "2026-11-26T08:00:00Z"}
    assert sentence({"kind": "story: send.planned", "detail": detail}).endswith("08:00 UTC")
    broadcast = detail | {"path": "broadcast:b1"}
    assert sentence({"kind": "story: send.planned", "detail": broadcast}) == (
        "broadcast b1 is due at Thu 26 Nov 2026, 08:00 UTC"
    )
