"""Make up logs of which the truth is known, to count how often the intervals of `off_policy` hold it.

A world: leads with inputs, arms whose chance of an answer depends on them, a log drawn by one soft policy, and another
that is valued. Its model of rewards is wrong on purpose (it knows each arm's mean alone): a doubly robust interval must
hold the truth by its weights then.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.evaluation.off_policy import Logged, estimates

INPUTS, ARMS = 5, 6
SOFTNESS = 0.45
"""How far policies are from choosing evenly: about a third of the answers of such a log are effective for another."""
PEOPLE = 30_000
"""Among whom a policy's true value is found: its own error is a tenth of an interval's width."""

Vector = NDArray[np.float64]


class World(msgspec.Struct, frozen=True):
    """Hold a log, and what the policy that is valued is worth in truth."""

    logged: Logged
    truth: float


def made_up(answers: int, rng: np.random.Generator) -> World:
    """Return a world of its own: other effects, other policies, other people."""
    effects = 0.6 * rng.normal(size=(ARMS, INPUTS))
    taste, other = rng.normal(size=(2, ARMS, INPUTS))
    inputs = rng.normal(size=(answers, INPUTS))
    chances = 1.0 / (1.0 + np.exp(1.0 - inputs @ effects.T))
    logging, valued = _soft(SOFTNESS * inputs @ taste.T), _soft(SOFTNESS * inputs @ other.T)
    taken = (logging.cumsum(axis=1) < rng.random(answers)[:, None]).sum(axis=1).clip(0, ARMS - 1)
    each = np.arange(answers)
    rewards = (rng.random(answers) < chances[each, taken]).astype(np.float64)
    means = chances.mean(axis=0)
    logged = Logged(
        rewards, logging[each, taken], valued[each, taken], means[taken], valued @ means
    )
    return World(logged, _truth(effects, other, rng))


class Covered(msgspec.Struct):
    """Count made-up logs for one method."""

    held: int = 0
    """Logs with a verdict whose 95 % interval holds the truth."""
    verdicts: int = 0

    @property
    def share(self) -> float:
        """Return the share that held among those with a verdict."""
        return self.held / max(self.verdicts, 1)


def coverage(logs: int, answers: int, rng: np.random.Generator) -> dict[str, Covered]:
    """Return method -> what became of so many made-up logs."""
    found: dict[str, Covered] = {}
    for _ in range(logs):
        world = made_up(answers, rng)
        for each in estimates(world.logged):
            covered = found.setdefault(each.method, Covered())
            covered.verdicts += each.verdict
            covered.held += each.verdict and each.low <= world.truth <= each.high
    return found


def _truth(effects: Vector, other: Vector, rng: np.random.Generator, people: int = PEOPLE) -> float:
    """Return what the valued policy is worth among many people who are not in the log."""
    inputs = rng.normal(size=(people, INPUTS))
    chances = 1.0 / (1.0 + np.exp(1.0 - inputs @ effects.T))
    return float((_soft(SOFTNESS * inputs @ other.T) * chances).sum(axis=1).mean())


def _soft(scores: Vector) -> Vector:
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    soft: Vector = weights / weights.sum(axis=1, keepdims=True)
    return soft
