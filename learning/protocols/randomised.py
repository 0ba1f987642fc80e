"""Replay a randomised e-mail test: a policy chooses, and lives by the rows whose logged arm it chose.

Protocol (Li et al., *Unbiased Offline Evaluation of Contextual-bandit-based News Article Recommendation*, WSDM 2011):
rows in a random order, a snapshot of the policy refreshed every 200 decisions; a row counts and is learned from only
when the choice equals the logged arm. The same world may also be made up, with every arm's chance known: then every
choice is answered, and regret is what the best arm of each row had more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.training.earned import Earned

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

REFRESHED = 200
"""Decisions between two snapshots."""

FOLDS = 5


class Policy(Protocol):
    """Choose for many at once from the last snapshot, and learn."""

    def choose(self, inputs: Vector) -> Ints:
        """Return an arm for each row."""
        ...

    def learn(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        """Take answers, and refresh the snapshot."""
        ...


Make = Callable[[int, int, np.random.Generator], Policy]
"""From arms, inputs and chance to a policy."""


class Randomised(msgspec.Struct, frozen=True):
    """Hold a randomised test: inputs of variance 1 (n, D), the arm of each row, its reward."""

    inputs: Vector
    arms: Ints
    rewards: Vector
    names: list[str]


class Lived(msgspec.Struct, frozen=True):
    """Hold what a policy met."""

    mean: float
    """Reward of a row that counted; NaN where none did."""
    counted: int


class Learned:
    """Choose by what ships: beliefs that have earned their place, arms weighed by evidence."""

    def __init__(self, arms: int, inputs: int, rng: np.random.Generator) -> None:
        self._earned = Earned(arms, inputs)
        self._rng = rng

    def choose(self, inputs: Vector) -> Ints:
        """Return an arm for each row."""
        chances = self._earned.chances(inputs)
        below = chances.cumsum(axis=1) < self._rng.random(len(chances))[:, None]
        drawn: Ints = below.sum(axis=1).clip(0, chances.shape[1] - 1)
        return drawn

    def learn(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        """Take answers."""
        self._earned.learn(arms, inputs, rewards)


class BetaThompson:
    """Choose by Thompson sampling from Beta(1, 1) posteriors without context."""

    def __init__(self, arms: int, inputs: int, rng: np.random.Generator) -> None:
        del inputs
        self._won, self._lost, self._rng = np.ones(arms), np.ones(arms), rng

    def choose(self, inputs: Vector) -> Ints:
        """Return an arm for each row."""
        drawn = self._rng.beta(self._won, self._lost, (len(inputs), len(self._won)))
        best: Ints = drawn.argmax(axis=1)
        return best

    def learn(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        """Take answers; a reward between 0 and 1 counts in part."""
        del inputs
        part = rewards.clip(0.0, 1.0)
        np.add.at(self._won, arms, part)
        np.add.at(self._lost, arms, 1.0 - part)


class Uniform:
    """Choose evenly: the log's own mean."""

    def __init__(self, arms: int, inputs: int, rng: np.random.Generator) -> None:
        del inputs
        self._arms, self._rng = arms, rng

    def choose(self, inputs: Vector) -> Ints:
        """Return an arm for each row."""
        return self._rng.integers(0, self._arms, len(inputs))

    def learn(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        """Learn nothing."""


def replay(test: Randomised, make: Make, rng: np.random.Generator) -> Lived:
    """Live through the test once, in an order drawn now."""
    order = rng.permutation(len(test.arms))
    policy = make(len(test.names), test.inputs.shape[1], rng)
    total, counted = 0.0, 0
    for start in range(0, len(order), REFRESHED):
        rows = order[start : start + REFRESHED]
        hit = rows[policy.choose(test.inputs[rows]) == test.arms[rows]]
        total, counted = total + float(test.rewards[hit].sum()), counted + len(hit)
        policy.learn(test.arms[hit], test.inputs[hit], test.rewards[hit])
    return Lived(total / counted if counted else float("nan"), counted)


def regret(inputs: Vector, chances: Vector, make: Make, rng: np.random.Generator) -> float:
    """Return the mean regret of a policy in a world in which every arm's chance (n, K) is known."""
    policy = make(chances.shape[1], inputs.shape[1], rng)
    lost = 0.0
    for start in range(0, len(inputs), REFRESHED):
        rows = slice(start, start + REFRESHED)
        arms = policy.choose(inputs[rows])
        of_arm = chances[rows][np.arange(len(arms)), arms]
        lost += float((chances[rows].max(axis=1) - of_arm).sum())
        policy.learn(arms, inputs[rows], (rng.random(len(arms)) < of_arm).astype(np.float64))
    return lost / len(inputs)


def where_context_matters(
    rows: int, rng: np.random.Generator, arms: int = 4, inputs: int = 10
) -> tuple[Vector, Vector]:
    """Return a made-up world (inputs, every arm's chance) in which no arm is best for all."""
    x = rng.normal(size=(rows, inputs))
    effects = 0.5 * rng.normal(size=(arms, inputs))
    chances: Vector = 1.0 / (1.0 + np.exp(2.0 - x @ effects.T))
    return x, chances


def cross_fitted(
    test: Randomised, rng: np.random.Generator, folds: int = FOLDS
) -> tuple[Vector, Vector]:
    """Return the policy (n, K) and its model's rewards (n, K) for each row, learned from the other folds alone.

    The policy takes the arm that is foretold most of.
    """
    fold = rng.permutation(len(test.arms)) % folds
    policy = np.zeros((len(test.arms), len(test.names)))
    model = np.zeros_like(policy)
    for number in range(folds):
        others, held = np.flatnonzero(fold != number), fold == number
        rng.shuffle(others)
        earned = Earned(len(test.names), test.inputs.shape[1])
        for start in range(0, len(others), REFRESHED * folds):
            rows = others[start : start + REFRESHED * folds]
            earned.learn(test.arms[rows], test.inputs[rows], test.rewards[rows])
        model[held] = earned.means(test.inputs[held])
        policy[held] = np.eye(len(test.names))[model[held].argmax(axis=1)]
    return policy, model


def valued(test: Randomised, policy: Vector, model: Vector, propensities: Vector) -> Vector:
    """Return each row's doubly robust value of a policy (Dudík, Langford, Li, ICML 2011)."""
    each = np.arange(len(test.arms))
    weight = policy[each, test.arms] / propensities
    told = (policy * model).sum(axis=1)
    values: Vector = told + weight * (test.rewards - model[each, test.arms])
    return values
