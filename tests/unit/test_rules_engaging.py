"""What Rules offers on the site, message by message: caps, room, ends that come late or twice, merges."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.rules.compiled import InteractionRule
from agents.rules_manager.engaging import FORGOTTEN_AFTER
from agents.rules_manager.state import OFFERED_MAX
from learning.serving.next_best import FLOOR
from messaging.vocabulary.effects import LogDecision, LogReward, Tell
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import (
    CohortEntered,
    CohortLeft,
    DecisionMade,
    EngagementRequested,
    EngagementSettled,
    EngagementsWithdrawn,
    MergedInto,
    RewardSeen,
    SiteConsent,
    StateMerged,
)
from messaging.vocabulary.plans import EngagementPlan
from messaging.vocabulary.records import Reward, Snapshot
from tests.rules_builders import MONDAY, VISITOR, OneVisitor, a_view, some_rules

MINUTE = timedelta(minutes=1)


def an_interaction(name: str, **changes: Any) -> InteractionRule:
    """Return an interaction of a type of its own, for a cohort of its name."""
    fields: dict[str, Any] = {
        "name": name,
        "type": name,
        "cohort": name,
        "only": "",
        "unless": "",
        "trigger": "now",
        "priority": 0,
        "minutes": 30,
        "per_session": 1,
        "per_day": 3,
        "content": {},
    }
    return InteractionRule(**(fields | changes))


class OnSite(OneVisitor):
    """Drive Rules for one visitor on the site; offers are settled as told."""

    def __init__(self, *interactions: InteractionRule) -> None:
        named = {each.name: each for each in interactions}
        super().__init__(a_view(dataclasses.replace(some_rules(), interactions=named)))
        self.began = MONDAY

    def enters(self, cohort: str, **changes: Any) -> list[EngagementPlan]:
        """Enter a cohort; return what is asked of Engagement."""
        fields = {"visit_at": self.began} | changes
        return plans(self.take(CohortEntered(VISITOR, self.now, cohort, **fields)))

    def agrees(self, *, may_show: bool, at: datetime | None = None) -> list[Any]:
        """Say yes or no to being spoken to on the site."""
        return self.take(SiteConsent(VISITOR, at or self.now, may_show))

    def again(self, cohort: str) -> list[EngagementPlan]:
        """Leave a cohort and enter it again."""
        self.take(CohortLeft(VISITOR, self.now, cohort))
        return self.enters(cohort)

    def ends(self, plan: EngagementPlan, outcome: str, *, seen: bool) -> list[Any]:
        """Tell what became of an offer."""
        settled = EngagementSettled(
            VISITOR,
            self.now,
            plan.engagement_id,
            plan.interaction,
            plan.interaction_type,
            outcome,
            "",
            seen,
        )
        return self.take(settled)


def plans(effects: list[Any]) -> list[EngagementPlan]:
    """Return what is asked of Engagement."""
    found = [e.message for e in effects if isinstance(e, Tell)]
    return [each.plan for each in found if isinstance(each, EngagementRequested)]


def withdrawn(effects: list[Any]) -> list[tuple[list[str], str]]:
    """Return (ids, reason) of what is taken back."""
    found = [e.message for e in effects if isinstance(e, Tell)]
    return [(m.engagement_ids, m.reason) for m in found if isinstance(m, EngagementsWithdrawn)]


def rewards(ann: OnSite) -> list[Reward]:
    """Return the rewards that were logged."""
    return [e.reward for e in ann.effects if isinstance(e, LogReward)]


def test_a_type_comes_once_a_session_also_while_nobody_knows_if_it_was_seen() -> None:
    ann = OnSite(an_interaction("bar"))
    first = ann.enters("bar")[0]
    assert ann.again("bar") == []
    ann.ends(first, "shown", seen=True)
    ann.ends(first, "dismissed", seen=True)
    ann.now += 10 * MINUTE
    assert ann.again("bar") == []
    ann.now += 60 * MINUTE
    ann.began = ann.now - MINUTE
    assert len(ann.again("bar")) == 1


def test_two_a_session_are_two() -> None:
    ann = OnSite(an_interaction("bar", per_session=2))
    assert len(ann.enters("bar")) == 1
    assert len(ann.again("bar")) == 1
    assert ann.again("bar") == []


def test_what_was_not_seen_is_given_back_and_may_be_offered_anew() -> None:
    ann = OnSite(an_interaction("bar"))
    first = ann.enters("bar")[0]
    ann.ends(first, "expired", seen=False)
    second = ann.again("bar")[0]
    assert second.engagement_id != first.engagement_id
    assert second.decision_id != first.decision_id
    assert not [e for e in ann.effects if isinstance(e, LogReward)]


def test_a_cap_counts_from_when_it_was_seen_and_is_free_after_24_hours() -> None:
    ann = OnSite(*(an_interaction(name, per_day=2) for name in "abc"))
    for name in "ab":
        ann.ends(ann.enters(name)[0], "shown", seen=True)
        ann.now += 60 * MINUTE
    ann.now += timedelta(hours=22) - MINUTE
    assert ann.enters("c") == []
    ann.now += 2 * MINUTE
    assert len(ann.again("c")) == 1


def test_room_is_made_by_what_matters_less_once_it_is_known_to_be_unseen() -> None:
    ann = OnSite(an_interaction("low", per_day=1), an_interaction("high", per_day=1, priority=5))
    low = ann.enters("low")[0]
    effects = ann.take(CohortEntered(VISITOR, ann.now, "high", ann.began))
    assert plans(effects) == []
    assert withdrawn(effects) == [([low.engagement_id], "made room")]
    assert [p.interaction for p in plans(ann.ends(low, "withdrawn", seen=False))] == ["high"]


def test_no_room_is_made_if_it_was_seen_after_all_or_the_visitor_has_left() -> None:
    for seen in (True, False):
        ann = OnSite(
            an_interaction("low", per_day=1), an_interaction("high", per_day=1, priority=5)
        )
        low = ann.enters("low")[0]
        ann.enters("high")
        if not seen:
            ann.take(CohortLeft(VISITOR, ann.now, "high"))
        assert plans(ann.ends(low, "withdrawn", seen=seen)) == []


def test_nothing_of_equal_or_higher_priority_makes_room() -> None:
    ann = OnSite(an_interaction("a", per_day=1), an_interaction("b", per_day=1))
    ann.enters("a")
    effects = ann.take(CohortEntered(VISITOR, ann.now, "b", ann.began))
    assert withdrawn(effects) == []


def test_consent_is_asked_before_any_limit() -> None:
    ann = OnSite(an_interaction("bar"))
    ann.agrees(may_show=False)
    assert ann.enters("bar", visit_at=None) == []
    assert ann.effects[-1].detail["rule"] == "consent"  # type: ignore[union-attr]
    ann.agrees(may_show=True)
    assert ann.enters("bar", visit_at=None) == []
    assert ann.effects[-1].detail["rule"] == "not_on_site"  # type: ignore[union-attr]


def test_who_takes_consent_back_loses_what_stands_open() -> None:
    ann = OnSite(an_interaction("a"), an_interaction("b"))
    first, second = (ann.enters(name)[0] for name in "ab")
    ann.ends(first, "shown", seen=True)
    effects = ann.agrees(may_show=False)
    assert withdrawn(effects) == [([first.engagement_id, second.engagement_id], "consent")]


def test_no_room_is_made_for_who_takes_consent_back_meanwhile() -> None:
    ann = OnSite(an_interaction("low", per_day=1), an_interaction("high", per_day=1, priority=5))
    low = ann.enters("low")[0]
    ann.enters("high")
    ann.agrees(may_show=False)
    assert ann.ends(low, "withdrawn", seen=False) == [], "nothing waits for the room"


@pytest.mark.parametrize("says", [True, False])
@pytest.mark.parametrize("younger_is_later", [True, False])
def test_of_two_who_become_one_the_later_word_on_consent_holds(
    younger_is_later: bool, says: bool
) -> None:
    older, younger = OnSite(an_interaction("bar")), OnSite(an_interaction("bar"))
    first, last = (older, younger) if younger_is_later else (younger, older)
    first.agrees(may_show=not says)
    last.agrees(may_show=says, at=MONDAY + MINUTE)
    effects = younger.take(MergedInto(VISITOR, younger.now, VISITOR))
    older.take(next(e.message for e in effects if isinstance(e, Tell)))
    older.agrees(may_show=not says)  # of the one who said so first: it went round by the tombstone
    assert len(older.enters("bar")) == says


def test_the_end_of_the_session_takes_everything_back_once() -> None:
    ann = OnSite(an_interaction("a"), an_interaction("b"))
    ids = [ann.enters(name)[0].engagement_id for name in "ab"]
    before = len(ann.effects)
    ann.end_session()
    ann.end_session()
    assert withdrawn(ann.effects[before:]) == [(ids, "session over")]


def test_an_answer_is_the_decisions_reward_once_and_none_is_a_zero() -> None:
    for outcome, value in (
        ("submitted", 1.0),
        ("clicked", 1.0),
        ("dismissed", 0.0),
        ("expired", 0.0),
    ):
        ann = OnSite(an_interaction("bar"))
        plan = ann.enters("bar")[0]
        ann.ends(plan, "shown", seen=True)
        for _ in range(2):
            ann.ends(plan, outcome, seen=True)
        assert [(r.decision_id, r.value) for r in rewards(ann)] == [(plan.decision_id, value)]
        decisions = [e.decision for e in ann.effects if isinstance(e, LogDecision)]
        assert [(d.id, d.arm, d.probabilities) for d in decisions] == [
            (plan.decision_id, "bar", [1.0])
        ]


def test_an_end_that_is_never_told_holds_the_cap_for_a_day_only() -> None:
    ann = OnSite(an_interaction("bar"))
    ann.enters("bar")
    ann.now += FORGOTTEN_AFTER
    assert ann.again("bar") == []
    ann.now += 31 * MINUTE
    assert len(ann.again("bar")) == 1


def test_what_was_seen_under_another_id_counts_here() -> None:
    """Engagement's word comes before the younger visitor's state, or after the offer was given back."""
    ann = OnSite(an_interaction("bar"))
    plan = EngagementPlan("of another", "bar", "bar", 1, ann.now + MINUTE, "d")
    ann.began = ann.now - MINUTE
    ann.ends(plan, "shown", seen=True)
    assert ann.enters("bar") == []


def merged(younger: OnSite, older: OnSite) -> None:
    """Let the older visitor take the younger in."""
    effects = younger.take(MergedInto(VISITOR, younger.now, "b" * 24))
    handed = next(
        e.message for e in effects if isinstance(e, Tell) and isinstance(e.message, StateMerged)
    )
    older.take(msgspec.structs.replace(handed, visitor=VISITOR))


def test_a_merge_counts_what_was_seen_and_not_what_was_not() -> None:
    younger, older = (OnSite(*(an_interaction(name) for name in "ab")) for _ in range(2))
    younger.ends(younger.enters("a")[0], "shown", seen=True)
    unseen = younger.enters("b")[0]
    merged(younger, older)
    stands = [(each.type, each.status) for each in older.state.offered.values()]
    assert stands == [("a", "shown"), ("b", "merging")]
    assert older.enters("a") == []
    ids = {plan.engagement_id for plan in older.enters("b")}
    assert not ids & set(younger.state.offered), "its numbers go on where the younger's ended"
    older.ends(unseen, "withdrawn", seen=False)
    assert unseen.engagement_id not in older.state.offered


def test_what_was_on_a_screen_before_anybody_knew_of_it_has_its_reward_after_a_merge() -> None:
    younger, older = (OnSite(an_interaction("bar")) for _ in range(2))
    plan = younger.enters("bar")[0]
    merged(younger, older)
    older.ends(plan, "shown", seen=True)
    assert older.enters("bar") == [], "it counts from now on"
    older.ends(plan, "clicked", seen=True)
    assert [(r.decision_id, r.value) for r in rewards(older)] == [(plan.decision_id, 1.0)]


@pytest.mark.parametrize(("outcome", "value"), [("withdrawn", 0.0), ("clicked", 1.0)])
def test_an_end_that_overtakes_the_younger_visitors_state_has_its_reward(
    outcome: str, value: float
) -> None:
    younger, older = (OnSite(an_interaction("bar")) for _ in range(2))
    plan = younger.enters("bar")[0]
    younger.ends(plan, "shown", seen=True)
    older.ends(plan, outcome, seen=True)
    merged(younger, older)
    assert [(r.decision_id, r.value) for r in rewards(older)] == [(plan.decision_id, value)]
    older.ends(plan, outcome, seen=True)
    assert len(rewards(older)) == 1


def told(ann: OnSite, kind: type[Any]) -> list[Any]:
    """Return what the learner was told, of one kind."""
    found = [e.message for e in ann.effects if isinstance(e, Tell) and e.bot == "learner"]
    return [message for message in found if isinstance(message, kind)]


def equals(**changes: Any) -> list[InteractionRule]:
    """Return three interactions of a type for one cohort: two that are equals, and one below them."""
    named = {"b": 5, "c": 5, "a": 0}
    return [
        an_interaction(name, type="bar", cohort="bar", priority=priority, **changes)
        for name, priority in named.items()
    ]


def test_among_equals_the_policy_draws_and_the_learner_hears_of_choice_and_answer() -> None:
    ann = OnSite(*equals())
    snapshot = Snapshot(
        policy="on_site/bar",
        version=3,
        arms=["b", "c"],
        arrays={"successes": [2.0, 60.0], "exposures": [100.0, 100.0]},
    )
    ann.view.snapshots["on_site/bar"] = snapshot
    plan = ann.enters("bar")[0]
    decision = next(e.decision for e in ann.effects if isinstance(e, LogDecision))
    assert [(c.arm, c.refused) for c in decision.candidates] == [
        ("b", ""),
        ("c", ""),
        ("a", "priority"),
    ]
    assert (decision.arm, plan.interaction) == ("c", "c")
    assert decision.probabilities == [pytest.approx(FLOOR, rel=0.1), pytest.approx(1.0, rel=0.01)]
    assert (decision.policy, decision.policy_version) == ("on_site/bar", 3)
    ann.ends(plan, "shown", seen=True)
    ann.ends(plan, "clicked", seen=True)
    assert [each.decision for each in told(ann, DecisionMade)] == [decision]
    (reward,) = told(ann, RewardSeen)
    assert (reward.reward.decision_id, reward.reward.value) == (decision.id, 1.0)
    assert (reward.arm, reward.policy, reward.subject) == ("c", "on_site/bar", VISITOR)
    assert (reward.decided_at, reward.holdout) == (decision.at, False)
    assert {m.visitor for m in (*told(ann, DecisionMade), reward)} == {policy_key("on_site/bar")}


def test_without_a_snapshot_equals_are_equally_likely() -> None:
    ann = OnSite(*equals())
    ann.enters("bar")
    (made,) = told(ann, DecisionMade)
    assert made.decision.probabilities == [0.5, 0.5]


@pytest.mark.parametrize("changes", [{"holdout": 1.0}, {"learning": False}])
def test_who_is_held_out_gets_the_first_by_name_and_so_does_everybody_without_learning(
    changes: dict[str, Any],
) -> None:
    ann = OnSite(*equals())
    ann.view = msgspec.structs.replace(ann.view, **changes)
    plan = ann.enters("bar")[0]
    (made,) = told(ann, DecisionMade)
    decision = made.decision
    assert (decision.arm, decision.policy, decision.probabilities) == ("b", "rules", [1.0])
    refused = {c.arm: c.refused for c in decision.candidates if c.refused}
    assert refused == {"a": "priority", "c": "by_rules"}
    ann.ends(plan, "shown", seen=True)
    ann.ends(plan, "expired", seen=True)
    (reward,) = told(ann, RewardSeen)
    assert (reward.holdout, reward.reward.value) == ("holdout" in changes, 0.0)
    assert decision.holdout == reward.holdout


def test_what_nobody_saw_teaches_nothing_nor_does_what_was_seen_too_late() -> None:
    ann = OnSite(an_interaction("bar"))
    plan = ann.enters("bar")[0]
    ann.ends(plan, "withdrawn", seen=False)
    ann.ends(plan, "shown", seen=True)
    assert (rewards(ann), told(ann, RewardSeen)) == ([], [])


def test_the_list_of_offers_is_bounded() -> None:
    ann = OnSite(*(an_interaction(f"i{number}", per_day=50) for number in range(60)))
    for number in range(60):
        ann.enters(f"i{number}")
    assert len(ann.state.offered) == OFFERED_MAX
