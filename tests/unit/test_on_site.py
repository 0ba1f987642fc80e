"""The on-site rows of the routine, through all bots: what is offered, how often, and when it is taken back."""

from __future__ import annotations

import dataclasses
import json

import msgspec

from agents.behavior_bot.intake import MINUTE_EVENTS_MAX
from messaging.vocabulary.ids import email_key, user_key, visitor_id_for
from messaging.vocabulary.records import Snapshot
from tests.on_site_builders import ASSIST, RULES, Browser, Site, default_view


def test_assist_elements_at_depth_2_bring_the_opinion_form() -> None:
    ann = Browser().views(ASSIST)
    assert ann.open() == []
    ann.views("/")
    assert "opinion" in ann.open()
    assert "chat" not in ann.open()


def test_still_on_assist_pages_at_depth_4_brings_the_invitation_to_chat() -> None:
    ann = Browser().views(ASSIST, "/", ASSIST)
    assert "chat" not in ann.open()
    ann.views("/")
    assert ann.open() == ["leaving", "opinion", "chat"]


def test_who_does_none_of_it_gets_one_more_that_fits_the_cohort() -> None:
    ann = Browser().views("/", "/shoes", "/about")
    assert ann.open() == ["leaving", "notice-new"]
    assert ann.engagement.offers[0].trigger == "exit"
    ann.site.pass_time(hours=30)
    ann.views("/", "/shoes", "/about")
    decided = ann.rows("decisions", kind="interaction", step="notice_bar")
    for_who_returns = ["notice-ask", "notice-returning"]
    assert decided[0]["arm"] == "notice-new"
    assert decided[0]["candidates"] == [
        ["notice-new", ""],
        *([name, "cohort"] for name in for_who_returns),
    ]
    assert decided[1]["candidates"] == [
        *([name, ""] for name in for_who_returns),
        ["notice-new", "priority"],
    ]
    assert decided[1]["probabilities"] == [0.5, 0.5]
    assert ann.open() == ["leaving", decided[1]["arm"]]


def test_who_leaves_a_cohort_loses_what_was_offered_for_it() -> None:
    ann = Browser().views("/", "/shoes", "/about")
    ann.views(ASSIST)
    assert ann.open() == ["leaving", "opinion"]
    row = ann.rows("engagements", interaction="notice-new")[0]
    assert (row["status"], row["reason"]) == ("withdrawn", "left looks-around")
    ann.tracks("Product Added", product_id="p1")
    assert ann.open() == []


def test_an_answer_becomes_a_trait_and_moves_a_cohort_at_once() -> None:
    ann = Browser().views("/", ASSIST)
    form = ann.offer("opinion")
    ann.answers(form, "shown")
    ann.answers(form, "submitted", wants_help_with="The price")
    assert ann.behavior.traits["wants_help_with"].value == "The price"
    assert "asks-for-price" in ann.behavior.cohorts
    assert "opinion" not in ann.open()
    assert ann.behavior.counters["engagement_submitted:opinion_form"] == 1
    rewards = [row.fields for row in ann.site.world.rows if row.table == "rewards"]
    assert [(r["decision_id"], r["value"]) for r in rewards] == [(form.plan.decision_id, 1.0)]
    [told] = [row["detail"] for row in ann.rows("story") if row["kind"] == "form.answered"]
    assert told["answers"] == {"wants_help_with": "The price"}
    assert "asks-for-price" in told["entered"]


def test_to_take_up_the_chat_is_an_opportunity() -> None:
    ann = Browser()
    ann.visitor = visitor_id_for(email_key("ann@example.com"))
    ann.calls("identify", traits={"email": "ann@example.com", "email_consent": True})
    ann.views(ASSIST, "/", ASSIST, "/")
    ann.answers(ann.offer("chat"), "clicked")
    assert ann.rules.runs["lead-to-customer"].stage == "talk"
    assert RULES.paths["lead-to-customer"].stage("talk").opportunity  # type: ignore[union-attr]


def test_a_type_comes_once_in_a_session() -> None:
    ann = Browser().views(ASSIST, "/")
    ann.answers(ann.offer("opinion"), "dismissed")
    ann.tracks("Product Added", product_id="p1")
    ann.tracks("Order Cancelled")
    ann.site.pass_time(days=8)  # the cart is old by now
    ann.views("/", ASSIST)
    assert "opinion" in ann.open()
    ann.answers(ann.offer("opinion"), "dismissed")
    ann.site.pass_time(minutes=20)
    ann.views(ASSIST)
    assert "opinion" not in ann.open()


def test_a_second_session_of_the_day_ends_at_the_cap_of_the_day() -> None:
    ann = Browser()
    for _ in range(4):
        ann.views("/", "/shoes", "/about", ASSIST, ASSIST)
        for offer in list(ann.engagement.offers):
            ann.answers(offer, "dismissed")
        ann.site.pass_time(hours=1)
    shown = [row["shown_at"] for row in ann.rows("engagements") if row.get("shown_at")]
    assert len(shown) == 3
    assert ("opinion_form", "cap_day") in ann.refusals()
    ann.site.pass_time(hours=24)
    ann.views("/", ASSIST)
    assert "opinion" in ann.open()


def test_at_the_cap_what_nobody_has_seen_makes_room_for_what_matters_more() -> None:
    ann = Browser().views("/", "/shoes", "/about")
    ann.answers(ann.offer("notice-new"), "shown")
    ann.views(ASSIST)
    assert ann.open() == ["leaving", "opinion"]
    ann.views(ASSIST)
    assert ann.open() == ["opinion", "chat"]
    row = ann.rows("engagements", interaction="leaving")[0]
    assert (row["status"], row["reason"]) == ("withdrawn", "made room")


def test_what_ended_unseen_is_given_back() -> None:
    ann = Browser().views("/", ASSIST)
    assert len(ann.rules.offered) == 2
    ann.site.pass_time(hours=1)
    assert ann.open() == []
    assert ann.rules.offered == {}
    assert not [row for row in ann.site.world.rows if row.table == "rewards"]


def test_a_purchase_withdraws_what_is_open_and_no_more_is_offered() -> None:
    ann = Browser().views(ASSIST, "/", ASSIST, "/")
    ann.answers(ann.offer("chat"), "shown")
    ann.tracks("Order Completed", order_id="o1", total=20)
    assert ann.open() == []
    assert {row["status"] for row in ann.rows("engagements")} == {"withdrawn"}
    ann.views(ASSIST, ASSIST)
    assert ann.open() == []


def test_nobody_is_spoken_to_who_said_no() -> None:
    ann = Browser()
    consent = {"consent": {"categoryPreferences": {"site": False}}}
    ann.calls("identify", traits={"city": "Rio"}, context=consent)
    ann.views(ASSIST, ASSIST, ASSIST, ASSIST)
    assert ann.open() == []
    assert {rule for _, rule in ann.refusals()} == {"consent"}


def test_who_is_not_on_the_site_is_offered_nothing() -> None:
    """An import of the past enters cohorts, and nobody is there to see anything."""
    thanks = msgspec.structs.replace(RULES.interactions["chat"], cohort="customers")
    rules = dataclasses.replace(RULES, interactions={"chat": thanks})
    site = Site(default_view(rules=rules, pinned={1: rules}))
    bought = {"type": "track", "event": "Order Completed", "userId": "u1"}
    site.feed(json.dumps(bought).encode())
    ann = Browser(site)
    ann.visitor = visitor_id_for(user_key("u1"))
    assert "customers" in ann.rules.cohorts
    assert ann.open() == []
    assert ann.refusals() == [("chat_invitation", "not_on_site")]


def test_both_of_two_visitors_found_to_be_one_count_for_the_caps() -> None:
    site = Site()
    older = Browser(site, "phone")
    older.views("/", ASSIST)
    older.answers(older.offer("opinion"), "dismissed")
    older.calls("identify", traits={"email": "ann@example.com"})
    younger = Browser(site, "laptop")
    younger.views("/", ASSIST)
    younger.answers(younger.offer("leaving"), "dismissed")
    younger.calls("page", tagged=older.visitor, context={"page": {"path": ASSIST}})
    assert site.world.held("engagement", younger.visitor).moved == older.visitor
    seen = sorted(each.type for each in older.rules.offered.values() if not each.unseen)
    assert seen == ["exit_offer", "opinion_form"]
    older.views(ASSIST, ASSIST, ASSIST)
    assert "opinion" not in older.open()
    assert "leaving" not in older.open()
    assert not [o for o in older.rules.offered.values() if o.unseen and o.interaction != "chat"]


def test_what_is_answered_more_is_offered_more() -> None:
    """Two notices are as good as each other to the rules; everybody takes up the one, and closes the other."""
    notices = ("notice-new", "notice-twin")
    twin = msgspec.structs.replace(RULES.interactions[notices[0]], name=notices[1])
    rules = dataclasses.replace(RULES, interactions={**RULES.interactions, notices[1]: twin})
    site = Site(default_view(rules=rules, pinned={1: rules}, holdout=0.0))
    for number in range(60):
        ann = Browser(site, f"b{number}").views("/", "/shoes", "/about")
        (name,) = set(notices) & set(ann.open())
        offer = ann.offer(name)
        ann.answers(offer, "shown")
        ann.answers(offer, "clicked" if name == notices[1] else "dismissed")
        site.pass_time(minutes=30)
    decisions = [row.fields for row in site.world.rows if row.table == "decisions"]
    first = [each for each in decisions if each["step"] == "notice_bar"]
    assert {tuple(each["probabilities"]) for each in first} == {(0.5, 0.5)}
    site.pass_time(hours=40)
    rows = [row.fields for row in site.world.rows if row.table == "snapshots"]
    told = [{k: v for k, v in row.items() if k != "at"} for row in rows]
    newest = next(each for each in reversed(told) if each["policy"] == "on_site/notice_bar")
    site.world.view.snapshots["on_site/notice_bar"] = msgspec.convert(newest, Snapshot)
    ben = Browser(site, "ben").views("/", "/shoes", "/about")
    (decided,) = ben.rows("decisions", step="notice_bar")
    chances = dict(zip(notices, decided["probabilities"], strict=True))
    assert chances["notice-twin"] > 0.99
    assert 0.01 > chances["notice-new"] > 0.0
    assert decided["policy_version"] == newest["version"]


def test_who_takes_consent_back_sees_nothing_any_more_also_without_an_address() -> None:
    ann = Browser().views(ASSIST, "/")
    assert "opinion" in ann.open()
    consent = {"consent": {"categoryPreferences": {"site": False}}}
    ann.calls("page", context=consent | {"page": {"path": "/"}})
    assert ann.open() == []
    assert ("opinion_form", "cap_day") not in ann.refusals()
    consent["consent"]["categoryPreferences"]["site"] = True
    ann.site.pass_time(hours=1)
    ann.calls("page", context=consent | {"page": {"path": ASSIST}})
    ann.views("/")
    assert "opinion" in ann.open()


def test_a_no_on_the_site_is_not_lost_among_categories_nor_in_a_flood() -> None:
    ann = Browser()
    refuses = {"consent": {"categoryPreferences": {"site": False}}}
    for _ in range(MINUTE_EVENTS_MAX + 10):
        ann.site.feed(b'{"type": "page", "anonymousId": "b1"}')
    ann.site.feed(json.dumps({"type": "page", "anonymousId": "b1", "context": refuses}).encode())
    many = {"consent": {"categoryPreferences": {f"c{number}": True for number in range(20)}}}
    ann.site.pass_time(minutes=5)
    ann.calls("page", context=many)
    ann.views(ASSIST, "/")
    assert ann.open() == []
