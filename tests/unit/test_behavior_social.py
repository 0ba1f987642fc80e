"""What Behavior makes of the Social bot: whom it lets look up, how long a cohort waits, and which traits come of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.behavior_bot.bot import BehaviorBot
from agents.behavior_bot.state import BehaviorState
from agents.protocol.draw import Draw
from messaging.vocabulary.effects import Effect, Tell, WakeAt
from messaging.vocabulary.events import Unsubscribed
from messaging.vocabulary.messages import (
    Arrived,
    CohortEntered,
    CohortLeft,
    Identified,
    MergedInto,
    Message,
    ProfileSeen,
    Woke,
)
from tests.behavior_builders import ANN, START, a_record, a_view

AWAIT = timedelta(minutes=10)
AGREES = {"email": "ann@example.com", "email_consent": True}


class Ann:
    """Hold one visitor of Behavior."""

    def __init__(self, **view: Any) -> None:
        self.bot = BehaviorBot()
        self.state: BehaviorState = self.bot.fresh(ANN)
        self.view = a_view(**({"social": True} | view))
        self.now = START
        self.number = 0
        self.effects: list[Effect] = []

    def take(self, message: Message) -> list[Effect]:
        """Take a message."""
        self.effects = self.bot.step(self.state, message, self.now, self.view, Draw)
        return self.effects

    def identifies(self, *, member: bool = False, **traits: Any) -> list[Effect]:
        """Say who they are."""
        self.number += 1
        record = a_record(self.number, self.now, type="identify", userId="ann", traits=traits)
        return self.take(Arrived(ANN, self.now, record, member=member))

    def is_seen(self, *facts: str) -> list[Effect]:
        """Hear from Social."""
        presence, profile, activity = facts
        return self.take(ProfileSeen(ANN, self.now, presence, profile, activity))

    def told(self, bot: str) -> list[Message]:
        """Return what a bot is told by the last message."""
        return [e.message for e in self.effects if isinstance(e, Tell) and e.bot == bot]

    def may_look_up(self) -> bool:
        """Return what Social was told by the last message."""
        (message,) = self.told("social")
        assert isinstance(message, Identified)
        return message.may_look_up

    def entered(self) -> list[str]:
        """Return the cohorts that were entered by the last message."""
        return [m.cohort for m in self.told("rules") if isinstance(m, CohortEntered)]

    def left(self) -> list[str]:
        """Return the cohorts that were left by the last message."""
        return [m.cohort for m in self.told("rules") if isinstance(m, CohortLeft)]

    def wakes(self) -> list[datetime]:
        """Return when the last message wants cohorts to be asked again."""
        return [e.at for e in self.effects if isinstance(e, WakeAt) and e.key == "cohorts"]


def test_where_social_is_off_nobody_waits_and_everybody_is_of_unknown_presence():
    ann = Ann(social=False)
    ann.identifies(**AGREES)
    assert ann.told("social") == []
    assert ann.entered() == ["addressable-lead", "presence-unknown"]


def test_a_lead_waits_for_social_and_the_first_cohort_is_by_what_it_found():
    ann = Ann()
    ann.identifies(**AGREES)
    assert ann.may_look_up()
    assert ann.entered() == []
    assert ann.wakes() == [START + AWAIT]
    ann.now += timedelta(seconds=3)
    ann.is_seen("found", "professional", "active")
    assert ann.entered() == ["addressable-lead", "presence-found", "at-work", "socially-active"]
    traits = {name: stamp.value for name, stamp in ann.state.traits.items()}
    assert traits == {
        "social_presence": "found",
        "social_profile": "professional",
        "social_activity": "active",
    }


def test_after_ten_minutes_without_an_answer_the_presence_is_unknown():
    ann = Ann()
    ann.identifies(**AGREES)
    ann.now = START + AWAIT
    ann.take(Woke(ANN, ann.now, "cohorts", ann.now, ""))
    assert ann.entered() == ["addressable-lead", "presence-unknown"]
    ann.now += timedelta(hours=2)
    ann.is_seen("found", "personal", "")
    assert ann.entered() == ["presence-found"]
    assert ann.left() == ["presence-unknown"]


def test_an_answer_that_says_nothing_ends_the_wait():
    ann = Ann()
    ann.identifies(**AGREES)
    ann.is_seen("", "", "")
    assert ann.entered() == ["addressable-lead", "presence-unknown"]


def test_none_is_not_unknown():
    ann = Ann()
    ann.identifies(**AGREES)
    ann.is_seen("none", "", "")
    assert ann.entered() == ["addressable-lead"]


def test_another_address_is_looked_up_and_does_not_take_the_lead_back():
    ann = Ann()
    ann.identifies(**AGREES)
    ann.is_seen("none", "", "")
    ann.now += timedelta(days=1)
    ann.identifies(email="ann@work.example")
    assert ann.may_look_up()
    ann.is_seen("", "", "")
    assert (ann.entered(), ann.left()) == (["presence-unknown"], [])


@pytest.mark.parametrize(
    "traits", [{"social_consent": False}, {"social_consent": "no"}, {"email_consent": False}]
)
def test_who_refuses_is_not_looked_up_and_nobody_waits(traits: dict[str, Any]):
    ann = Ann()
    ann.identifies(**(AGREES | traits))
    assert not ann.may_look_up()
    assert ann.state.social_until == 0.0
    assert ("addressable-lead" in ann.entered()) is traits.get("email_consent", True)


def test_a_refusal_by_category_is_told_to_social_and_takes_the_traits_back():
    ann = Ann()
    ann.identifies(**AGREES)
    ann.is_seen("found", "", "")
    consent = {"consent": {"categoryPreferences": {"social": False}}}
    record = a_record(9, ann.now + timedelta(hours=1), type="track", event="x", context=consent)
    ann.take(Arrived(ANN, ann.now, record))
    assert not ann.may_look_up()
    ann.is_seen("", "", "")
    assert ann.entered() == ["presence-unknown"]
    assert "presence-found" not in ann.state.cohorts


def test_who_unsubscribed_is_not_looked_up_any_more():
    ann = Ann()
    ann.identifies(**AGREES)
    raw = msgspec.json.encode(Unsubscribed(visitor=ANN, send_id="s1", mailbox="m"))
    record = a_record(5)
    record.raw = raw
    ann.take(Arrived(ANN, ann.now, record))
    assert not ann.may_look_up()


def test_a_mailbox_of_another_visitor_is_not_looked_up():
    ann = Ann()
    ann.identifies(**AGREES, member=True)
    assert not ann.may_look_up()


def test_an_address_that_nobody_confirmed_is_not_looked_up():
    ann = Ann(consent="double-opt-in")
    ann.identifies(**AGREES)
    assert not ann.may_look_up()


def test_the_refusal_outlives_any_number_of_other_categories():
    ann = Ann()
    ann.identifies(**(AGREES | {"social_consent": False}))
    many = {f"c{n}": True for n in range(20)}
    context = {"consent": {"categoryPreferences": many}}
    record = a_record(7, ann.now + timedelta(hours=1), type="track", event="x", context=context)
    ann.take(Arrived(ANN, ann.now, record))
    assert ann.state.consents["social"].value is False


def test_a_merge_is_told_to_social_where_it_runs():
    for social in (True, False):
        ann = Ann(social=social)
        ann.identifies(**AGREES)
        ann.take(MergedInto(ANN, ann.now, "b" * 24))
        assert [type(each) for each in ann.told("social")] == ([MergedInto] if social else [])
