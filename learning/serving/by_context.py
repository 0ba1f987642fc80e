"""Choose an arm for one lead by what is known of them, from a published belief, with exact propensities.

Rules
1. The belief is a snapshot's: each arm's weights, what is common to all, the answers each rests on, and the noise.
2. An arm that the snapshot does not know is believed to be what is common, resting on what a prior is worth.
3. Without a snapshot every arm is as likely. What is broken in one counts as 0, and decisions go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from learning.serving.contextual import Belief, by_evidence, expected
from learning.serving.policy import COUNT_MAX, Choice, Draws, Remembered, allowed_arms, draw_choice
from messaging.vocabulary.records import Snapshot

Vector = NDArray[np.float64]

VALUE_MAX = COUNT_MAX
"""No weight and no count is larger: expected rewards stay finite."""

_beliefs: Remembered[Belief] = Remembered()


def choose_by_context(
    snapshot: Snapshot | None,
    allowed: Sequence[str],
    inputs: Sequence[float],
    draw: Draws,
    *,
    refused: Mapping[str, str],
    policy: str = "by_context",
) -> Choice:
    """Return the arm for a lead with these inputs, drawn among `allowed` less `refused` (arm -> rule).

    `policy` names the policy while nothing is published. Raise ValueError if no arm is left.
    """
    arms = allowed_arms(allowed, refused)
    if snapshot is None:
        even = [1.0 / len(arms)] * len(arms)
        return draw_choice(arms, even, draw, refused=refused, policy=policy, version=0)
    key = (tuple(arms), len(inputs))
    belief = _beliefs.get(snapshot, key, lambda: belief_of(snapshot, arms, len(inputs)))
    means = expected(belief, np.asarray(inputs, dtype=np.float64))
    chances = _settled(by_evidence(means, belief.answers, _first(snapshot, "noise")))
    return draw_choice(
        arms, chances, draw, refused=refused, policy=snapshot.policy, version=snapshot.version
    )


def published(belief: Belief, noise: float, before: float) -> dict[str, list[float]]:
    """Return a belief as a snapshot's arrays; `before`: the answers that an arm's prior is worth."""
    return {
        "weights": belief.arms.ravel().tolist(),
        "common": belief.common.tolist(),
        "answers": belief.answers.tolist(),
        "noise": [noise],
        "before": [before],
    }


def belief_of(snapshot: Snapshot, arms: Sequence[str], inputs: int) -> Belief:
    """Return what a snapshot believes of these arms; a snapshot of other inputs knows none of them."""
    size, known = inputs + 1, {arm: place for place, arm in enumerate(snapshot.arms)}
    before = _first(snapshot, "before")
    common = _array(snapshot, "common", size)
    weights = _array(snapshot, "weights", len(known) * size).reshape(len(known), size)
    answers = _array(snapshot, "answers", len(known)).clip(0.0, COUNT_MAX)
    places = [known.get(arm, -1) for arm in arms]
    return Belief(
        np.stack([weights[place] if place >= 0 else common for place in places]),
        common,
        np.asarray([answers[place] if place >= 0 else before for place in places]),
    )


def _array(snapshot: Snapshot, name: str, length: int) -> Vector:
    """Return an array of exactly this length: of another one, nothing is known what stands where."""
    told = snapshot.arrays.get(name, [])
    if len(told) != length:
        return np.zeros(length)
    values = np.asarray(told, dtype=np.float64)
    whole: Vector = np.where(np.abs(values) <= VALUE_MAX, values, 0.0)
    return whole


def _first(snapshot: Snapshot, name: str) -> float:
    told = snapshot.arrays.get(name, [])
    value = told[0] if told else 0.0
    return value if 0.0 <= value <= COUNT_MAX else 0.0


def _settled(chances: Vector) -> list[float]:
    """Return probabilities as they are logged and drawn from: machines may differ in the last bits of exp."""
    shares = chances.round(9)
    shares[int(shares.argmax())] += 1.0 - shares.sum()
    settled: list[float] = shares.tolist()
    return settled
