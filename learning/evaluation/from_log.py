"""Value policies from logged decisions and what came of them, with a model of rewards that has not seen the row. Pure.

Rules
1. Only decisions whose reward is known count: an open window is not a zero.
2. Only decisions that the policy itself drew count: their propensities are exact.
3. The model knows each arm's mean, shrunk to the mean of all; of the one half of the rows it is learned from the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.evaluation.off_policy import Estimate, Logged, Z, estimates

SHRUNK_BY = 20.0
"""Answers that the mean of all arms is worth in an arm's own."""

HALVES = 2

Vector = NDArray[np.float64]


class Answer(msgspec.Struct, frozen=True):
    """Hold one decision and what came of it."""

    arms: list[str]
    """Those that were allowed."""
    probabilities: list[float]
    """With which each of them was drawn."""
    arm: str
    reward: float
    default: str = ""
    """What the rules would have taken; empty where nobody knows."""


Policy = Callable[[Answer], Sequence[float]]
"""Gives the probability of each of an answer's arms; they sum to 1, or to 0 where the policy has none of them."""


class Valued(msgspec.Struct, frozen=True):
    """Hold what a log says of one policy."""

    estimates: list[Estimate]
    logged: Logged
    effects: Vector
    """The doubly robust value by row, so that two policies can be compared row by row."""

    @property
    def effective(self) -> float:
        """Return the effective number of answers."""
        return self.logged.effective


def value(answers: Sequence[Answer], policy: Policy) -> Valued:
    """Return what a policy would have brought, had it decided in place of the one that did."""
    evaluated = [list(policy(each)) for each in answers]
    means = _means(answers)
    foretold = [
        [means[place % HALVES](arm) for arm in each.arms] for place, each in enumerate(answers)
    ]
    taken = [each.arms.index(each.arm) for each in answers]
    rows = list(range(len(answers)))
    logged = Logged(
        rewards=_vector(each.reward for each in answers),
        propensities=_vector(answers[row].probabilities[taken[row]] for row in rows),
        evaluated=_vector(evaluated[row][taken[row]] for row in rows),
        foretold_taken=_vector(foretold[row][taken[row]] for row in rows),
        foretold_policy=_vector(
            math.fsum(e * q for e, q in zip(evaluated[row], foretold[row], strict=True))
            for row in rows
        ),
    )
    assert logged.foretold_policy is not None, "made above"
    assert logged.foretold_taken is not None, "made above"
    off = logged.rewards - logged.foretold_taken
    return Valued(estimates(logged), logged, logged.foretold_policy + logged.weights * off)


def difference(one: Valued, other: Valued) -> tuple[float, float, float]:
    """Return (value, low, high) of how much more one policy brings than another, on the same answers; doubly robust."""
    rows = one.effects - other.effects
    if len(rows) < 2:
        return math.nan, -math.inf, math.inf
    middle, error = float(rows.mean()), float(rows.std(ddof=1) / math.sqrt(len(rows)))
    return middle, middle - Z * error, middle + Z * error


def uniform(answer: Answer) -> list[float]:
    """Return the policy that chooses evenly."""
    return [1.0 / len(answer.arms)] * len(answer.arms)


def by_weights(weights: Mapping[str, float]) -> Policy:
    """Return the policy that chooses by fixed weights, among those that are allowed; 0 where it names none of them.

    >>> by_weights({"a": 3.0, "b": 1.0})(Answer(["b", "a", "c"], [0.2, 0.3, 0.5], "c", 1.0))
    [0.25, 0.75, 0.0]
    """

    def choose(answer: Answer) -> list[float]:
        own = [weights.get(arm, 0.0) for arm in answer.arms]
        whole = math.fsum(own)
        return [each / whole for each in own] if whole > 0.0 else own

    return choose


def by_rules(answer: Answer) -> list[float]:
    """Return the policy that takes what the rules would have taken.

    >>> by_rules(Answer(["a", "b"], [0.5, 0.5], "a", 1.0, "b"))
    [0.0, 1.0]
    """
    return [float(each == answer.default) for each in answer.arms]


def _means(answers: Sequence[Answer]) -> list[Callable[[str], float]]:
    """Return for each half of the rows (by place) the mean of each arm in the other half."""
    return [
        _model([each for place, each in enumerate(answers) if place % HALVES != half])
        for half in range(HALVES)
    ]


def _model(answers: Sequence[Answer]) -> Callable[[str], float]:
    counts: dict[str, int] = {}
    sums: dict[str, float] = {}
    for each in answers:
        counts[each.arm] = counts.get(each.arm, 0) + 1
        sums[each.arm] = sums.get(each.arm, 0.0) + each.reward
    mean = math.fsum(each.reward for each in answers) / max(1, len(answers))

    def foretell(arm: str) -> float:
        return (sums.get(arm, 0.0) + SHRUNK_BY * mean) / (counts.get(arm, 0) + SHRUNK_BY)

    return foretell


def _vector(values: object) -> Vector:
    return np.fromiter(values, dtype=np.float64)  # type: ignore[call-overload,no-any-return]
