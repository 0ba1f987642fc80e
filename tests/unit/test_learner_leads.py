"""Check what the learner learns of leads: what it keeps, how much of it, what it refuses, and what it publishes."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from agents.learner_bot.bot import LearnerBot
from agents.learner_bot.leads import INPUTS_MAX, ROWS_MAX, earned_of
from agents.learner_bot.state import ARMS_MAX, REWARDS_PER_SUBJECT_MAX, PolicyState, Tally
from agents.learner_bot.step import HALF_LIFE, RIPE_AFTER, snapshot_of
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.rules_manager.context import INPUTS, NAMES, inputs_of
from learning.serving.by_context import ready_for
from learning.serving.for_lead import choose_for_lead
from learning.serving.next_best import choose_template, policy_name
from messaging.vocabulary.effects import PublishSnapshot
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import RewardSeen, Woke
from messaging.vocabulary.records import Reward, Snapshot

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=10)
NAME = policy_name("lead", "known")
VIEW = View(rules=None, rules_version=1, pinned={}, snapshots={})
BOT = LearnerBot()

HIGH, LOW = bytes([16, 0, 8]), bytes([0xF0, 0, 8])
"""Leads whose first input is 1 or −1."""


def a_reward(number: int, arm: str = "a", value: float = 1.0, inputs: bytes = HIGH, **changed):
    """Build a ripe answer of a visitor of its own."""
    reward = Reward(decision_id=f"decision-{number}", kind="response", value=value, at=NOW)
    given = {"decided_at": LONG_AGO, "holdout": False, "subject": f"visitor-{number}"} | changed
    return RewardSeen(
        visitor=policy_key(NAME),
        at=NOW,
        reward=reward,
        arm=arm,
        policy=NAME,
        inputs=inputs,
        **given,
    )


def take(state: PolicyState, *messages, now: datetime = NOW) -> list[Snapshot]:
    """Step messages and return what was published."""
    effects = []
    for message in messages:
        effects += BOT.step(state, message, now, VIEW, Draw)
    return [effect.snapshot for effect in effects if isinstance(effect, PublishSnapshot)]


def answers(count: int, arms=("a", "b"), width: int = 3, seed: int = 0) -> list[RewardSeen]:
    """Build answers: leads whose first input is high like *a*, the others *b*."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        inputs = rng.integers(-32, 33, width).astype(np.int8)
        arm = arms[rng.integers(0, len(arms))]
        liked = (inputs[0] > 0) == (arm == arms[0])
        yes = rng.random() < (0.4 if liked else 0.1)
        found.append(a_reward(number, arm, float(yes), inputs.tobytes()))
    return found


def chances(snapshot: Snapshot, inputs: bytes) -> dict[str, float]:
    choice = choose_for_lead(snapshot, ["a", "b"], inputs, Draw("d"), refused={}, policy=NAME)
    return dict(zip([each.arm for each in choice.candidates], choice.probabilities, strict=True))


def test_who_answered_what_decides_for_the_next_lead():
    snapshot = take(PolicyState(), *answers(1_000))[-1]
    assert chances(snapshot, HIGH)["a"] > 0.9
    assert chances(snapshot, LOW)["b"] > 0.9


def test_an_answer_without_inputs_teaches_the_arms_level_and_says_nothing_of_leads():
    told = [msgspec.structs.replace(each, inputs=b"") for each in answers(1_000)]
    state = PolicyState()
    snapshot = take(state, *told)[-1]
    assert state.shown.sums == b""
    assert snapshot.arrays["centre"] == []
    levels = ready_for(snapshot, ["a", "b"], 0).level
    rates = [state.arms[arm].successes / state.arms[arm].exposures for arm in "ab"]
    assert levels == pytest.approx(rates, abs=0.02)


def test_nothing_is_learned_of_a_lead_before_a_no_of_that_age_would_be_known():
    state = PolicyState()
    take(state, a_reward(1, decided_at=NOW - timedelta(hours=2)))
    assert state.shown.pending == []
    assert len(state.shown.ripening) == 1
    later = NOW + RIPE_AFTER + timedelta(hours=12)
    take(state, Woke(policy_key(NAME), later, "publish", later, ""), now=later)
    assert state.shown.ripening == {}
    assert len(state.shown.pending) == 1, "ripe now, learned when it is published"
    later += timedelta(hours=1)
    (snapshot,) = take(state, Woke(policy_key(NAME), later, "publish", later, ""), now=later)
    assert state.shown.pending == []
    assert state.shown.scored == 1.0
    assert len(snapshot.arrays["centre"]) == 3


def test_the_reward_of_a_decision_is_learned_from_once_and_the_holdouts_never():
    state = PolicyState()
    take(state, a_reward(1), a_reward(1), a_reward(2, holdout=True))
    assert len(state.shown.pending) == 1


def test_one_visitor_who_answers_ten_thousand_times_weighs_as_twenty_answers():
    honest, poisoned = answers(600), [a_reward(10_000 + n, "b", subject="x") for n in range(10_000)]
    state, clean = PolicyState(), PolicyState()
    snapshot = take(state, *honest[:300], *poisoned, *honest[300:])[-1]
    take(clean, *honest)
    rows = sum(tally.exposures for tally in state.arms.values())
    assert rows == 600 + REWARDS_PER_SUBJECT_MAX
    assert earned_of(state.shown, state.arms).sums.answers.sum() <= rows
    assert chances(snapshot, HIGH)["a"] > 0.8
    assert chances(snapshot, LOW)["b"] > 0.8


def test_what_stays_of_a_crowded_bundle_does_not_depend_on_what_came_first():
    told = [
        msgspec.structs.replace(each, decided_at=NOW - timedelta(hours=3))
        for each in answers(3 * ROWS_MAX)
    ]
    one, other = PolicyState(), PolicyState()
    take(one, *told)
    take(other, *told[::-1])
    [mine], [theirs] = one.shown.ripening.values(), other.shown.ripening.values()
    assert len(mine.rows) == ROWS_MAX
    assert mine.rows.keys() == theirs.rows.keys()
    assert {row[1:] for row in mine.rows.values()} == {row[1:] for row in theirs.rows.values()}


def test_a_state_of_the_first_version_goes_on_by_what_its_arms_counted():
    first = {
        "policy": NAME,
        "version": 7,
        "arms": {"a": [4.0, 100.0], "b": [30.0, 100.0]},
        "rewards": 200,
    }
    state = BOT.upgrade(1, msgspec.msgpack.encode(first))
    assert state.arms["b"] == Tally(30.0, 100.0)
    assert "weights" not in snapshot_of(state).arrays
    snapshot = take(state, *(a_reward(n, "b", 0.0) for n in range(200)))[-1]
    assert snapshot.version == 8
    assert ready_for(snapshot, ["a", "b"], 3).level[0] == pytest.approx(0.05, abs=0.03)


def test_a_snapshot_of_counts_alone_still_decides_as_it_did():
    arrays = {"successes": [4.0, 30.0], "exposures": [100.0, 100.0]}
    old = Snapshot(policy=NAME, version=3, arms=["a", "b"], arrays=arrays)
    now = choose_for_lead(old, ["a", "b"], HIGH, Draw("d"), refused={"c": "cap"}, policy=NAME)
    assert now == choose_template(old, ["a", "b"], Draw("d"), refused={"c": "cap"}, policy=NAME)
    none = choose_for_lead(None, ["a", "b"], HIGH, Draw("d"), refused={}, policy=NAME)
    assert none.probabilities == [0.5, 0.5]


def test_a_snapshot_of_other_inputs_decides_by_its_counts():
    snapshot = take(PolicyState(), *answers(600))[-1]
    told = choose_for_lead(snapshot, ["a", "b"], bytes(9), Draw("d"), refused={}, policy=NAME)
    counts = choose_template(snapshot, ["a", "b"], Draw("d"), refused={}, policy=NAME)
    assert told.probabilities == counts.probabilities


@pytest.mark.parametrize("broken", [bytes(INPUTS_MAX + 1), bytes(10_000)])
def test_an_answer_of_more_inputs_than_there_may_be_is_counted_and_not_read(broken):
    state = PolicyState()
    take(state, a_reward(1, inputs=broken))
    assert state.arms["a"].exposures == 1.0
    assert state.shown.pending == []


def test_more_inputs_than_before_begin_anew_and_fewer_say_nothing():
    state = PolicyState()
    take(state, *answers(400))
    take(state, *(a_reward(1_000 + n, inputs=bytes([n % 32, 1])) for n in range(200)))
    assert state.shown.width == 3
    assert state.shown.scored == 400.0
    snapshot = take(state, *(a_reward(2_000 + n, inputs=bytes([n % 32] * 5)) for n in range(200)))
    assert state.shown.width == 5
    assert state.shown.scored == 200.0
    assert len(snapshot[-1].arrays["centre"]) == 5
    assert state.arms["a"].exposures > 500.0, "what arms counted stays"


def test_the_least_used_arm_makes_room_and_its_sums_go_with_it():
    state = PolicyState()
    many = [f"arm-{n:02}" for n in range(ARMS_MAX)]
    take(state, *(a_reward(n, many[n // 4]) for n in range(4 * ARMS_MAX)))
    take(state, *(a_reward(1_000 + n, many[1 + n % (ARMS_MAX - 1)]) for n in range(200)))
    snapshot = take(state, *(a_reward(2_000 + n, "new") for n in range(200)))[-1]
    assert "new" in snapshot.arms
    assert many[0] not in snapshot.arms
    assert many[0] not in state.shown.arms
    assert len(snapshot.arms) == ARMS_MAX == len(state.arms)


def test_a_new_arm_begins_like_its_siblings():
    snapshot = take(PolicyState(), *answers(800))[-1]
    ready = ready_for(snapshot, ["a", "b", "new"], 3)
    assert min(ready.level[:2]) - 0.02 < ready.level[2] < max(ready.level[:2]) + 0.02


def test_what_was_learned_of_leads_fades_as_counts_do():
    state = PolicyState()
    take(state, *answers(600))
    before = earned_of(state.shown, state.arms)
    later = NOW + HALF_LIFE
    take(state, Woke(policy_key(NAME), later, "publish", later, ""), now=later)
    after = earned_of(state.shown, state.arms)
    assert after.sums.squares == pytest.approx(before.sums.squares / 2, rel=1e-3, abs=1e-3)
    assert after.lost == pytest.approx(before.lost / 2, rel=1e-3)
    assert after.plain == pytest.approx(np.zeros((2, 2)), abs=0.01)


def test_what_is_kept_says_what_was_learned():
    state = PolicyState()
    snapshot = take(state, *answers(600))[-1]
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=PolicyState)
    assert snapshot_of(kept) == snapshot_of(state)
    assert snapshot_of(kept).arrays["weights"] == snapshot.arrays["weights"]


def test_the_same_answers_leave_the_same_bytes():
    one, other = PolicyState(), PolicyState()
    take(one, *answers(700))
    take(other, *answers(700))
    assert msgspec.msgpack.encode(one) == msgspec.msgpack.encode(other)


def test_ten_templates_and_all_inputs_take_a_few_thousand_bytes():
    state, arms = PolicyState(), [f"template-{n}" for n in range(10)]
    take(state, *answers(2_000, arms, len(INPUTS)))
    assert len(INPUTS) == 24
    learned = msgspec.structs.replace(state.shown, acting=None)
    size = len(msgspec.msgpack.encode(learned))
    assert len(state.shown.sums) == 11 * 4 * (1 + 25 * 26 // 2 + 25) == 15_444
    assert size < 16_000
    assert len(msgspec.msgpack.encode(state.shown.acting)) < 3_200, "what acts, beside it"


def test_the_most_that_can_be_kept_stays_below_two_hundred_thousand_bytes():
    state = PolicyState()
    arms = [f"template-{n}" for n in range(ARMS_MAX)]
    take(state, *answers(4_000, arms, INPUTS_MAX - 8))
    for half_days in range(9):
        decided_at = NOW - timedelta(hours=12 * half_days)
        crowd = answers(2 * ROWS_MAX, arms, len(INPUTS), seed=half_days)
        take(
            state,
            *(
                msgspec.structs.replace(
                    each,
                    decided_at=decided_at,
                    subject=f"{half_days}:{n}",
                    reward=msgspec.structs.replace(each.reward, decision_id=f"{half_days}:{n}"),
                )
                for n, each in enumerate(crowd)
            ),
        )
    assert len(msgspec.msgpack.encode(state.shown)) < 200_000


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf, 1e300, -1e300])
@pytest.mark.parametrize("place", range(len(NAMES)))
def test_a_moment_that_is_broken_is_read_as_inputs_all_the_same(broken, place):
    context = [1.0] * len(NAMES)
    context[place] = broken
    inputs = np.frombuffer(inputs_of(context), dtype=np.int8)
    assert len(inputs) == len(INPUTS)
    assert abs(inputs.astype(int)).max() <= 96


def test_while_nothing_is_learned_anew_the_last_snapshot_goes_on_deciding():
    snapshot = take(PolicyState(), *answers(800))[-1]
    before = chances(snapshot, HIGH)
    assert all(chances(snapshot, HIGH) == before for _ in range(3))
    only_new = choose_for_lead(snapshot, ["x", "y"], HIGH, Draw("d"), refused={}, policy=NAME)
    assert only_new.probabilities == pytest.approx([0.5, 0.5])
