"""Let context act as far as it has shown that it foretells rewards better than the arms' levels alone.

Beside the belief without context, beliefs that shrink it more and less foretell every answer before they learn it
(Dawid, *Present position and potential developments: the prequential approach*, JRSS A 147, 1984). What acts is their
mean, each weighed by how likely it made the answers (Bayesian model averaging: Hoeting, Madigan, Raftery, Volinsky,
*Statistical Science* 14, 1999): where context matters it acts after some hundred answers, useless inputs fade out. To
let the best act once it led by a standard error cost 11 to 24 % more of regret where context mattered.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learning.serving.contextual import Belief, by_evidence, expected
from learning.training.ridge import INTERCEPT, Sums, solve

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

SHRUNK = (math.inf, 1500.0, 300.0, 100.0, 30.0)
"""Precision of an arm's own effect of an input; infinite: no context."""

BEFORE = np.array([0.5, 0.125, 0.125, 0.125, 0.125])
"""Weights before any answer: as likely as not, context says nothing."""

STEP_MIN = 25
"""Answers that are scored before they are learned, or half as many as are known: few at first, when each changes much.
As one step, the first 200 would score nothing, and the next 200 decisions would know of no context."""

SPREAD = 0.25
"""Standard deviation of the levels of a path's arms, relative to their mean, before they have shown it."""
LEVEL_MAX = 1e4

NOISE, NOISE_ANSWERS = 0.1, 5.0
"""Variance of a reward before any came (that of one yes in nine), and the answers that is worth."""


class Earned:
    """Keep the sums of all answers and the score of each belief."""

    def __init__(self, arms: int, inputs: int) -> None:
        self.sums = Sums.empty(arms, inputs)
        self.lost = np.zeros(len(SHRUNK))
        """Squared error of each belief, summed over answers that it had not seen."""
        self.rewards = 0.0
        self.answers = 0.0
        self.belief: Belief = solve(self.sums, math.inf)
        """What acts."""
        self._beliefs = [self.belief] * len(SHRUNK)

    @property
    def weights(self) -> Vector:
        """Return how much each belief acts; they sum to 1. The first is the one without context."""
        logs = np.log(BEFORE) - (self.lost - self.lost.min()) / (2.0 * self.noise)
        shares = np.exp(logs - logs.max())
        weights: Vector = shares / shares.sum()
        return weights

    @property
    def noise(self) -> float:
        """Return the variance of a reward about what the best of the beliefs had expected."""
        lost = float(self.lost.min()) + NOISE * NOISE_ANSWERS
        return lost / (self.answers + NOISE_ANSWERS)

    @property
    def level(self) -> float:
        """Return the answers that an arm's prior level is worth: noise over the variance of arms' levels."""
        rate = abs(self.rewards) / (self.answers + NOISE_ANSWERS)
        return min(max(self.noise / max(SPREAD * rate, 1e-9) ** 2, INTERCEPT), LEVEL_MAX)

    def chances(self, inputs: Vector) -> Vector:
        """Return each arm's probability, exact: (n, D − 1) to (n, K)."""
        return by_evidence(self.means(inputs), self.belief.answers, self.noise)

    def means(self, inputs: Vector) -> Vector:
        """Return each arm's expected reward by the belief that acts: (n, D − 1) to (n, K)."""
        return expected(self.belief, inputs)

    def learn(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        """Score all beliefs by these answers, then learn from them.

        Raise ValueError, and change nothing, where one is no answer.
        """
        self.sums.check(arms, inputs, rewards)
        start = 0
        while start < len(arms):
            rows = slice(start, start + max(STEP_MIN, int(self.answers / 2)))
            self._step(arms[rows], inputs[rows], rewards[rows])
            start = rows.stop

    def fade(self, by: float) -> None:
        """Let what was learned, and what was earned, weigh less: the world changes."""
        self.sums.fade(by)
        self.lost, self.rewards = self.lost * by, self.rewards * by
        self.answers *= by

    def _step(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        each = np.arange(len(arms))
        for place, belief in enumerate(self._beliefs):
            error = rewards - expected(belief, inputs)[each, arms]
            self.lost[place] += float(error @ error)
        self.answers += len(arms)
        self.rewards += float(rewards.sum())
        self.sums.add(arms, inputs, rewards)
        level, weights = self.level, self.weights
        self._beliefs = [solve(self.sums, own, level) for own in SHRUNK]
        self.belief = Belief(
            np.tensordot(weights, np.stack([each.arms for each in self._beliefs]), axes=1),
            weights @ np.stack([each.common for each in self._beliefs]),
            self._beliefs[0].answers,
        )
