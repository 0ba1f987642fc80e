"""Try Behavior on one visitor: what it learns, counts and tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.behavior_bot.merge import pack
from agents.behavior_bot.orders import orders_value
from agents.behavior_bot.state import BehaviorState
from agents.rules.naming import OTHER
from messaging.vocabulary.effects import Moved, Tell, WakeAt
from messaging.vocabulary.messages import (
    AlertAnswered,
    Arrived,
    CohortEntered,
    CohortLeft,
    Identified,
    MailSent,
    MergedInto,
    ProfileSeen,
    Purchased,
    Responded,
    ScoreCrossed,
    SessionEnded,
    SiteConsent,
    StateMerged,
    TraitsSet,
    Woke,
)
from tests.behavior_builders import (
    ANN,
    HUMAN_AGENT,
    MINUTE,
    SECOND,
    START,
    Ann,
    a_page,
    a_record,
    a_track,
    a_view,
    a_view_of,
    an_identify,
    told,
)

CONSENT = {"consent": {"categoryPreferences": {"email": True}}}


def a_lead(number: int = 1, **traits: object) -> object:
    return an_identify(number, "u1", email="ann@example.com", context=CONSENT, traits=traits)


def a_click(number: int, link: str = "1", **more: object) -> object:
    fields = {"send_id": "s1", "link": link, "user_agent": HUMAN_AGENT, "method": "GET"}
    return a_record(number, type="mail_clicked", visitor=ANN, **(fields | more))


def an_open(number: int, **more: object) -> object:
    fields = {"send_id": "s1", "user_agent": HUMAN_AGENT, "method": "GET"}
    return a_record(number, type="mail_opened", visitor=ANN, **(fields | more))


def a_hand_over(at: object = START) -> MailSent:
    return MailSent(ANN, at, "s1", "invite", "lead-to-customer", "d1", at)


# ------------------------------------------------------------------------------------- who


def test_rules_hear_who_a_lead_is_before_the_cohort_that_starts_a_run() -> None:
    effects = Ann().sees(a_lead(firstName="Ann", timezone="Europe/Rome"))
    to_rules = [e.message for e in effects if isinstance(e, Tell) and e.bot == "rules"]
    who = to_rules[0]
    assert isinstance(who, Identified)
    assert (who.address, who.may_email, who.zone) == ("ann@example.com", True, "Europe/Rome")
    assert who.traits == {"firstName": "Ann"}
    assert "addressable-lead" in [m.cohort for m in told(effects, CohortEntered)]
    assert len(told(effects, Identified, "email")) == 1


def test_who_a_visitor_is_is_told_only_when_it_changed() -> None:
    ann = Ann()
    ann.sees(a_lead(1))
    assert not told(ann.sees(a_lead(2), a_page(3, userId="u1")), Identified)
    assert told(ann.sees(a_lead(4, firstName="Ann")), Identified, "rules")


@pytest.mark.parametrize(
    ("name", "greeted"),
    [
        ("Ann\n\nYour account is closed", "Ann Your account is closed"),
        ("Win at https://evil.example", None),
        ("WWW.evil.example", None),
        ("J. R. R.", "J. R. R."),
    ],
)
def test_a_name_is_one_line_without_a_link(name: str, greeted: str | None) -> None:
    [who] = told(Ann().sees(a_lead(1, firstName=name)), Identified, "email")
    assert who.traits.get("firstName") == greeted


def test_what_a_template_names_is_told_too_as_long_as_somebody_may_stand_on_its_version() -> None:
    ann = Ann()
    lead = {"plan": "gold", "seats": 3, "note": "see www.evil.example", "other": "x"}
    assert told(ann.sees(a_lead(1, **lead)), Identified, "email")[0].traits == {}
    named = replace(ann.view.rules, spoken=frozenset({"plan", "seats", "note"}))
    ann.view = msgspec.structs.replace(ann.view, pinned={**ann.view.pinned, 9: named})
    [who] = told(ann.sees(a_lead(2, seats=4)), Identified, "email")
    assert who.traits == {"plan": "gold", "seats": "4"}
    assert not told(ann.sees(a_lead(3, other="y")), Identified), "no template names it"


def test_nobody_is_told_of_a_visitor_without_an_address() -> None:
    assert not told(Ann().sees(an_identify(1, "u1", traits={"firstName": "Ann"})), Identified)


def test_no_consent_no_mail_unless_the_setting_assumes_it() -> None:
    event = an_identify(1, "u1", email="ann@example.com")
    assert not told(Ann().sees(event), Identified)[0].may_email
    assert told(Ann(a_view(consent="assumed")).sees(event), Identified)[0].may_email
    yes = an_identify(1, "u1", email="ann@example.com", traits={"email_consent": "yes"})
    assert told(Ann().sees(yes), Identified)[0].may_email


def test_an_unsubscribe_stands_against_traits_that_a_site_repeats() -> None:
    ann = Ann()
    ann.sees(a_lead(1))
    effects = ann.sees(a_record(2, type="unsubscribed", visitor=ANN, send_id="s1"))
    assert {e.bot for e in effects if isinstance(e, Tell) and isinstance(e.message, Responded)} == {
        "rules",
        "email",
    }
    assert not told(effects, Identified)[0].may_email
    assert [m.cohort for m in told(effects, CohortLeft)] == ["addressable-lead"]
    ann.sees(a_lead(3, email_consent=True))
    assert not told(ann.sees(a_lead(4, firstName="A")), Identified)[0].may_email
    assert "unsubscribed" in [what for _, what in ann.state.recent]


def test_a_bounce_is_told_to_rules_and_ends_mail_to_that_address_only() -> None:
    ann = Ann()
    ann.sees(a_lead(1))
    effects = ann.take(Responded(ANN, START + MINUTE, "s1", "bounced", 1.0))
    assert told(effects, Responded, "rules")
    assert not told(effects, Identified)[0].may_email
    other = an_identify(100, "u1", email="other@example.com")
    assert told(ann.sees(other), Identified)[0].may_email


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_a_report_goes_to_email_which_knows_whom_it_is_about(kind: str) -> None:
    ann = Ann()
    ann.sees(a_lead(1))
    fields = {"visitor": ANN, "send_id": "s1", "kind": kind, "mailbox": "m1"}
    effects = ann.sees(a_record(2, type="mail_reported", **fields))
    [heard] = told(effects, Responded)
    assert told(effects, Responded, "email") == [heard]
    assert (heard.send_id, heard.kind, heard.mailbox) == ("s1", kind, "m1")
    assert not told(effects, Identified), "until Email says what it means"


def test_a_bounce_of_another_address_says_nothing_of_the_present_one() -> None:
    ann = Ann()
    ann.sees(a_lead(1))
    old = Responded(ANN, START + MINUTE, "s1", "bounced", 1.0, "old@example.com")
    assert not told(ann.take(old), Responded)
    assert not told(ann.sees(a_lead(2, firstName="Ann")), CohortLeft)
    assert told(ann.sees(a_lead(3, firstName="Anna")), Identified)[0].may_email
    back = an_identify(100, "u1", email="old@example.com")
    assert not told(ann.sees(back), Identified)[0].may_email
    own = Responded(ANN, START + MINUTE, "s2", "bounced", 1.0, "OLD@example.com")
    assert told(ann.take(own), Responded, "rules")


@pytest.mark.parametrize(
    "call",
    [
        {"traits": {"email_consent": False}},
        {"context": {"traits": {"email_consent": "no"}}},
        {"context": {"consent": {"categoryPreferences": {"email": False}}}},
    ],
)
def test_a_no_is_heard_however_much_else_comes_in_that_minute(call: dict[str, Any]) -> None:
    ann = Ann()
    ann.sees(a_lead(1))
    for number in range(2, 1010):
        ann.sees(a_track(number, "Noise", taken=START, userId="u1"))
    yes = {"traits": {"email_consent": True, "firstName": "Late"}}
    assert not ann.sees(a_record(1010, type="identify", userId="u1", taken=START, **yes))
    effects = ann.sees(a_record(1011, type="identify", userId="u1", taken=START, **call))
    assert not told(effects, Identified, "rules")[0].may_email
    assert not told(effects, Identified, "email")[0].may_email
    assert [m.cohort for m in told(effects, CohortLeft)] == ["addressable-lead"]
    assert "firstName" not in ann.state.traits


def test_the_last_writer_of_a_trait_wins_however_late_it_comes() -> None:
    first, last = (
        an_identify(1, "u1", traits={"plan": "a"}),
        an_identify(9, "u1", traits={"plan": "b"}),
    )
    for order in ([first, last], [last, first]):
        ann = Ann()
        ann.sees(*order)
        assert ann.state.traits["plan"].value == "b"


def test_the_country_gives_the_zone_where_nothing_else_does() -> None:
    event = a_lead(1, address={"country": "BR"})
    assert told(Ann().sees(event), Identified)[0].zone == "America/Sao_Paulo"


# ------------------------------------------------------------------------- counts and sessions


def test_every_call_is_counted_under_its_name() -> None:
    ann = Ann()
    ann.sees(
        a_page(1),
        a_track(2, "Product Added"),
        a_lead(3),
        a_record(4, type="screen", anonymousId="a1"),
        a_record(5, type="group", groupId="g", userId="u1"),
        an_open(6),
        a_click(7),
    )
    assert ann.state.counters == {
        "page": 1,
        "Product Added": 1,
        "identify": 1,
        "screen": 1,
        "group": 1,
        "mail_opened": 1,
        "mail_clicked": 1,
    }


def test_thirty_minutes_without_activity_end_a_session_and_are_told_once() -> None:
    ann = Ann()
    ann.sees(a_lead(1), a_page(2), a_page(300))
    assert not told(ann.wakes_until(START + 31 * MINUTE), SessionEnded)
    ended = told(ann.wakes_until(START + timedelta(hours=3)), SessionEnded)
    assert [(m.ended_at, m.depth) for m in ended] == [(START + 300 * SECOND, 2)]
    ann.sees(a_page(20_000))
    assert [span.depth for span in ann.state.sessions] == [2, 1]


@pytest.mark.parametrize("second", [1000, 300, 150])
def test_what_comes_after_the_end_of_its_session_was_told_has_the_end_told_again(
    second: int,
) -> None:
    """Or Rules, which leaves the visitor alone because of it, would wait for an end that never comes."""
    ann = Ann()
    ann.sees(a_lead(1), a_page(100), a_page(300))
    assert told(ann.wakes_until(START + timedelta(hours=1)), SessionEnded)
    ann.sees(a_track(second, "Product Added"))
    ended = told(ann.wakes_until(START + timedelta(hours=2)), SessionEnded)
    assert [m.ended_at for m in ended] == [START + max(second, 300) * SECOND]


def test_the_end_of_a_session_is_told_once_the_visitor_becomes_known() -> None:
    """A visitor in a cohort that looks at sessions has their end watched before that, too."""
    ann = Ann()
    ann.sees(a_page(1), a_page(3 * 3600))
    assert "returning" in ann.state.cohorts
    assert not told(ann.wakes_until(START + timedelta(hours=5)), SessionEnded)
    assert not ann.wakes.get("session"), "nobody is to be told"
    effects = ann.sees(a_lead(6 * 3600))
    effects += ann.wakes_until(START + timedelta(hours=6, minutes=1))
    assert [m.ended_at for m in told(effects, SessionEnded)] == [START + timedelta(hours=3)]


def test_a_late_page_joins_the_two_sessions_it_lies_between() -> None:
    ann = Ann()
    ann.sees(a_page(1), a_page(2400), a_page(1200))
    assert [(span.start, span.depth) for span in ann.state.sessions] == [
        ((START + SECOND).timestamp(), 3)
    ]


def test_what_a_server_tells_is_no_visit() -> None:
    ann = Ann()
    ann.sees(a_lead(1), a_record(2, type="track", event="Order Completed", userId="u1"))
    assert not ann.state.sessions
    assert "session" not in ann.wakes


def test_beyond_the_bound_of_a_minute_events_are_only_counted() -> None:
    ann = Ann()
    ann.sees(a_lead(1))
    for number in range(2, 1005):
        last = ann.sees(a_page(number, taken=START))
    assert last == []
    assert ann.state.counters["page"] == 1003
    assert ann.state.over_bound == 4
    order = a_track(1005, "Order Completed", taken=START, properties={"order_id": "o1"})
    assert told(ann.sees(order), Purchased, "sales")


def test_names_beyond_the_bound_are_counted_together_and_the_state_stays_small() -> None:
    ann, text = Ann(), "x" * 500
    context = {"timezone": "Europe/Rome", "locale": "it-IT", "campaign": {"source": text}} | CONSENT
    for number in range(1, 700):
        traits = {f"trait {number} {each}": text for each in range(10)}
        at, call = START + number * timedelta(hours=7), {"userId": "u1", "context": context}
        sku = {f"property {each}": text for each in range(20)}
        ann.sees(
            a_track(number, f"Event {number}", text, at=at, properties=sku, **call),
            a_page(number, f"{text}{number}", "/" + text, at=at, **call),
            an_identify(number, at=at, traits=traits, email="ann@example.com", **call),
            a_track(number, "Order Completed", at=at, properties={"total": "9.5"}, **call),
        )
    assert ann.state.counters[OTHER] > 400
    assert sum(ann.state.counters.values()) == 4 * 699
    assert orders_value(ann.state) == 699 * 9.5
    assert len(msgspec.msgpack.encode(ann.state)) < 16_384


def test_what_rules_keep_of_events_does_not_grow_with_time() -> None:
    """A year of days, each with more than the rules keep, is no more than half a year."""
    wanted = {"size": {"at_least": 0}}
    kept = [
        *(
            {"event": {"name": "Product Added", "properties": wanted, "same": f"key {n}"}}
            for n in range(9)
        ),
        {"sequence": {"steps": ["Product Added", "Order Completed"], "same": "key 1"}},
        {"trait": {"name": "plan", "changed": {"within_days": 7}}},
        {"cart": {"contains": "lamp"}},
    ]
    ann, sizes = Ann(a_view_of(kept)), []
    for day in range(1, 361):
        at = START + day * timedelta(days=1)
        keys = {f"key {each}": f"{day} {each}" for each in range(9)}
        added = {"size": day, "product_id": f"lamp {day}", "name": "x" * 99, **keys}
        ann.sees(
            a_track(day * 10, "Product Added", at=at, properties=added),
            an_identify(day * 10 + 1, "u1", at=at, traits={"plan": f"plan {day}"}),
            a_track(day * 10 + 2, "Order Completed", at=at, properties={"total": 1, **keys}),
        )
        sizes.append(len(msgspec.msgpack.encode(ann.state)))
    assert sizes[-1] < 1.05 * sizes[179]
    assert sizes[-1] < 16_384
    assert sum(map(len, ann.state.marks.values())) <= 128
    assert ann.state.marks_dropped > 300
    figures = ann.bot.figures(ann.state)
    assert figures["bounds/let_go/visitors"] == 1
    assert figures["bounds/let_go/events"] == ann.state.marks_dropped
    assert "bounds/let_go/visitors" not in ann.bot.figures(ann.bot.fresh("b"))


# --------------------------------------------------------------------------- cohorts and scores


def test_a_cohort_that_time_alone_ends_is_left_by_a_wake_up() -> None:
    ann = Ann()
    assert "in-cart" in [
        m.cohort for m in told(ann.sees(a_track(1, "Product Added")), CohortEntered)
    ]
    effects = ann.wakes_until(START + timedelta(days=8))
    assert "in-cart" in [m.cohort for m in told(effects, CohortLeft)]


def test_a_score_tells_its_band_when_it_changes_and_when_it_fades() -> None:
    ann = Ann()
    ann.sees(an_identify(1, "u1", email="ann@example.com"))
    effects = ann.sees(a_page(2), *(a_track(n, "Product Added") for n in (3, 4)))
    assert [m.band for m in told(effects, ScoreCrossed)] == ["cool", "warm", "hot"]
    bands = told(ann.wakes_until(START + timedelta(days=60)), ScoreCrossed)
    assert [m.band for m in bands] == ["warm", "cool"]


def test_the_score_of_a_browser_nobody_can_write_to_is_kept_and_not_told() -> None:
    ann = Ann()
    assert not told(ann.sees(a_page(1)), ScoreCrossed)
    assert ann.state.scores["interest"].value > 0


def test_rules_of_a_new_version_are_asked_in_full_at_the_next_event() -> None:
    ann = Ann()
    ann.sees(a_page(1))
    ann.state.cohorts = [*ann.state.cohorts, "no-such-cohort"]
    ann.view = a_view(rules_version=2)
    assert "no-such-cohort" in [m.cohort for m in told(ann.sees(a_page(2)), CohortLeft)]


# -------------------------------------------------------------------------------- purchases


@pytest.mark.parametrize(
    ("properties", "value", "issue"),
    [
        ({"total": "$5", "currency": ""}, 5.0, "$ is a sign of several currencies"),
        ({"total": "1.234,50", "currency": "eur"}, 1234.5, ""),
        ({"total": "49,90"}, 49.9, ""),
        ({"total": 0}, 0.0, ""),
        ({"total": "1,234"}, 0.0, "total is no sum that can be read"),
        ({"total": "1,234", "currency": "KWD"}, 1.234, ""),
        ({"total": "a lot", "revenue": 5}, 5.0, ""),
        ({"total": -5}, 0.0, "total is no sum that can be read"),
        ({"products": [{"price": "2,50", "quantity": 2}]}, 5.0, ""),
        ({}, 0.0, "it names no total"),
    ],
)
def test_what_an_order_is_worth_is_read_as_people_write_it_or_said_to_be_unread(
    properties: dict[str, Any], value: float, issue: str
) -> None:
    ann = Ann()
    effects = ann.sees(a_track(1, "Order Completed", properties={"order_id": "o1", **properties}))
    [bought] = told(effects, Purchased, "sales")
    assert (bought.value, bought.issue) == (value, issue)
    assert bought.currency == str(properties.get("currency", "")).upper()


def test_what_orders_are_written_with_is_their_currency_in_rules_and_for_sales() -> None:
    ann = Ann()
    found = []
    for number, total in enumerate(["€ 49,90", "US$12.00", "12 EUR", "£5"]):
        order = {"order_id": f"o{number}", "total": total}
        effects = ann.sees(a_track(number, "Order Completed", properties=order))
        found += [(each.value, each.currency) for each in told(effects, Purchased, "sales")]
    assert found == [(49.9, "EUR"), (12.0, "USD"), (12.0, "EUR"), (5.0, "GBP")]
    assert orders_value(ann.state) == 61.9, "theirs is the first one's, and nothing is added to it"


def test_an_order_goes_to_sales_with_the_moment_behavior_took_it() -> None:
    ann = Ann()
    ann.sees(a_lead(1))
    ann.now = START + timedelta(days=3)
    properties = {"orderId": 7, "revenue": "19.90", "currency": "EUR"}
    effects = ann.sees(a_track(2, "Order Completed", properties=properties))
    bought = told(effects, Purchased, "sales")[0]
    assert (bought.order_id, bought.value, bought.currency) == ("7", 19.9, "EUR")
    assert bought.at == ann.now
    assert bought.address == "ann@example.com"
    assert told(effects, Identified, "rules")[0].orders == 1
    assert "customers" in [m.cohort for m in told(effects, CohortEntered)]


def test_an_order_told_twice_is_one_order() -> None:
    ann = Ann()
    for number in (1, 2):
        ann.sees(a_track(number, "Order Completed", properties={"order_id": "o", "total": 5}))
    assert (ann.state.orders_count, orders_value(ann.state)) == (1, 5.0)


def test_two_long_order_ids_that_differ_at_the_end_are_two_orders() -> None:
    ann = Ann()
    for number, end in enumerate("ab", 1):
        properties = {"order_id": "x" * 70 + end, "total": 5}
        ann.sees(a_track(number, "Order Completed", properties=properties))
    assert (ann.state.orders_count, orders_value(ann.state)) == (2, 10.0)


def test_an_order_without_an_id_is_known_by_its_message_and_odd_values_are_nothing() -> None:
    for odd in (
        {"total": "nan", "value": [1]},
        {"total": 1.7e308},
        {"total": -5},
        {"total": 10**400},
    ):
        effects = Ann().sees(a_track(3, "Order Completed", properties=odd))
        bought = told(effects, Purchased)[0]
        assert (bought.order_id, bought.value) == ("m3", 0.0)


@pytest.mark.parametrize(
    ("properties", "is_unnamed"),
    [({"order_id": "A-1"}, False), ({}, True), ({"order_id": "x" * 41}, True)],
)
def test_an_order_whose_id_is_our_own_says_so(properties: dict[str, Any], is_unnamed: bool) -> None:
    [bought] = told(Ann().sees(a_track(3, "Order Completed", properties=properties)), Purchased)
    assert bought.is_unnamed is is_unnamed


# ---------------------------------------------------------------------------- opens and clicks


def test_a_human_open_is_told_at_once_to_all_who_wait_for_it() -> None:
    ann = Ann()
    ann.take(a_hand_over())
    effects = ann.sees(an_open(60))
    assert [(e.bot, e.message.kind, e.message.human) for e in effects if _is_response(e)] == [
        ("rules", "opened", 1.0),
        ("email", "opened", 1.0),
        ("sales", "opened", 1.0),
    ]


def test_an_open_within_two_seconds_of_the_hand_over_is_a_machine() -> None:
    ann = Ann()
    ann.take(a_hand_over())
    assert told(ann.sees(an_open(1)), Responded)[0].human == 0.0
    assert ann.state.tallies["mail_opened"].human == 0


def test_an_open_that_overtakes_the_news_of_its_hand_over_waits_for_it() -> None:
    ann = Ann()
    assert not told(ann.sees(an_open(1)), Responded)
    assert told(ann.take(a_hand_over(), START + 2 * SECOND), Responded)[0].human == 0.0
    assert not ann.state.waiting


def test_an_open_of_a_send_nobody_knows_is_judged_after_a_minute() -> None:
    ann = Ann()
    ann.sees(an_open(1))
    assert told(ann.wakes_until(START + 2 * MINUTE), Responded)[0].human == 1.0


def test_a_human_click_is_told_after_two_seconds_and_is_activity() -> None:
    ann = Ann()
    ann.sees(a_lead(1))
    ann.take(a_hand_over())
    assert not told(ann.sees(a_click(60)), Responded)
    effects = ann.wakes_until(START + 63 * SECOND)
    assert [m.human for m in told(effects, Responded, "rules")] == [1.0]
    assert len(ann.state.sessions) == 1
    assert "session" in ann.wakes


def test_an_answer_is_told_with_the_moment_at_which_it_was_taken_however_late_it_is_judged() -> (
    None
):
    """So that a purchase right after a click stands after it in every bot."""
    ann = Ann()
    ann.sees(a_click(60))
    ann.take(a_hand_over(), START + 90 * SECOND)
    effects = ann.wakes_until(START + 95 * SECOND)
    assert [m.at for m in told(effects, Responded, "rules")] == [START + 60 * SECOND]


def test_three_links_within_two_seconds_are_a_scanner_and_none_counts() -> None:
    ann = Ann()
    ann.take(a_hand_over())
    ann.sees(*(a_click(60, str(link)) for link in range(3)))
    effects = ann.wakes_until(START + 70 * SECOND)
    assert [m.human for m in told(effects, Responded, "rules")] == [0.0, 0.0, 0.0]
    assert not ann.state.sessions


def test_an_answer_to_an_alert_goes_to_rules() -> None:
    fields = {"alert_id": "x", "path": "p", "run": "r", "action": "resume", "by": "eve"}
    effects = Ann().sees(a_record(1, type="alert_settled", visitor=ANN, **fields))
    answer = told(effects, AlertAnswered, "rules")[0]
    assert (answer.alert_id, answer.action, answer.by) == ("x", "resume", "eve")


def test_an_answer_to_an_alert_of_email_goes_to_email() -> None:
    fields = {"alert_id": "x", "path": "p", "run": "r", "action": "close", "by": "eve"}
    fields["kind"] = "uncertain success mail"
    effects = Ann().sees(a_record(1, type="alert_settled", visitor=ANN, **fields))
    assert told(effects, AlertAnswered, "rules") == []
    assert told(effects, AlertAnswered, "email")[0].alert_id == "x"


# ----------------------------------------------------------------------------------- merges


def test_a_younger_visitor_sends_its_state_and_leaves_a_tombstone() -> None:
    ann = Ann()
    ann.sees(a_page(1))
    effects = ann.take(MergedInto(ANN, START + MINUTE, "b" * 24))
    assert [e.bot for e in effects if isinstance(e, Tell) and type(e.message) is MergedInto] == [
        "rules",
        "email",
        "sales",
        "engagement",
    ]
    assert told(effects, StateMerged, "behavior")[0].visitor == "b" * 24
    assert isinstance(effects[-1], Moved)
    assert ann.take(MergedInto(ANN, START + MINUTE, ANN)) == []


def test_a_younger_state_is_taken_in_once() -> None:
    young, ann = Ann(visitor="b" * 24), Ann()
    young.sees(a_page(1), a_track(2, "Order Completed", properties={"order_id": "o", "total": 5}))
    ann.sees(a_page(3), a_track(4, "Order Completed", properties={"order_id": "o", "total": 5}))
    for _ in range(2):
        ann.take(StateMerged(ANN, START + MINUTE, "b" * 24, pack(young.state)))
    assert ann.state.counters == {"page": 2, "Order Completed": 1}
    assert (ann.state.orders_count, orders_value(ann.state)) == (1, 5.0)
    assert ann.state.sessions[0].depth == 2


def test_a_merge_tells_anew_who_the_visitor_is_and_what_it_is_in() -> None:
    young, ann = Ann(visitor="b" * 24), Ann()
    ann.sees(a_page(1))
    young.sees(a_lead(2), a_track(3, "Product Added"))
    effects = ann.take(StateMerged(ANN, START + MINUTE, "b" * 24, pack(young.state)))
    assert told(effects, Identified, "rules")[0].address == "ann@example.com"
    assert {"addressable-lead", "in-cart"} <= {m.cohort for m in told(effects, CohortEntered)}
    assert any(isinstance(e, WakeAt) and e.key == "session" for e in effects)


def test_after_a_merge_the_end_of_the_visit_is_told_again() -> None:
    young, ann = Ann(visitor="b" * 24), Ann()
    young.sees(a_track(150, "Product Added"))
    ann.sees(a_lead(1), a_page(100), a_page(300))
    assert told(ann.wakes_until(START + timedelta(hours=1)), SessionEnded)
    ann.take(StateMerged(ANN, ann.now, "b" * 24, pack(young.state)))
    ended = told(ann.wakes_until(START + timedelta(hours=2)), SessionEnded)
    assert [m.ended_at for m in ended] == [START + 300 * SECOND]


def test_a_merge_leaves_the_cohorts_that_the_whole_visitor_is_not_in() -> None:
    """Rules may hold the younger's cohorts for the older one by its own merge."""
    young, ann = Ann(visitor="b" * 24), Ann()
    young.sees(a_lead(1))
    ann.sees(a_track(2, "Order Completed"))
    effects = ann.take(StateMerged(ANN, START + MINUTE, "b" * 24, pack(young.state)))
    assert "addressable-lead" in [m.cohort for m in told(effects, CohortLeft)]


def test_rules_is_told_what_two_say_as_one_of_being_spoken_to_where_either_had_refused() -> None:
    """Rules may hold the younger's no for the older one by its own merge, though the older's later yes stands."""
    young, ann = Ann(visitor="b" * 24), Ann()
    says = [{"consent": {"categoryPreferences": {"site": yes}}} for yes in (False, True)]
    assert [m.may_show for m in told(young.sees(a_page(1, context=says[0])), SiteConsent)] == [
        False
    ]
    assert told(ann.sees(a_page(2, context=says[1])), SiteConsent) == [], "they may be anyway"
    effects = ann.take(StateMerged(ANN, START + MINUTE, "b" * 24, pack(young.state)))
    assert [(m.may_show, m.at) for m in told(effects, SiteConsent, "rules")] == [
        (True, START + MINUTE)
    ]


FIRSTS: list[Any] = [
    Woke(ANN, START, "cohorts", START, ""),
    MailSent(ANN, START, "s1", "t", "p", "d", START),
    Responded(ANN, START, "s1", "bounced", 1.0),
    ProfileSeen(ANN, START, "found", "personal", "active"),
    TraitsSet(ANN, START, {"plan": "gold"}, "p", "s"),
    MergedInto(ANN, START, "b" * 24),
    StateMerged(ANN, START, "b" * 24, pack(BehaviorState())),
    Arrived(ANN, START, a_page(1)),
]


@pytest.mark.parametrize("first", FIRSTS, ids=lambda each: type(each).__name__)
def test_whatever_comes_first_a_visitor_is_kept_for_what_is_published(first: Any) -> None:
    """So whoever is met lacks nothing that nobody knows of: a shard works under a publication from its first batch."""
    ann = Ann(a_view(publication=3))
    ann.take(first)
    assert (ann.state.kept, ann.state.kept_version) == (3, 1)


def test_a_stored_state_reads_back_as_it_was() -> None:
    ann = Ann()
    ann.sees(a_lead(1), a_page(2), an_open(3), a_track(4, "Order Completed", properties={"a": 1}))
    body = msgspec.msgpack.encode(ann.state)
    assert msgspec.msgpack.decode(body, type=BehaviorState) == ann.state


def _is_response(effect: object) -> bool:
    return isinstance(effect, Tell) and isinstance(effect.message, Responded)


def test_a_session_that_a_track_call_begins_is_told_to_the_cohorts_that_look_at_sessions() -> None:
    ann = Ann()
    ann.sees(a_track(1, "Song Played"))
    later = START + 60 * MINUTE
    effects = ann.sees(a_record(2, at=later, type="track", event="Song Played", anonymousId="a1"))
    assert [m.cohort for m in told(effects, CohortEntered, "rules")] == ["returning"]
