"""Check that an e-mail goes out in its reader's own hours, and that what waits is planned again when more is known."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import numpy as np
import pytest

from agents.rules_manager.state import RulesState
from learning.serving.hours import FIRST
from learning.serving.presence import before_week, hour_of, hours_before
from learning.serving.send_time import (
    EVERYBODY,
    EVERYBODY_WEEKS,
    EXPLORED,
    EXPLORED_SLOTS,
    POLICY,
    SHAPE,
    SLOTS,
)
from messaging.vocabulary.effects import LogDecision, LogReward, Tell
from messaging.vocabulary.messages import HoursSeen, RewardSeen, StateMerged
from messaging.vocabulary.records import Decision, Snapshot
from tests.rules_builders import HOUR, MONDAY, VISITOR, OneVisitor, a_view

ALL_AT, OWN_AT = 14, 18
"""Hours of the day in which everybody is there, and in which this lead is."""
WEEKS = 8


def a_snapshot() -> Snapshot:
    """Return what is learned where nothing was sent and everybody is there at 14 o'clock."""
    there = [60.0 if slot % 24 == ALL_AT else 5.0 for slot in range(SLOTS)]
    arrays = {EVERYBODY: there, EVERYBODY_WEEKS: [200.0], SHAPE: [float(FIRST)]}
    return Snapshot(policy=POLICY, version=3, arrays=arrays)


def learning(**changes) -> OneVisitor:
    """Return a visitor whose e-mails' hours are learned."""
    view = a_view(**changes)
    view.snapshots[POLICY] = a_snapshot()
    return OneVisitor(view)


def own_hours(now: datetime = MONDAY, hour: int = OWN_AT) -> HoursSeen:
    """Build what Behavior tells of somebody who was there at one hour of each of the last days."""
    week = hour_of(now.timestamp()) // SLOTS
    days = np.arange((week - WEEKS) * 7, week * 7)
    return HoursSeen(VISITOR, now, week, before_week(days * 24 + hour, week))


def decisions(lead: OneVisitor) -> list[Decision]:
    """Return the decisions on hours."""
    made = [e.decision for e in lead.effects if isinstance(e, LogDecision)]
    return [each for each in made if each.kind == "send_hour"]


def chance_at(decision: Decision, hour: int) -> float:
    """Return how likely an hour of the day was."""
    allowed = [int(c.arm) for c in decision.candidates if not c.refused]
    pairs = zip(allowed, decision.probabilities, strict=True)
    return sum(chance for slot, chance in pairs if slot % 24 == hour)


BEST = 1.0 - EXPLORED + EXPLORED / EXPLORED_SLOTS


def test_who_has_shown_nothing_gets_everybodys_hour():
    lead = learning().enter()
    [decision] = decisions(lead)
    assert chance_at(decision, ALL_AT) == pytest.approx(BEST)
    assert decision.leaning == []


def test_who_has_hours_of_their_own_gets_those_with_exact_chances():
    lead = learning()
    lead.take(own_hours())
    lead.enter()
    [decision] = decisions(lead)
    assert chance_at(decision, OWN_AT) + chance_at(decision, OWN_AT - 1) >= BEST
    assert sum(decision.probabilities) == pytest.approx(1.0)
    assert decision.leaning[0] == WEEKS
    assert decision.leaning[1] % 24 == OWN_AT


def test_what_its_hours_leaned_to_weighs_more_as_a_send():
    """Else an hour to which its own people were written looks good for everybody."""
    lead = learning()
    lead.take(own_hours())
    lead.enter()
    weighs = lead.run.hour_choice.weighs
    lead.pass_time(30)
    lead.answer("opened")
    seen = [
        e.message for e in lead.effects if isinstance(e, Tell) and isinstance(e.message, RewardSeen)
    ]
    assert [each.weighs for each in seen if each.policy == POLICY] == [weighs]
    assert weighs > 1.0
    assert learning().enter().run.hour_choice.weighs == 1.0


def test_the_held_out_get_the_rules_hour_and_are_not_planned_again():
    lead = learning(holdout=1.0)
    lead.take(own_hours())
    lead.enter()
    [decision] = decisions(lead)
    assert (decision.policy, decision.leaning) == ("rules", [])
    lead.now += HOUR
    lead.take(own_hours(MONDAY + timedelta(weeks=1)))
    assert len(decisions(lead)) == 1


def test_a_snapshot_from_before_hours_were_learned_leans_nowhere():
    lead = OneVisitor()
    lead.view.snapshots[POLICY] = Snapshot(policy=POLICY, version=1, arrays={"exposures": [1.0]})
    lead.take(own_hours())
    lead.enter()
    assert decisions(lead)[0].leaning == []


def test_what_waits_is_planned_again_within_its_window_and_the_first_decision_is_void():
    lead = learning().enter()
    first = lead.run.hour_choice
    lead.pass_time(2)
    lead.take(own_hours(lead.now))
    assert [each.id for each in decisions(lead)] == [
        first.decision_id,
        lead.run.hour_choice.decision_id,
    ]
    revised = decisions(lead)[-1]
    assert first.decision_id != revised.id
    assert "send.revised" in lead.stories()
    assert lead.now <= lead.run.planned_at < MONDAY + 24 * HOUR
    assert lead.run.window_ends == MONDAY + 24 * HOUR
    lead.pass_time(24 * 5)
    rewarded = [e.reward.decision_id for e in lead.effects if isinstance(e, LogReward)]
    assert first.decision_id not in rewarded
    assert len(lead.plans) >= 1
    assert lead.plans[0].attempt == 1


def test_however_often_it_is_planned_again_an_email_goes_out_within_its_window():
    lead = learning().enter()
    for hour in range(24):
        lead.pass_time(1)
        lead.take(own_hours(lead.now, hour))
    assert lead.sent_at[0] < MONDAY + 24 * HOUR
    assert len(lead.plans) == 1


@pytest.mark.parametrize("why", ["sent", "without learning", "at once", "told before"])
def test_what_is_not_learned_or_gone_is_not_planned_again(why):
    lead = learning(learning=why != "without learning")
    if why == "told before":
        lead.take(own_hours(MONDAY + timedelta(weeks=1)))
    lead.enter()
    if why == "at once":
        lead.run.window_ends = None
    if why == "sent":
        lead.pass_time(30)
        assert lead.plans
    made = len(decisions(lead))
    lead.take(own_hours(lead.now))
    assert len(decisions(lead)) == made
    assert "send.revised" not in lead.stories()


def test_two_visitors_who_become_one_have_the_hours_of_both():
    older, younger = learning(), learning()
    older.take(own_hours(hour=9))
    younger.take(own_hours(MONDAY - timedelta(weeks=1), hour=11))
    body = msgspec.msgpack.encode(younger.state)
    older.take(StateMerged(VISITOR, MONDAY, "b" * 24, body))
    hours = hours_before(older.state.hours_week, older.state.hours)
    assert {*(hours % 24).tolist()} == {9, 11}
    assert len({*hours.tolist()}) == len(hours) == 2 * 7 * WEEKS


def test_a_state_from_before_hours_were_told_is_read():
    lead = learning().enter()
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(lead.state))
    place = RulesState.__struct_fields__.index("hours_week")
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(fields[:place]), type=RulesState)
    assert (old.hours_week, old.hours) == (0, b"")
