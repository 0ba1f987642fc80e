"""Check the learner: what it learns, what it refuses, and when it publishes."""

from __future__ import annotations

import copy
import math
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agents.learner_bot.bot import LearnerBot
from agents.learner_bot.state import (
    ARMS_MAX,
    REMEMBERED_MAX,
    REWARDS_PER_SUBJECT_MAX,
    SUBJECTS_MAX,
    PolicyState,
)
from agents.learner_bot.step import HALF_LIFE, RIPE_AFTER, RIPE_AFTER_ON_SITE, snapshot_of
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from learning.serving import on_site
from learning.serving.next_best import policy_name
from messaging.vocabulary.effects import CancelWake, PublishSnapshot, WakeAt
from messaging.vocabulary.ids import derive, policy_key
from messaging.vocabulary.messages import DecisionMade, MailSent, RewardSeen, Woke
from messaging.vocabulary.records import Candidate, Decision, Reward, Snapshot

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=10)
NAME = policy_name("lead", "known")
VIEW = View(rules=None, rules_version=1, pinned={}, snapshots={})
BOT = LearnerBot()


def a_reward(number=0, **changed) -> RewardSeen:
    """Build a ripe yes of one visitor's decision; `number` makes decision and visitor."""
    policy = changed.pop("policy", NAME)
    reward = Reward(
        decision_id=changed.pop("decision_id", f"decision-{number}"),
        kind=changed.pop("kind", "response"),
        value=changed.pop("value", 1.0),
        at=NOW,
        human=changed.pop("human", 1.0),
    )
    given = {
        "visitor": policy_key(changed.pop("key", policy)),
        "at": NOW,
        "reward": reward,
        "arm": "a",
        "policy": policy,
        "decided_at": LONG_AGO,
        "holdout": False,
        "subject": derive("visitor", f"{number}"),
    }
    return RewardSeen(**(given | changed))


def a_decision(**changed) -> DecisionMade:
    """Build a decision between the templates a and b."""
    given = {
        "id": "decision-0",
        "at": NOW,
        "visitor": derive("visitor", "0"),
        "path": "lead",
        "run": "1",
        "stage": "known",
        "step": "first",
        "attempt": 1,
        "kind": "template",
        "candidates": [Candidate("a"), Candidate("b"), Candidate("c", "weekly_cap")],
        "probabilities": [0.25, 0.75],
        "arm": "a",
        "policy": NAME,
        "policy_version": 0,
        "rules_version": 1,
    }
    return DecisionMade(policy_key(NAME), NOW, Decision(**(given | changed)))


def take(state, *messages, now=NOW) -> list:
    """Step messages and return all effects."""
    effects = []
    for message in messages:
        effects += BOT.step(state, message, now, VIEW, Draw)
    return effects


def wake(state) -> list:
    """Fire the wake-up that stands, at its time, and return the effects."""
    due = state.wake_at
    return take(state, Woke(policy_key(NAME), due, "publish", due, ""), now=due)


def published(effects) -> list[Snapshot]:
    """Return the snapshots among effects."""
    return [effect.snapshot for effect in effects if isinstance(effect, PublishSnapshot)]


def test_the_first_unpublished_reward_is_published_an_hour_later():
    state = PolicyState()
    assert take(state, a_reward(1)) == [WakeAt("publish", NOW + timedelta(hours=1))]
    assert take(state, a_reward(2, value=0.0)) == [], "the wake-up stands already"
    (snapshot,) = published(wake(state))
    assert (snapshot.policy, snapshot.version) == (NAME, 1)
    assert snapshot.arms == ["a"]
    assert snapshot.arrays["successes"] == pytest.approx([1.0], rel=1e-3)
    assert snapshot.arrays["exposures"] == pytest.approx([2.0], rel=1e-3)
    assert state.wake_at is None


def test_two_hundred_rewards_are_published_at_once_and_the_wake_up_withdrawn():
    state = PolicyState()
    effects = take(state, *(a_reward(n) for n in range(200)))
    assert [snapshot.version for snapshot in published(effects)] == [1]
    assert effects[-1] == CancelWake("publish")
    assert published(take(state, *(a_reward(n) for n in range(200, 400))))[0].version == 2


def test_a_quick_yes_waits_until_a_no_of_the_same_age_would_be_known():
    state = PolicyState()
    take(state, a_reward(1, decided_at=NOW - timedelta(hours=2)))
    assert state.arms == {}
    assert NOW + RIPE_AFTER - timedelta(hours=2) <= state.wake_at <= NOW + timedelta(hours=120)
    assert published(wake(state)) == [], "ripe now; published within the hour"
    assert state.arms["a"].successes == 1.0
    assert len(published(wake(state))) == 1
    assert state.wake_at is None


def test_the_yes_and_the_no_of_one_day_ripen_together():
    state, decided_at = PolicyState(), NOW - timedelta(hours=3)
    take(state, a_reward(1, decided_at=decided_at))
    late = decided_at + timedelta(hours=90)
    take(state, a_reward(2, decided_at=decided_at, value=0.0), now=late)
    assert state.arms == {}
    wake(state)
    assert (state.arms["a"].successes, state.arms["a"].exposures) == (1.0, 2.0)


def test_on_the_site_a_no_is_known_after_a_day():
    state = PolicyState()
    name = on_site.policy_name("notice_bar")
    take(state, a_reward(1, policy=name, decided_at=NOW - timedelta(hours=2)))
    assert NOW + RIPE_AFTER_ON_SITE - timedelta(hours=2) <= state.wake_at
    assert state.wake_at <= NOW + timedelta(hours=36)


def test_a_reward_is_learned_once():
    state = PolicyState()
    take(state, a_reward(1), a_reward(1), a_reward(1, kind="purchase", value=9.0))
    assert state.arms["a"].exposures == 1.0
    assert (state.rewards, state.refused) == (2, {"reward again": 1})


def test_a_machine_s_open_counts_as_a_send_without_success():
    state = PolicyState()
    take(state, a_reward(1, human=0.0), a_reward(2, human=0.5))
    assert (state.arms["a"].successes, state.arms["a"].exposures) == (0.5, 2.0)


def test_held_out_rewards_are_measured_and_teach_nothing():
    state = PolicyState()
    take(state, a_decision(), a_reward(1), a_reward(2, holdout=True, policy="rules", key=NAME))
    assert state.arms["a"].exposures == 1.0
    (snapshot,) = published(wake(state))
    assert snapshot.arrays["lift/learned/response"] == [1.0, 1.0, 1.0]
    assert snapshot.arrays["lift/holdout/response"] == [1.0, 1.0, 1.0]


def test_what_the_rules_decided_for_others_teaches_but_is_no_side_of_the_lift():
    state = PolicyState()
    take(state, a_decision(), a_reward(1, policy="rules", key=NAME))
    assert state.arms["a"].exposures == 1.0
    assert state.lift == {}


def test_purchases_are_summed_and_teach_no_arm():
    state = PolicyState()
    take(state, a_reward(1, kind="purchase", value=40.0), a_reward(2, kind="purchase", value=2.0))
    assert state.arms == {}
    assert state.lift["learned/purchase"].squares == 1_604.0


def test_decisions_are_counted_and_name_the_policy():
    state = PolicyState()
    take(state, a_decision(), a_decision(holdout=True, policy="rules"))
    assert (state.policy, state.decisions, state.held_out) == (NAME, 2, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"probabilities": [0.5, 0.4]},
        {"probabilities": [1.0]},
        {"probabilities": [0.0, 1.0]},
        {"probabilities": [math.nan, 1.0]},
        {"probabilities": [-0.5, 1.5]},
        {"arm": "c"},
    ],
)
def test_a_decision_without_exact_propensities_is_refused(changed):
    state = PolicyState()
    take(state, a_decision(**changed))
    assert (state.decisions, state.refused) == (0, {"propensities broken": 1})


def test_a_decision_sent_to_another_policy_s_key_is_refused():
    state = PolicyState()
    take(state, a_decision(stage="cart"))
    assert state.refused == {"decision of another policy": 1}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"value": math.nan}, "value out of range"),
        ({"value": math.inf}, "value out of range"),
        ({"value": -0.1}, "value out of range"),
        ({"value": 1.1}, "value out of range"),
        ({"kind": "purchase", "value": math.inf}, "value out of range"),
        ({"human": math.nan}, "human out of range"),
        ({"human": 2.0}, "human out of range"),
        ({"kind": "applause"}, "kind unknown"),
        ({"policy": "send_time", "arm": "168"}, "arm unknown"),
        ({"policy": "send_time", "arm": "٣"}, "arm unknown"),
        ({"policy": "send_time", "arm": "007"}, "arm unknown"),
    ],
)
def test_what_cannot_be_a_reward_is_refused_and_counted(changed, reason):
    state = PolicyState()
    assert take(state, a_reward(1, **changed)) == []
    assert (state.refused, state.rewards, state.arms) == ({reason: 1}, 0, {})


def test_a_message_for_another_bot_is_counted():
    state = PolicyState()
    take(state, MailSent(policy_key(NAME), NOW, "s", "a", "lead", "d", NOW))
    assert state.refused == {"not for the learner": 1}


def test_one_visitor_weighs_at_most_twenty_rewards_a_week():
    state = PolicyState()
    poison = [a_reward(1, decision_id=f"poison-{n}") for n in range(1_000)]
    take(state, *poison)
    assert state.arms["a"].exposures == REWARDS_PER_SUBJECT_MAX
    assert state.refused == {"visitor over its bound": 1_000 - REWARDS_PER_SUBJECT_MAX}
    take(state, a_reward(1, decision_id="next-week"), now=NOW + timedelta(weeks=1))
    assert state.rewards == REWARDS_PER_SUBJECT_MAX + 1


def test_a_poisoned_stream_stays_bounded_and_refuses_no_honest_visitor():
    """One visitor sends every second reward, among more honest ones than the table holds."""
    state, honest = PolicyState(), 4 * SUBJECTS_MAX
    for n in range(honest):
        take(state, a_reward(n, value=0.0), a_reward(-1, decision_id=f"poison-{n}", arm="b"))
    assert state.arms["a"].exposures == pytest.approx(honest)
    bound = REWARDS_PER_SUBJECT_MAX + 2 * honest / (SUBJECTS_MAX + 1)
    assert state.arms["b"].exposures <= bound
    assert len(state.subjects.counts) <= SUBJECTS_MAX
    assert len(state.remembered) <= REMEMBERED_MAX
    assert len(msgspec.msgpack.encode(state)) < 32_000


def test_invented_arms_do_not_grow_the_state():
    state = PolicyState()
    take(state, *(a_reward(n) for n in range(5)))
    for n in range(3 * ARMS_MAX):
        young = {"decided_at": NOW} if n % 2 else {}
        take(state, a_reward(1_000 + n, arm=f"invented-{n}", **young))
    wake(state)
    assert len(state.arms) <= ARMS_MAX
    assert "a" in state.arms, "the least used arms make room"


def test_counts_lose_half_their_weight_in_twelve_weeks():
    state = PolicyState()
    take(state, *(a_reward(n) for n in range(100)))
    take(state, a_reward(200, value=0.0, arm="b"), now=NOW + HALF_LIFE)
    assert state.arms["a"].successes == pytest.approx(50.0)
    assert state.arms["b"].exposures == 1.0


def test_a_send_time_snapshot_has_all_168_hours_in_order():
    state = PolicyState()
    take(state, a_reward(1, policy="send_time", arm="33"), a_reward(2, policy="send_time", arm="2"))
    snapshot = snapshot_of(state)
    assert snapshot.arms == [str(slot) for slot in range(168)]
    assert [slot for slot, count in enumerate(snapshot.arrays["exposures"]) if count] == [2, 33]


def test_state_and_snapshot_come_back_equal_from_their_bytes():
    state = PolicyState()
    take(state, a_decision(), a_reward(1), a_reward(2, decided_at=NOW), a_reward(3, holdout=True))
    body = msgspec.msgpack.encode(state)
    again = msgspec.msgpack.decode(body, type=BOT.state_type)
    assert again == state
    (snapshot,) = published(wake(state))
    assert published(wake(again)) == [snapshot], "learning goes on alike from the bytes"
    coded = msgspec.msgpack.encode(snapshot)
    assert msgspec.msgpack.decode(coded, type=Snapshot) == snapshot


def test_a_step_changes_its_state_only_and_the_same_inputs_give_the_same_effects():
    fresh = BOT.fresh(policy_key(NAME))
    for message in (a_decision(), a_reward(1), a_reward(2, decided_at=NOW)):
        twin, kept = copy.deepcopy(fresh), copy.deepcopy(message)
        assert take(twin, message) == take(fresh, message)
        assert (twin, message) == (fresh, kept)
    assert BOT.fresh("x") == PolicyState(), "no default is shared between states"


def test_a_layout_nobody_stored_is_named():
    with pytest.raises(ValueError, match="no state of version 7"):
        BOT.upgrade(7, b"")


def test_a_choice_on_the_site_teaches_the_policy_of_its_type():
    name = on_site.policy_name("notice_bar")
    made = a_decision(
        path="", run="", stage="", step="notice_bar", kind="interaction", policy="rules"
    )
    state = PolicyState()
    take(
        state,
        msgspec.structs.replace(made, visitor=policy_key(name)),
        a_reward(1, policy=name),
        a_reward(2, policy=name, value=0.0),
        a_reward(3, policy=name, holdout=True),
    )
    assert (state.policy, state.decisions, state.refused) == (name, 1, {})
    snapshot = snapshot_of(state)
    assert (snapshot.policy, snapshot.arms) == (name, ["a"])
    assert snapshot.arrays["exposures"] == [2.0], "who is held out teaches nothing"
    assert snapshot.arrays["lift/holdout/response"] == [1.0, 1.0, 1.0]
    other = PolicyState()
    take(other, made)
    assert other.refused == {"decision of another policy": 1}
