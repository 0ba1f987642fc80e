"""Value a policy from the log of another when both logs are there: what comes out can be held against the truth.

Protocol (Saito et al., *Open Bandit Dataset and Pipeline*, NeurIPS 2021): two policies chose among the same arms at the
same positions at the same time. The policy that is valued is how often its own log shows each arm at each position; its
value is the mean reward of its own log, of which nothing else is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.evaluation.off_policy import Logged

FOLDS = 5

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

Place = tuple[str, str]
"""A position, and an arm that was shown there."""


def logged(
    places: Sequence[Place], propensities: Vector, rewards: Vector, other: Sequence[Place]
) -> Logged:
    """Return what a log says of the policy that showed the places of another log.

    The model of rewards is each place's mean in the other folds.
    """
    names = {place: number for number, place in enumerate(sorted({*places, *other}))}
    positions = np.unique([position for position, _ in names], return_inverse=True)[1]
    place = np.asarray([names[each] for each in places])
    shown = np.bincount([names[each] for each in other], minlength=len(names)).astype(np.float64)
    chances = shown / np.maximum(np.bincount(positions, shown)[positions], 1.0)
    taken, policy = _foretold(place, rewards, chances, positions)
    return Logged(rewards, propensities, chances[place], taken, policy)


def _foretold(
    place: Ints, rewards: Vector, chances: Vector, positions: Ints
) -> tuple[Vector, Vector]:
    """Return the model's reward of what was taken and under the policy, for each row from the other folds alone."""
    fold = np.random.default_rng(0).permutation(len(place)) % FOLDS
    taken, policy = np.zeros(len(place)), np.zeros(len(place))
    for number in range(FOLDS):
        held = fold == number
        means = _means(place[~held], rewards[~held], len(chances))
        of_position = np.bincount(positions, chances * means)
        taken[held], policy[held] = means[place[held]], of_position[positions[place[held]]]
    return taken, policy


def _means(place: Ints, rewards: Vector, count: int) -> Vector:
    """Return each place's mean, shrunk to that of all by as many answers as one success takes."""
    level = float(rewards.mean()) if len(rewards) else 0.0
    weight = 1.0 / max(abs(level), 1e-3)
    won, seen = np.bincount(place, rewards, count), np.bincount(place, minlength=count)
    means: Vector = (won + weight * level) / (seen + weight)
    return means
