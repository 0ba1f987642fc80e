"""Learn a linear belief of each arm from sums alone: exact, mergeable, fading.

`reward = w₀·x + δₖ·x + noise`, with `δₖ` shrunk to 0: arms share what they can and differ where they have shown it.
Kept are, for each arm, `Σ x xᵀ`, `Σ reward x` and the number of answers, so that counts of several processes add up and
old answers fade by one factor. The posterior mean is exact: `δₖ` is eliminated arm by arm, which leaves one system of
D equations for `w₀` (block elimination; Gelman and Hill, *Data Analysis Using Regression*, 2006, ch. 13 for the model).

What is no answer (an arm that nobody knows, a reward that is no number) raises ValueError and changes nothing: whoever
learns counts it by its reason and goes on. Inputs are read as decisions read them (`contextual.sound`).
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.serving.contextual import Belief, with_level

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

SHARED = 1e-3
"""Precision of what is common: the level of rewards is free."""
CONTEXT = 10.0
"""Precision of the common effect of an input, for inputs of variance 1 and noise of variance 1."""
NONE = 1e8
"""Precision of an effect that there is none of: finite, so that one system of equations serves all."""
INTERCEPT = 1.0
"""Precision of an arm's own level where nothing is known of how far arms differ: a new arm has its siblings' level, and
leaves it after so many answers."""

REWARD_MAX = 1e6
"""No reward is larger; what is above is no answer, and squares stay finite."""


class Sums(msgspec.Struct):
    """Hold what each arm has shown, for inputs with a 1 in front (D of them)."""

    squares: Vector
    """(K, D, D)"""
    products: Vector
    """(K, D)"""
    answers: Vector
    """(K,)"""

    @staticmethod
    def empty(arms: int, inputs: int) -> Sums:
        """Return the sums of nothing, for inputs (the 1 not counted)."""
        size = inputs + 1
        return Sums(np.zeros((arms, size, size)), np.zeros((arms, size)), np.zeros(arms))

    def add(
        self, arms: Ints, inputs: Vector, rewards: Vector, shares: Vector | None = None
    ) -> None:
        """Take answers: arm numbers (n,), inputs (n, D − 1), rewards (n,). Raise ValueError where one is none.

        `shares` (n,): what each counts as an exposure (in `squares`); 1 where they are not given.
        """
        self.check(arms, inputs, rewards)
        x = with_level(inputs)
        weighed = x if shares is None else x * shares[:, None]
        for arm in np.unique(arms):
            of = x[arms == arm]
            self.squares[arm] += weighed[arms == arm].T @ of
            self.products[arm] += rewards[arms == arm] @ of
            self.answers[arm] += len(of)

    def add_one(self, arm: int, x: Vector, reward: float) -> None:
        """Take one answer; `x` comes from `with_level`. Raise ValueError where it is none."""
        if not 0 <= arm < len(self.answers):
            raise ValueError(f"arm {arm} is none of the {len(self.answers)} that are known")
        if not abs(reward) <= REWARD_MAX:
            raise ValueError(f"{reward} is no reward (a number, at most {REWARD_MAX:g} in size)")
        if x.shape != self.products.shape[1:]:
            raise ValueError(_of_width(x.shape[0], self.products.shape[1]))
        self.squares[arm] += x[:, None] * x
        self.products[arm] += reward * x
        self.answers[arm] += 1.0

    def fade(self, by: float) -> None:
        """Let what was learned so far weigh less; `by` is in [0, 1]."""
        assert 0.0 <= by <= 1.0, "what is old never weighs more"
        self.squares *= by
        self.products *= by
        self.answers *= by

    def merge(self, other: Sums) -> None:
        """Take what another process counted of the same arms and inputs."""
        self.squares += other.squares
        self.products += other.products
        self.answers += other.answers

    def check(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        """Raise ValueError where these are no answers for these sums."""
        known, size = self.products.shape
        if inputs.shape != (len(arms), size - 1):
            raise ValueError(_of_width(inputs.shape[-1] + 1, size))
        if rewards.shape != arms.shape:
            raise ValueError(f"{len(arms)} arms have {len(rewards)} rewards")
        if len(arms) and (arms.min() < 0 or arms.max() >= known):
            raise ValueError(f"an arm is none of the {known} that are known")
        if not (np.abs(rewards) <= REWARD_MAX).all():
            raise ValueError(f"a reward is no number, or above {REWARD_MAX:g} in size")


def solve(
    sums: Sums, own: float, level: float = INTERCEPT, common_effect: float = CONTEXT
) -> Belief:
    """Return the belief that follows, an arm's own effect of an input shrunk by precision `own`, its level by `level`.

    Infinite: arms differ in their level alone. `common_effect` is the precision of what an input does to all arms
    alike; infinite: nothing.
    """
    if math.isinf(own):
        return _levels(sums, level)
    common_effect = min(common_effect, NONE)
    size = sums.products.shape[1]
    prior = np.diag([level, *[own] * (size - 1)])
    eliminated = np.linalg.solve(sums.squares + prior, np.eye(size))  # (K, D, D)
    through = sums.squares @ eliminated
    left = sums.squares - through @ sums.squares
    right = sums.products - (through @ sums.products[..., None])[..., 0]
    common = np.linalg.solve(
        left.sum(axis=0) + np.diag([SHARED, *[common_effect] * (size - 1)]), right.sum(axis=0)
    )
    apart = (eliminated @ (sums.products - sums.squares @ common)[..., None])[..., 0]
    return Belief(common + apart, common, sums.answers + level)


def _levels(sums: Sums, level: float) -> Belief:
    """Return levels only: each arm's mean, shrunk to that of all."""
    total, answers = sums.products[:, 0], sums.answers
    worth = answers * level / (answers + level)
    means = np.divide(total, answers, out=np.zeros_like(total), where=answers > 0)
    mean = (worth @ means) / (worth.sum() + SHARED)
    common, arms = np.zeros(sums.products.shape[1]), np.zeros_like(sums.products)
    common[0], arms[:, 0] = mean, (total + level * mean) / (answers + level)
    return Belief(arms, common, answers + level)


def _of_width(told: int, known: int) -> str:
    return f"an answer has {told - 1} inputs, the sums have {known - 1}"
