"""Whom Social asks, when again, what it forgets, and what Behavior hears of it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from agents.social_bot.bot import SocialBot
from agents.social_bot.facts import facts_of
from agents.social_bot.step import ANSWER_WITHIN, BUSY_TRIES_MAX, FAILED_TRIES_MAX, TIMES_MAX
from messaging.vocabulary.effects import CancelLookUp, LogStory, Tell
from messaging.vocabulary.messages import MergedInto, StateMerged
from tests.social_builders import ANN, NOON, Visitor, all_say, finding, found

YEAR = timedelta(days=365)


def test_a_new_address_is_asked_about_once_and_the_answer_is_told():
    ann = Visitor()
    ann.identified()
    (look_up,) = ann.look_ups()
    assert (look_up.address, look_up.mailbox) == ("ann@example.com", "ann@example.com")
    assert look_up.sources == ["gravatar", "activitypub"]
    ann.identified()
    assert ann.effects == [], "the same news begins no second look-up"
    ann.answered(found("gravatar", kind="personal"), finding("activitypub"))
    assert ann.seen() == [("found", "personal", "")]
    assert ann.story() == ["social.asked", "social.asked", "social.seen"]
    assert ann.wakes == {}


@pytest.mark.parametrize(
    ("outcome", "counts_as"), [("found", "found"), ("nobody", "none"), ("refused", "unknown")]
)
def test_who_was_looked_up_counts_once_by_what_came(outcome: str, counts_as: str):
    ann, bot = Visitor(), SocialBot()
    ann.identified()
    assert bot.figures(ann.state) == {}
    ann.answered(*all_say(outcome))
    assert bot.figures(ann.state) == {f"presence/{counts_as}": 1.0}
    ann.identified(address="ann@other.example")
    assert bot.figures(ann.state) == {}, "what was found of another address is forgotten"


def test_what_was_asked_of_whom_is_told_in_the_story():
    ann = Visitor()
    ann.identified()
    ann.answered(
        found("gravatar", kind="personal", last_active_at=NOON), finding("activitypub", "failed")
    )
    asked = [e.detail for e in ann.effects if isinstance(e, LogStory) and e.kind == "social.asked"]
    assert asked[0] == {
        "source": "gravatar",
        "hosts": ["gravatar.example"],
        "outcome": "found",
        "kind": "personal",
        "last_active_at": NOON,
        "asked_at": NOON,
    }
    assert "ann@" not in str(ann.effects)


@pytest.mark.parametrize(("outcome", "days"), [("found", 30), ("nobody", 7), ("refused", 7)])
def test_an_answer_is_good_for_so_long(outcome: str, days: int):
    ann = Visitor()
    ann.identified()
    ann.answered(*all_say(outcome))
    ann.passes(days=days, seconds=-1)
    assert not ann.identified()
    ann.passes(seconds=1)
    ann.identified()
    assert len(ann.look_ups()) == 1
    ann.answered(*all_say(outcome))
    assert ann.seen() == [], "nothing changed, so nothing is told"


@pytest.mark.parametrize(
    ("outcome", "tries"), [("failed", FAILED_TRIES_MAX), ("busy", BUSY_TRIES_MAX)]
)
def test_who_did_not_answer_is_asked_again_so_often_and_not_for_ever(outcome: str, tries: int):
    ann = Visitor()
    ann.identified()
    asked, pauses = 1, []
    while True:
        ann.answered(finding("gravatar"), finding("activitypub", outcome))
        assert ann.seen() == ([("", "", "")] if asked == 1 else [])
        if not ann.wakes:
            break
        pauses.append(ann.wakes["ask"] - ann.now)
        ann.wakes_up()
        assert ann.look_ups()[0].sources == ["activitypub"], "who has answered is left alone"
        asked += 1
    assert asked == tries
    assert all(timedelta(minutes=30) <= each <= timedelta(hours=36) for each in pauses)
    assert not ann.identified()


def test_nobody_can_be_sure_of_none_while_a_source_is_silent():
    assert facts_of([finding("gravatar"), finding("activitypub", "failed")], NOON)[0] == ""
    assert facts_of([finding("gravatar"), finding("activitypub", "refused")], NOON)[0] == ""
    assert facts_of(all_say("nobody"), NOON) == ["none", "", ""]


@pytest.mark.parametrize(
    ("more", "activity"),
    [
        ({"last_active_at": NOON - timedelta(days=30)}, "active"),
        ({"last_active_at": NOON - timedelta(days=31), "posts": 900}, "occasional"),
        ({"last_active_at": NOON - YEAR - timedelta(days=1)}, "dormant"),
        ({"posts": 3}, "occasional"),
        ({"posts": 0}, "dormant"),
        ({}, ""),
    ],
)
def test_activity_is_the_age_of_the_last_sign_of_life_or_whether_there_is_any(more, activity):
    assert facts_of([found("activitypub", **more)], NOON) == ["found", "", activity]


def test_the_profile_that_says_more_goes_first():
    both = [found("gravatar", kind="personal"), found("activitypub", kind="organization")]
    assert facts_of(both, NOON)[1] == "organization"


def test_who_refuses_is_forgotten_and_behavior_hears_of_it():
    ann = Visitor()
    ann.identified()
    ann.answered(found("gravatar", kind="personal"), finding("activitypub"))
    ann.identified(may=False)
    assert ann.seen() == [("", "", "")]
    assert ann.story() == ["social.forgotten"]
    assert (ann.state.findings, ann.state.told) == ([], [])
    assert not ann.identified(may=False)
    ann.passes(days=400)
    assert ann.look_ups() == []


def test_an_answer_that_comes_after_the_refusal_is_not_taken():
    ann = Visitor()
    ann.identified()
    (look_up,) = ann.look_ups()
    ann.identified(may=False)
    assert ann.wakes == {}
    untouched = finding("activitypub", "withdrawn")
    untouched.hosts = []
    ann.answered(found("gravatar", kind="personal", posts=3), untouched, look_up=look_up)
    assert ann.state.findings == []
    assert ann.seen() == []
    (asked,) = ann.effects
    assert isinstance(asked, LogStory)
    assert asked.kind == "social.asked"
    assert asked.detail == {
        "source": "gravatar",
        "hosts": ["gravatar.example"],
        "outcome": "found",
        "asked_at": NOON,
    }, "who was asked is written down, what came is not"


@pytest.mark.parametrize("why", ["refused", "another address", "merged"])
def test_a_look_up_that_nobody_wants_any_more_is_cancelled(why: str):
    ann = Visitor()
    ann.identified()
    (look_up,) = ann.look_ups()
    if why == "merged":
        ann.take(MergedInto(ANN, NOON, "older"))
    else:
        ann.identified(
            "ann@new.example" if why == "another address" else "ann@example.com",
            may=why != "refused",
        )
    cancelled = [each.look_up_id for each in ann.effects if isinstance(each, CancelLookUp)]
    assert cancelled == [look_up.look_up_id]
    ann.answered(*all_say("nobody"))
    ann.identified(may=False)
    assert [each for each in ann.effects if isinstance(each, CancelLookUp)] == []


def test_another_address_is_asked_about_anew():
    ann = Visitor()
    ann.identified()
    (first,) = ann.look_ups()
    ann.identified("ann@work.example")
    (second,) = ann.look_ups()
    assert second.address == "ann@work.example"
    assert first.look_up_id != second.look_up_id
    ann.answered(found("gravatar"), look_up=first)
    assert ann.state.findings == []


def test_another_spelling_of_an_address_is_the_same_address():
    ann = Visitor()
    ann.identified()
    ann.identified("Ann@Example.com")
    assert ann.look_ups() == [], "the look-up under way goes on"
    ann.answered(*all_say("found"))
    ann.identified(" ann@EXAMPLE.com")
    assert ann.effects == []
    assert [each.outcome for each in ann.state.findings] == ["found", "found"]


def test_two_spellings_of_one_address_are_merged_as_one():
    young, old = Visitor("bb" * 12), Visitor()
    young.identified("Ann@example.com")
    young.answered(*all_say("found"))
    young.take(MergedInto(young.visitor, NOON, ANN))
    handed = next(e.message for e in young.effects if isinstance(e, Tell))
    old.state.address, old.state.may_look_up = "ann@example.com", True
    old.take(handed)
    assert [each.outcome for each in old.state.findings] == ["found", "found"]


def test_who_refuses_while_asked_about_is_awaited_no_longer():
    ann = Visitor()
    ann.identified()
    ann.identified(may=False)
    assert ann.seen() == [("", "", "")]
    ann.identified(may=False)
    assert ann.seen() == [], "it is said once"
    bob = Visitor()
    bob.identified()
    bob.identified("bob@work.example")
    assert bob.seen() == [], "the answer about the new address is awaited"


def test_who_is_suppressed_is_never_asked_about():
    ann = Visitor()
    ann.suppressed = frozenset({"ann@example.com"})
    ann.identified()
    assert ann.look_ups() == []
    assert ann.story() == ["social.refused"]
    assert ann.seen() == [("", "", "")], "Behavior must not wait for an answer"
    assert ann.identified() == []


def test_another_address_that_is_suppressed_is_told_once():
    ann = Visitor()
    ann.identified("ann@work.example")
    ann.answered(found("gravatar"), found("activitypub"))
    ann.suppressed = frozenset({"ann@example.com"})
    ann.identified("ann@example.com")
    assert ann.seen() == [("", "", "")]
    assert not ann.look_ups()


def test_who_is_suppressed_between_two_tries_is_not_asked_about_again():
    ann = Visitor()
    ann.identified()
    ann.answered(found("gravatar"), finding("activitypub", "failed"))
    ann.suppressed = frozenset({"ann@example.com"})
    ann.wakes_up()
    assert ann.look_ups() == []
    assert ann.seen() == [("", "", "")]
    assert ann.wakes == {}


def test_the_consent_setting_in_force_decides_and_not_the_one_of_when_behavior_spoke():
    """A start with a stricter setting asks about nobody before Behavior has told of them anew."""
    ann = Visitor()
    ann.consent = "assumed"
    ann.identified(by=["assumed"])
    assert ann.look_ups()
    ann.consent = "double-opt-in"
    ann.wakes_up()  # the answer was lost with the process
    assert ann.look_ups() == []
    assert (ann.story(), ann.wakes) == (["social.refused"], {})
    assert ann.seen() == [("", "", "")], "Behavior must not wait for an answer"
    ann.consent = "assumed"
    ann.identified(by=["assumed"])
    assert ann.look_ups()


def test_a_retry_goes_by_the_consent_setting_in_force():
    ann = Visitor()
    ann.identified(by=["assumed", "opt-in"])
    ann.answered(found("gravatar"), finding("activitypub", "failed"))
    ann.consent = "double-opt-in"
    ann.wakes_up()
    assert (ann.look_ups(), ann.wakes) == ([], {})


def test_news_by_a_laxer_setting_than_the_one_in_force_begin_no_look_up_and_forget_nothing():
    """Messages of before the start come behind it; what Behavior tells by the setting in force follows."""
    ann = Visitor()
    ann.identified(by=["assumed", "opt-in"])
    ann.answered(found("gravatar"), found("activitypub"))
    ann.consent = "double-opt-in"
    ann.passes(days=40)
    ann.identified(by=["assumed", "opt-in"])
    assert ann.look_ups() == []
    assert ann.state.findings
    ann.identified(may=False)
    assert not ann.state.findings


def test_who_an_older_version_told_of_waits_for_what_behavior_says_anew():
    ann = Visitor()
    ann.identified()
    older = msgspec.msgpack.encode(msgspec.to_builtins(ann.state)[:-1])
    ann.state = ann.bot.upgrade(1, older)
    assert (ann.state.address, ann.state.may_look_up_by) == ("ann@example.com", None)
    ann.wakes_up()
    assert ann.look_ups() == []
    ann.identified()
    assert ann.look_ups()


def test_a_younger_state_of_an_older_layout_can_be_merged():
    ann, young = Visitor(), Visitor("younger")
    young.identified()
    young.answered(*all_say("found"))
    (tell,) = [e for e in young.take(MergedInto("younger", NOON, ANN)) if isinstance(e, Tell)]
    assert isinstance(tell.message, StateMerged)
    _, body = msgspec.msgpack.decode(tell.message.state)
    older = msgspec.msgpack.encode((1, body[:-1]))
    ann.take(msgspec.structs.replace(tell.message, state=older))
    assert [each.outcome for each in ann.state.findings] == ["found", "found"]


def test_a_look_up_that_a_crash_cut_off_is_said_again_under_its_id():
    ann = Visitor()
    ann.identified()
    (first,) = ann.look_ups()
    assert ann.wakes["ask"] == NOON + ANSWER_WITHIN
    ann.wakes_up()
    (again,) = ann.look_ups()
    assert again.look_up_id == first.look_up_id
    for _ in range(TIMES_MAX - 2):
        ann.wakes_up()
        assert len(ann.look_ups()) == 1
    ann.wakes_up()
    assert ann.look_ups() == [], "it counts as failed in the end"
    assert ann.seen() == [("", "", "")]
    assert ann.state.tries == 1


def test_a_merge_carries_what_was_found_and_asks_nobody_twice():
    young, old = Visitor("bb" * 12), Visitor()
    young.identified()
    young.answered(*all_say("found"))
    young.take(MergedInto(young.visitor, NOON, ANN))
    assert young.moved == ANN
    assert young.state.findings == []
    handed = next(e.message for e in young.effects if isinstance(e, Tell))
    assert isinstance(handed, StateMerged)
    old.take(handed)
    assert [each.outcome for each in old.state.findings] == ["found", "found"]
    old.identified()
    assert old.look_ups() == []
    old.identified(may=False)
    assert old.seen() == [("", "", "")]
    old.take(handed)
    assert old.state.findings == [], "what was taken in and forgotten does not come back"


def test_a_merge_brings_nothing_to_who_has_refused():
    young, old = Visitor("bb" * 12), Visitor()
    young.identified()
    young.answered(*all_say("found"))
    young.take(MergedInto(young.visitor, NOON, ANN))
    handed = next(e.message for e in young.effects if isinstance(e, Tell))
    old.identified(may=False)
    old.take(handed)
    assert old.state.findings == []


def test_a_merge_changes_nothing_for_who_is_known_already():
    young, old = Visitor("bb" * 12), Visitor()
    young.identified("old@example.com")
    young.take(MergedInto(young.visitor, NOON, ANN))
    handed = next(e.message for e in young.effects if isinstance(e, Tell))
    old.identified()
    before = old.state.asking
    old.take(handed)
    assert old.state.address == "ann@example.com"
    assert old.state.asking == before
    assert old.take(MergedInto(ANN, NOON, ANN)) == [], "a merge that followed its own tombstone"
