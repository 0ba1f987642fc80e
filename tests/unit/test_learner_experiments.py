"""Check how the learner counts a split test: who is counted, when, and what it publishes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.learner_bot.bot import LearnerBot
from agents.learner_bot.state import PolicyState
from agents.learner_bot.step import snapshot_of
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.runtime.views import ViewLoader, ViewSettings
from learning.serving.split_test import ALARM, RUNNING, WINNER, verdict_of, winner_of
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.effects import PublishSnapshot, WakeAt
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import DecisionMade, RewardSeen, Woke
from messaging.vocabulary.records import Candidate, Decision, Reward, Snapshot
from tests.experiment_builders import a_test

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEST = a_test(a=0.5, b=0.5)
KEY = policy_key(TEST.policy)
VIEW = View(rules=None, rules_version=1, pinned={}, snapshots={})
BOT = LearnerBot()


def a_decision(**changed: Any) -> DecisionMade:
    """Build a decision between the variants."""
    given = {
        "id": "decision-0",
        "at": NOW,
        "visitor": "0",
        "path": "to-customer",
        "run": "1",
        "stage": "invited",
        "step": "first",
        "attempt": 1,
        "kind": "template",
        "candidates": [Candidate("a"), Candidate("b")],
        "probabilities": [0.5, 0.5],
        "arm": "a",
        "policy": TEST.policy,
        "policy_version": 0,
        "rules_version": 1,
    }
    return DecisionMade(KEY, NOW, Decision(**(given | changed)), TEST)


def a_reward(number: int, arm: str = "a", **changed: Any) -> RewardSeen:
    """Build a yes of one visitor, old enough to be counted."""
    reward = Reward(
        decision_id=f"decision-{number}",
        kind=changed.pop("kind", "response"),
        value=changed.pop("value", 1.0),
        at=NOW,
        human=changed.pop("human", 1.0),
    )
    given = {
        "visitor": KEY,
        "at": NOW,
        "reward": reward,
        "arm": arm,
        "policy": TEST.policy,
        "decided_at": NOW - timedelta(days=10),
        "holdout": False,
        "subject": f"visitor-{number}",
    }
    return RewardSeen(**(given | changed))


def take(state: PolicyState, *messages: Any, now: datetime = NOW) -> list[Any]:
    """Step messages and return all effects."""
    return [effect for each in messages for effect in BOT.step(state, each, now, VIEW, Draw)]


def begun() -> PolicyState:
    """Return a test of which one decision was told."""
    state = PolicyState()
    assert take(state, a_decision()) == []
    return state


def counted(state: PolicyState) -> dict[str, tuple[int, int]]:
    """Return (visitors, conversions) of all that was counted."""
    assert state.experiment is not None
    return {n: (c.visitors, c.conversions) for n, c in state.experiment.counts.items()}


def test_visitors_are_counted_by_variant_and_the_held_out_beside_them() -> None:
    state = begun()
    take(state, a_reward(1), a_reward(2, value=0.0), a_reward(3, "b"))
    take(state, a_reward(4, "whatever", holdout=True), a_reward(5, "a", value=0.0, holdout=True))
    assert counted(state) == {"a": (2, 1), "b": (1, 1), "(holdout)": (2, 1)}


def test_an_answer_counts_if_a_human_gave_it_more_likely_than_not() -> None:
    state = begun()
    take(state, a_reward(1, human=0.5), a_reward(2, human=0.49))
    assert counted(state)["a"] == (2, 1)


def test_a_quick_yes_waits_until_a_no_of_the_same_time_is_known() -> None:
    state = begun()
    effects = take(state, a_reward(1, decided_at=NOW - timedelta(hours=2)))
    assert counted(state)["a"] == (0, 0)
    (wake,) = [each for each in effects if isinstance(each, WakeAt)]
    assert wake.at >= NOW + timedelta(hours=TEST.known_after_hours - 2)
    take(state, Woke(KEY, wake.at, "publish", wake.at, ""), now=wake.at)
    assert counted(state)["a"] == (1, 1)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"in_lift": False}, "of two visitors who became one"),
        ({"kind": "purchase"}, "not what is tested"),
        ({"arm": "c"}, "arm unknown"),
        ({"value": float("nan")}, "value out of range"),
    ],
)
def test_what_cannot_be_counted_is_refused_with_its_reason(
    changed: dict[str, Any], reason: str
) -> None:
    state = begun()
    take(state, a_reward(1, **changed))
    assert state.refused == {reason: 1}
    assert counted(state)["a"] == (0, 0)


def test_a_reward_counts_once_and_none_before_the_test_is_known() -> None:
    state = PolicyState()
    take(state, a_reward(1))
    assert state.refused == {"test unknown": 1}
    state = begun()
    take(state, a_reward(1), a_reward(1))
    assert (counted(state)["a"], state.refused) == ((1, 1), {"reward again": 1})


def test_a_decision_told_to_the_wrong_address_or_with_broken_shares_begins_no_test() -> None:
    state = PolicyState()
    take(state, msgspec.structs.replace(a_decision(), visitor="elsewhere"))
    take(state, a_decision(probabilities=[0.5, 0.6]))
    assert state.experiment is None
    assert state.refused == {"decision of another policy": 1, "propensities broken": 1}


def test_a_winner_is_published_at_once_and_served_by_what_was_published() -> None:
    state = begun()
    effects = []
    for number in range(400):
        effects += take(state, a_reward(number, "ab"[number % 2], value=float(number % 2)))
        published = [each.snapshot for each in effects if isinstance(each, PublishSnapshot)]
        if published and verdict_of(published[-1]) == WINNER:
            break
    assert number == 199, "a hundred of each, and no hour of waiting"
    assert (winner_of(published[-1]), published[-1].policy) == ("b", TEST.policy)
    assert published[-1].arrays["visitors"] == [100.0, 100.0]
    assert published[-1].arrays["conversions"] == [0.0, 100.0]


def test_a_variant_whose_visitors_are_missing_raises_the_alarm() -> None:
    state = begun()
    take(state, *(a_reward(number, "a" if number % 3 else "b") for number in range(600)))
    assert verdict_of(snapshot_of(state)) == ALARM
    assert winner_of(snapshot_of(state)) == ""


def test_what_a_snapshot_tells_is_finite_and_the_state_survives_the_store() -> None:
    state = begun()
    take(state, *(a_reward(n, "ab"[n % 2], value=float(n % 3 == 0)) for n in range(90)))
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=PolicyState)
    assert stored == state
    snapshot = snapshot_of(stored)
    assert verdict_of(snapshot) == RUNNING
    assert all(abs(n) < 1e9 for array in snapshot.arrays.values() for n in array)


async def test_a_verdict_is_served_again_after_a_start_however_much_others_published_since() -> (
    None
):
    store = MemoryStore(MemoryDatabase())
    old = Snapshot(policy=TEST.policy, version=3, arms=["a", "b"], arrays={"verdict": [1.0]})
    rows = [(old, NOW)]
    rows += [
        (Snapshot(policy="send_time", version=n), NOW + n * timedelta(hours=1)) for n in range(600)
    ]
    for snapshot, at in rows:
        fields = msgspec.to_builtins(snapshot) | {"at": at}
        await store.put_document("snapshots", f"{snapshot.policy}@{snapshot.version}", fields)
    view = await ViewLoader(store, ViewSettings(mailbox=str), lambda *_: None).load((0, 0, "", ""))
    assert verdict_of(view.snapshots[TEST.policy]) == WINNER
