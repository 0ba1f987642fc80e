"""Weigh arms by what is known of a lead: a linear belief, and probabilities by inverse gaps in closed form.

Rules
1. `p = 1 / (K + gamma · gap)` for all but the best arm, which has the rest (SquareCB: Foster and Rakhlin, *Beyond UCB*,
   ICML 2020; with gamma growing like the root of what was learned: Simchi-Levi and Xu, *Bypassing the Monster*, 2022).
   So a propensity is exact by construction, and an arm that is nearly as good is tried nearly as often.
2. An arm that the belief does not know is foretold what is common to all: a new template starts like its siblings.
3. What is no number is 0, an input's mean; an input counts `INPUT_MAX` deviations at most. Deciding and learning read
   inputs alike (`sound`), so that one broken feature neither stops a decision nor outweighs all others.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

SHARPNESS = 50.0
"""Gamma is this times the root of the answers learned. Theory asks for about 3 where nothing may go wrong even against
an adversary; greedy with little exploring is a close second everywhere (Bietti et al., *A Contextual Bandit Bake-off*,
JMLR 22, 2021). Holds for all paths and tenants."""

FLOOR = 0.005
"""Of the probability, shared evenly: importance weights stay below 200 × the number of arms. At .02 it cost a sixth of
what there is to lose between two arms and uniform sending."""

INPUT_MAX = 6.0
"""Standard deviations: a normal input is never cut, and a broken one weighs no more than a rare one."""


MEAN_MAX = 1e9
"""A larger mean is none: gaps times gamma stay finite."""


class Belief(msgspec.Struct, frozen=True):
    """Hold what is believed of K arms, for inputs with a 1 in front (D of them)."""

    arms: Vector
    """(K, D): each arm's level, then its effect of each input."""
    common: Vector
    """(D,): what an arm of which nothing is known is believed to be."""


def sound(inputs: Vector) -> Vector:
    """Return inputs as they may be used: what is no number is 0, the rest within `INPUT_MAX`.

    >>> sound(np.array([0.5, np.nan, np.inf, -1e9])).tolist()
    [0.5, 0.0, 0.0, -6.0]
    """
    whole = np.where(np.isfinite(inputs), inputs, 0.0)
    cut: Vector = np.minimum(np.maximum(whole, -INPUT_MAX), INPUT_MAX)
    return cut


def with_level(inputs: Vector) -> Vector:
    """Return sound inputs with the 1 of the level in front: (…, D − 1) to (…, D)."""
    x = np.ones((*inputs.shape[:-1], inputs.shape[-1] + 1))
    x[..., 1:] = sound(inputs)
    return x


def expected(belief: Belief, inputs: Vector) -> Vector:
    """Return each arm's expected reward: inputs (…, D − 1) to (…, K)."""
    means: Vector = with_level(inputs) @ belief.arms.T
    return means


def gamma_of(answers: float) -> float:
    """Return how sharply gaps are weighed after so many answers."""
    return SHARPNESS * math.sqrt(answers + 1.0)


def inverse_gap(means: Vector, gamma: float) -> Vector:
    """Return each arm's probability, for expected rewards (…, K); they sum to 1 and none is below `FLOOR` / K.

    Of equals the first counts as the best; a mean that is no number counts as the worst that is one.

    >>> inverse_gap(np.array([0.5, 0.4]), 80.0).round(4).tolist()
    [0.898, 0.102]
    """
    arms = means.shape[-1]
    known = np.abs(means) <= MEAN_MAX
    if not known.all():
        means = _finite(means, known)
    best = means.argmax(axis=-1)[..., None]
    gaps = np.take_along_axis(means, best, axis=-1) - means
    weighed = 1.0 / (arms + gamma * gaps)
    np.put_along_axis(weighed, best, 0.0, axis=-1)
    np.put_along_axis(weighed, best, 1.0 - weighed.sum(axis=-1, keepdims=True), axis=-1)
    mixed: Vector = (1.0 - FLOOR) * weighed + FLOOR / arms
    return mixed


def _finite(means: Vector, known: NDArray[np.bool_]) -> Vector:
    worst = np.where(known, means, np.inf).min(axis=-1, keepdims=True)
    worst = np.where(np.isfinite(worst), worst, 0.0)
    finite: Vector = np.where(known, means, worst)
    return finite
