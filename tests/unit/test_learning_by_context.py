"""Check choices by context from a snapshot: what was learned acts, what is broken does not."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from agents.protocol.draw import Draw
from learning.serving.by_context import belief_of, choose_by_context
from learning.training.earned import Earned
from messaging.vocabulary.records import Snapshot

ARMS = ["plain", "story", "offer"]


def learned(answers: int = 1_500) -> Earned:
    """Learn that *story* is for leads whose first input is high, and *offer* for the others."""
    rng = np.random.default_rng(0)
    earned = Earned(3, 2)
    arms, inputs = rng.integers(0, 3, answers), rng.normal(size=(answers, 2))
    taste = np.array([0.0, 0.15, -0.15])[arms] * inputs[:, 0]
    chances = np.clip(0.25 + taste, 0.0, 1.0)
    earned.learn(arms, inputs, (rng.random(answers) < chances).astype(float))
    return earned


def snapshot_of(earned: Earned) -> Snapshot:
    return Snapshot(policy="next_best/lead/open", version=3, arms=ARMS, arrays=earned.published())


def chances(snapshot: Snapshot, inputs: list[float], allowed=ARMS, refused=()) -> dict[str, float]:
    choice = choose_by_context(
        snapshot, allowed, inputs, Draw("d"), refused=dict.fromkeys(refused, "cap")
    )
    offered = [each.arm for each in choice.candidates if not each.refused]
    return dict(zip(offered, choice.probabilities, strict=True))


def test_what_was_learned_of_a_lead_decides_their_arm():
    snapshot = snapshot_of(learned())
    assert chances(snapshot, [1.5, 0.0])["story"] > 0.9
    assert chances(snapshot, [-1.5, 0.0])["offer"] > 0.9


class _Drawn:
    """Draw the arm in this place."""

    def __init__(self, place: int) -> None:
        self._place = place

    def uniform(self) -> float:
        return 0.5

    def choose(self, probabilities: list[float]) -> int:
        del probabilities
        return self._place


def test_an_arm_that_is_drawn_though_another_is_likelier_is_said_to_be_tried():
    snapshot = snapshot_of(learned())
    said = {}
    for place, arm in enumerate(ARMS):
        choice = choose_by_context(
            snapshot, ARMS, [1.5, 0.0], _Drawn(place), refused={}, names=["visits", "orders"]
        )
        assert choice.arm == arm
        said[arm] = choice.because
    assert said == {"plain": ["tried"], "story": ["visits"], "offer": ["tried"]}


def test_a_snapshot_says_what_the_learner_believes():
    earned = learned(300)
    x = [0.4, -0.2]
    told = earned.chances(np.array([x]))[0]
    assert list(chances(snapshot_of(earned), x).values()) == pytest.approx(told, abs=1e-8)


def test_a_new_arm_starts_like_its_siblings_and_a_refused_one_is_never_drawn():
    earned = learned()
    snapshot = snapshot_of(earned)
    belief = belief_of(snapshot, ["new", "story"], 2)
    assert belief.arms[0] == pytest.approx(earned.belief.common)
    assert belief.answers[0] == pytest.approx(earned.level)
    assert set(chances(snapshot, [1.5, 0.0], refused=["story"])) == {"plain", "offer"}


def test_without_a_snapshot_every_arm_is_as_likely():
    choice = choose_by_context(None, ARMS, [0.0, 0.0], Draw("d"), refused={}, policy="p")
    assert choice.probabilities == pytest.approx([1 / 3] * 3)
    assert (choice.policy, choice.policy_version) == ("p", 0)


@pytest.mark.parametrize("inputs", [[], [1.5], [1.5, 0.0, 7.0]])
def test_a_snapshot_of_other_inputs_says_nothing_of_any_arm(inputs):
    told = chances(snapshot_of(learned()), inputs)
    assert list(told.values()) == pytest.approx([1 / 3] * 3, abs=1e-6)


@pytest.mark.parametrize("broken", [math.nan, math.inf, 1e300])
@pytest.mark.parametrize("name", ["weights", "common", "answers", "noise", "before"])
def test_one_broken_number_stops_no_decision(name, broken):
    snapshot = snapshot_of(learned())
    snapshot.arrays[name][0] = broken
    told = chances(snapshot, [1.5, 0.0], allowed=[*ARMS, "new"])
    assert sum(told.values()) == pytest.approx(1.0)
    assert all(chance > 0.0 for chance in told.values())


def test_a_snapshot_of_a_hundred_arms_and_fifty_inputs_is_well_below_a_megabyte():
    earned = Earned(100, 50)
    rng = np.random.default_rng(0)
    earned.sums.add(rng.integers(0, 100, 100), rng.normal(size=(100, 50)), rng.random(100))
    assert len(msgspec.json.encode(snapshot_of(earned))) < 500_000
