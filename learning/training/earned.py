"""Let context act only where it has shown that it foretells rewards better than the arms' levels alone.

Beside the belief without context, beliefs that shrink it more and less foretell every answer before they learn it
(Dawid, *Present position and potential developments: the prequential approach*, JRSS A 147, 1984). One of them acts
while its squared error is smaller than that without context by more than a standard error of the difference (Breiman
et al. 1984: among what cannot be told apart the simpler one), and smallest: with useless inputs nothing is lost, for
what is not earned does not act.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learning.serving.contextual import Belief, expected
from learning.training.ridge import Sums, solve

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

SHRUNK = (math.inf, 1500.0, 300.0, 100.0, 30.0)
"""Precision of an arm's own effect of an input; infinite: no context."""


class Earned:
    """Keep the sums of all answers and the score of each belief."""

    def __init__(self, arms: int, inputs: int) -> None:
        self.sums = Sums.empty(arms, inputs)
        self.gains = np.zeros(len(SHRUNK))
        """Squared error without context less each belief's own, summed."""
        self.squares = np.zeros(len(SHRUNK))
        self.answers = 0.0
        self.beliefs: list[Belief] = [solve(self.sums, own) for own in SHRUNK]

    @property
    def acting(self) -> int:
        """Return the index of the belief that acts."""
        if self.answers <= 0.0:
            return 0
        mean = self.gains / self.answers
        error = np.sqrt(np.maximum(self.squares / self.answers - mean**2, 0.0) / self.answers)
        earned = np.where(mean > error, self.gains, -np.inf)
        earned[0] = 0.0
        return int(earned.argmax())

    def means(self, inputs: Vector) -> Vector:
        """Return each arm's expected reward by the belief that acts: (n, D − 1) to (n, K)."""
        return expected(self.beliefs[self.acting], inputs)

    def learn(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        """Score all beliefs by these answers, then learn from them.

        Raise ValueError, and change nothing, where one is no answer.
        """
        self.sums.check(arms, inputs, rewards)
        if not len(arms):
            return
        each = np.arange(len(arms))
        errors = [(rewards - expected(belief, inputs)[each, arms]) ** 2 for belief in self.beliefs]
        for place, error in enumerate(errors):
            gain = errors[0] - error
            self.gains[place] += gain.sum()
            self.squares[place] += (gain**2).sum()
        self.answers += len(arms)
        self.sums.add(arms, inputs, rewards)
        self.beliefs = [solve(self.sums, own) for own in SHRUNK]

    def fade(self, by: float) -> None:
        """Let what was learned, and what was earned, weigh less: the world changes."""
        self.sums.fade(by)
        self.gains, self.squares = self.gains * by, self.squares * by
        self.answers *= by
