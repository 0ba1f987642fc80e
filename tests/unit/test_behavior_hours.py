"""Check what Behavior tells of the hours in which a lead is there: what counts, how often it is told, and to whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from agents.behavior_bot import layout
from agents.behavior_bot.hours import FEW
from agents.behavior_bot.merge import absorb
from agents.behavior_bot.state import BehaviorState
from learning.serving.presence import Presence, hour_of, hours_before, hours_of
from learning.serving.send_time import POLICY
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import HoursSeen, MailSent, WeekSeen
from tests.behavior_builders import (
    ANN,
    HUMAN_AGENT,
    Ann,
    a_page,
    a_record,
    a_track,
    an_identify,
    told,
)

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)


def a_lead() -> Ann:
    """Return Ann with an address, from Monday noon on."""
    ann = Ann()
    ann.sees(an_identify(1, "u1", email="ann@example.com", at=MONDAY + 12 * HOUR))
    return ann


def a_page_at(number: int, at: datetime) -> Record:
    """Return a page view at a moment."""
    return a_page(number, at=at)


def hours(at: datetime) -> int:
    """Return the hour that a moment lies in."""
    return hour_of(at.timestamp())


def test_a_week_that_is_over_is_told_once_when_the_first_event_after_it_comes():
    ann = a_lead()
    seen = [MONDAY + (18 + 7 * each) * HOUR for each in range(FEW + 1)]
    ann.sees(*(a_page_at(2 + each, at) for each, at in enumerate(seen)))
    effects = ann.sees(*(a_page_at(20 + each, MONDAY + WEEK + each * HOUR) for each in range(5)))
    (to_rules,) = told(effects, HoursSeen, "rules")
    (to_learner,) = told(effects, WeekSeen, "learner")
    assert hours_before(to_rules.week, to_rules.before).tolist() == [hours(at) for at in seen]
    assert to_rules.visitor == ANN
    assert (to_learner.visitor, to_learner.subject) == (policy_key(POLICY), ANN)
    assert (to_learner.week, to_learner.before) == (to_rules.week, to_rules.before)


def test_the_first_few_hours_are_told_to_rules_as_they_come_and_not_to_the_learner():
    ann = a_lead()
    known: list[int] = []
    for each in range(FEW):
        at = MONDAY + (18 + 7 * each) * HOUR
        known.append(hours(at))
        # What comes later in the same hour says nothing new.
        effects = ann.sees(a_page_at(2 + 2 * each, at), a_page_at(3 + 2 * each, at + HOUR / 4))
        (letter,) = told(effects, HoursSeen)
        assert hours_before(letter.week, letter.before).tolist() == known
        assert not told(effects, WeekSeen)
    assert not told(ann.sees(a_page_at(20, MONDAY + 90 * HOUR)), HoursSeen)


def test_a_first_visit_is_told_before_the_path_that_it_enters_plans_its_first_e_mail():
    ann = Ann()
    agreed = {"consent": {"categoryPreferences": {"email": True}}}
    effects = ann.sees(
        a_page_at(1, MONDAY + 18 * HOUR),
        an_identify(2, "u1", email="a@example.com", at=MONDAY + 18 * HOUR, context=agreed),
    )
    names = [type(effect.message).__name__ for effect in effects if hasattr(effect, "message")]
    assert names.count("HoursSeen") == 1
    assert names.index("HoursSeen") < names.index("CohortEntered")


def test_hours_in_which_an_email_brought_them_are_told_apart():
    ann = a_lead()
    sent = MONDAY + 16 * HOUR
    ann.take(MailSent(ANN, sent, "s1", "t1", "to-customer", "d1", sent))
    clicked = a_record(
        2,
        MONDAY + 18 * HOUR,
        type="mail_clicked",
        visitor=ANN,
        send_id="s1",
        link="https://shop.example/",
        user_agent=HUMAN_AGENT,
    )
    ann.sees(clicked)
    ann.wakes_until(MONDAY + 19 * HOUR)
    ann.sees(a_page_at(3, MONDAY + 40 * HOUR))
    (seen,) = told(ann.sees(a_page_at(4, MONDAY + WEEK)), WeekSeen)
    known = [hours(MONDAY + 18 * HOUR), hours(MONDAY + 40 * HOUR)]
    assert hours_before(seen.week, seen.before).tolist() == known
    assert hours_before(seen.week, seen.prompted).tolist() == known[:1]


def test_the_next_week_is_told_from_where_the_last_was():
    ann = a_lead()
    ann.sees(a_page_at(2, MONDAY + 18 * HOUR), a_page_at(3, MONDAY + WEEK))
    effects = ann.sees(a_page_at(4, MONDAY + 3 * WEEK))
    (seen,) = told(effects, WeekSeen)
    assert seen.told == hours(MONDAY + WEEK) // 168
    assert hours_before(seen.week, seen.before)[-1] == hours(MONDAY + WEEK)


def test_nobody_is_told_of_who_has_no_address_and_all_their_weeks_once_they_have():
    ann = Ann()
    ann.sees(a_page_at(1, MONDAY), a_page_at(2, MONDAY + WEEK))
    effects = ann.sees(
        an_identify(3, "u1", email="ann@example.com", at=MONDAY + WEEK + HOUR, anonymousId="a1")
    )
    (seen,) = told(effects, WeekSeen)
    assert seen.told == 0
    assert hours_before(seen.week, seen.before).tolist() == [hours(MONDAY)]


def test_hours_are_told_before_the_cohort_by_which_a_path_is_entered():
    """Else the first e-mail is planned without them."""
    ann = Ann()
    ann.sees(a_page_at(1, MONDAY), a_page_at(2, MONDAY + WEEK))
    agreed = {"consent": {"categoryPreferences": {"email": True}}}
    effects = ann.sees(
        an_identify(3, "u1", email="a@example.com", at=MONDAY + WEEK + HOUR, context=agreed)
    )
    names = [type(effect.message).__name__ for effect in effects if hasattr(effect, "message")]
    assert names.index("Identified") < names.index("HoursSeen") < names.index("CohortEntered")


def test_who_clicks_ten_thousand_times_was_there_once():
    ann = a_lead()
    ann.sees(*(a_page_at(2 + each, MONDAY + 18 * HOUR) for each in range(50)))
    assert hours_of(ann.state.presence).tolist() == [hours(MONDAY + 18 * HOUR)]


def test_opens_and_what_servers_tell_are_no_presence():
    """An open echoes when an e-mail was sent; an order that a shop's server tells may be a subscription's."""
    ann = a_lead()
    opened = a_record(
        2,
        MONDAY + 30 * HOUR,
        type="mail_opened",
        visitor=ANN,
        send_id="s1",
        user_agent=HUMAN_AGENT,
    )
    order = a_record(
        3, MONDAY + 40 * HOUR, type="track", event="Order Completed", userId="u1", properties={}
    )
    ann.sees(opened, order)
    assert ann.state.presence == Presence()
    ann.sees(a_track(4, "Order Completed", at=MONDAY + 41 * HOUR, properties={}))
    assert hours_of(ann.state.presence).tolist() == [hours(MONDAY + 41 * HOUR)]


def test_an_order_that_a_server_tells_is_no_presence_whatever_was_known_when_it_came():
    """Told before the visits that follow, or after them: the same hours are left."""
    order = a_record(
        9, MONDAY + 40 * HOUR, type="track", event="Order Completed", userId="u1", properties={}
    )
    pages = [a_page_at(2, MONDAY + 39 * HOUR), a_page_at(3, MONDAY + 60 * HOUR)]
    first, last = a_lead(), a_lead()
    first.sees(order, *pages)
    last.sees(*pages, order)
    assert first.state.presence == last.state.presence


def test_two_visitors_who_become_one_were_there_in_the_hours_of_both():
    ann, bob = a_lead(), a_lead()
    ann.sees(a_page_at(2, MONDAY + 18 * HOUR), a_page_at(3, MONDAY + WEEK))
    bob.sees(a_page_at(4, MONDAY + 20 * HOUR))
    absorb(ann.state, "b" * 24, bob.state, ann.view.rules)
    assert hours_of(ann.state.presence).tolist() == [
        hours(MONDAY + 18 * HOUR),
        hours(MONDAY + 20 * HOUR),
        hours(MONDAY + WEEK),
    ]
    assert ann.state.hours_told == hours(MONDAY + WEEK) // 168


def test_a_state_from_before_hours_were_kept_is_read():
    ann = a_lead()
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(ann.state))
    place = BehaviorState.__struct_fields__.index("presence")
    old = layout.read(layout.VERSION, msgspec.msgpack.encode(fields[:place]))
    assert (old.presence, old.hours_told) == (Presence(), 0)
    assert old.address == "ann@example.com"
