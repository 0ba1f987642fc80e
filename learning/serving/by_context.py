"""Choose an arm for one lead by what is known of them, from a published belief, with exact propensities.

Rules
1. The belief is a snapshot's: each arm's weights, what is common to all, the answers each rests on, and the noise.
2. An arm that the snapshot does not know is believed to be what is common, resting on what a prior is worth.
3. Inputs come in units of their own; the snapshot says where most leads stand and how far they spread, so that who
   decides and who learned read them alike, and an input that was not given stands where most do.
4. Without a snapshot every arm is as likely. What is broken in one counts as 0, and decisions go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.serving.contextual import INPUT_MAX, Belief, by_evidence
from learning.serving.policy import COUNT_MAX, Choice, Draws, Remembered, allowed_arms, draw_choice
from messaging.vocabulary.records import Snapshot

Vector = NDArray[np.float64]

VALUE_MAX = COUNT_MAX
"""No weight and no count is larger: expected rewards stay finite."""

LITTLE = 25.0
"""Answers for each allowed arm below which little is known."""
MOVED = 0.05
"""Of probability: what is known of a lead is said to have chosen an arm if it made it so much likelier."""
SAME = 1e-9
"""Of probability: what differs by less is as likely."""
TOLD_MAX = 3
"""Reasons that are told."""
TELLING = 0.25
"""Of what speaks most for an arm: what speaks less is not told."""


class Ready(msgspec.Struct, frozen=True):
    """Hold what a snapshot believes of some arms, ready to decide by."""

    level: Vector
    """(K,): what is expected of the lead who stands where most do."""
    effects: Vector
    """(K, D): of each input, by its deviation."""
    answers: Vector
    """(K,)"""
    noise: float
    centre: Vector
    """(D,): where most leads stand."""
    inverse: Vector
    """(D,): one over how far they spread."""
    for_all: list[float]
    """(K,): the chances for the lead of whom nothing special is known."""
    is_little: bool


_ready: Remembered[Ready] = Remembered()


def choose_by_context(
    snapshot: Snapshot | None,
    allowed: Sequence[str],
    inputs: Sequence[float] | Vector,
    draw: Draws,
    *,
    refused: Mapping[str, str],
    policy: str = "by_context",
    names: Sequence[str] = (),
) -> Choice:
    """Return the arm for a lead with these inputs, drawn among `allowed` less `refused` (arm -> rule).

    `policy` names the policy while nothing is published; by `names` of the inputs the choice says why (`because`).
    Raise ValueError if no arm is left.
    """
    arms = allowed_arms(allowed, refused)
    if snapshot is None:
        even = [1.0 / len(arms)] * len(arms)
        return draw_choice(arms, even, draw, refused=refused, policy=policy, version=0)
    key = (tuple(arms), len(inputs))
    ready = _ready.get(snapshot, key, lambda: ready_for(snapshot, arms, len(inputs)))
    z = _deviations(ready, np.asarray(inputs, dtype=np.float64))
    chances = _settled(by_evidence(ready.level + ready.effects @ z, ready.answers, ready.noise))
    choice = draw_choice(
        arms, chances, draw, refused=refused, policy=snapshot.policy, version=snapshot.version
    )
    if names and len(arms) > 1:
        choice.because = _because(ready, arms.index(choice.arm), chances, z, names)
    return choice


def published(
    belief: Belief,
    noise: float,
    before: float,
    centre: Vector | None = None,
    spread: Vector | None = None,
) -> dict[str, list[float]]:
    """Return a belief as a snapshot's arrays; `before`: the answers that an arm's prior is worth.

    The belief is of deviations: inputs less `centre` over `spread`; without them, of the inputs as they are.
    """
    size = belief.arms.shape[1] - 1
    return {
        "weights": belief.arms.ravel().tolist(),
        "common": belief.common.tolist(),
        "answers": belief.answers.tolist(),
        "noise": [noise],
        "before": [before],
        "centre": ([0.0] * size if centre is None else centre.tolist()),
        "spread": ([1.0] * size if spread is None else spread.tolist()),
    }


def inputs_told(snapshot: Snapshot) -> int | None:
    """Return how many inputs a snapshot's belief is of; None: it holds none."""
    weights, centre = snapshot.arrays.get("weights"), snapshot.arrays.get("centre")
    return None if weights is None or centre is None else len(centre)


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


def ready_for(snapshot: Snapshot, arms: Sequence[str], inputs: int) -> Ready:
    """Return what a snapshot believes of these arms, ready to decide by."""
    belief, noise = belief_of(snapshot, arms, inputs), _first(snapshot, "noise")
    spread = _array(snapshot, "spread", inputs)
    rested = float(belief.answers.sum()) - _first(snapshot, "before") * len(arms)
    level = belief.arms[:, 0].copy()
    return Ready(
        level=level,
        effects=belief.arms[:, 1:].copy(),
        answers=belief.answers,
        noise=noise,
        centre=_array(snapshot, "centre", inputs),
        inverse=np.divide(1.0, spread, out=np.zeros(inputs), where=spread > 0.0),
        for_all=_settled(by_evidence(level, belief.answers, noise)),
        is_little=rested < LITTLE * len(arms),
    )


def chances_of(
    snapshot: Snapshot, arms: Sequence[str], inputs: Vector, allowed: NDArray[np.bool_]
) -> Vector:
    """Return with which probability `choose_by_context` takes each arm, for many leads: (n, D), (n, K) to (n, K)."""
    ready = ready_for(snapshot, arms, inputs.shape[1])
    means = ready.level + _deviations(ready, inputs) @ ready.effects.T
    return by_evidence(means, ready.answers, ready.noise, allowed)


def _deviations(ready: Ready, inputs: Vector) -> Vector:
    """Return how far leads' inputs are from most leads', within `INPUT_MAX`; what is no number is not."""
    z = (inputs - ready.centre) * ready.inverse
    # The quick way for whole inputs: a sum that is no number has a part that is none.
    if not np.isfinite(z.sum()):
        z = np.where(np.isfinite(inputs), z, 0.0)
        z = np.where(np.isfinite(z), z, 0.0)
    cut: Vector = np.minimum(np.maximum(z, -INPUT_MAX), INPUT_MAX)
    return cut


def _because(
    ready: Ready, arm: int, chances: Sequence[float], z: Vector, names: Sequence[str]
) -> list[str]:
    """Return what made an arm likely: inputs by which it is ahead of its siblings, or that nothing did.

    Where another arm is likelier, it was drawn to learn of it, and nothing else is a reason.
    """
    if ready.is_little:
        return ["little"]
    if chances[arm] < max(chances) - SAME:
        return ["tried"]
    if chances[arm] - ready.for_all[arm] < MOVED:
        return ["everybody"]
    ahead = (ready.effects[arm] - ready.effects.mean(axis=0)) * z
    order = np.argsort(-ahead, kind="stable")[:TOLD_MAX]
    least = TELLING * max(float(ahead[order[0]]), 0.0)
    told = [names[place] for place in order if ahead[place] > least]
    return told or ["everybody"]


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
