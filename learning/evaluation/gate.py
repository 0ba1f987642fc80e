"""Say whether what was learned may take the place of what acts: the publication gate.

Of the newest answers it is known among which arms was chosen, with which probability the arm was drawn, and of whom
the answer is. On these very rows the candidate is held against the policy that acts, row by row:

    d = Σ (c − a)·q + (w_c − w_a)·(r − q(taken)),  w = probability / propensity

(Dudík, Langford, Li, *Doubly Robust Policy Evaluation and Learning*, ICML 2011, the difference of two policies), q a
ridge regression of each arm's rewards on what is known of a lead, from the half of the rows that a row is not in. Where
both choose alike all of it vanishes, so that an ordinary update has a narrow interval about 0.

Rules
1. A candidate is held where the lower end of the 95 % interval of d is below 0 by more than `MARGIN` of what the acting
   policy brings. What acts then goes on; whatever is learned by the next publication is asked for again.
2. What a candidate would do more than `TRIED` times as often as what acts was hardly ever tried: the regression alone
   speaks of it, and its own error is part of the interval. Weights are finest where they know nothing: a policy that
   always takes the worst arm has none at all, and would pass with a narrow interval.
3. Weights count `TRIED` at most (Switch-DR in spirit: Wang, Agarwal, Dudík, ICML 2017): one answer of an arm that was
   drawn once in thousands must not outweigh all others.
4. Below `EFFECTIVE_MIN` effective answers of the acting policy too little is known, and the candidate acts: the policy
   itself explores by what it does not know, and the guardrail watches. Otherwise a small tenant would never learn.
5. The candidate has learned from these rows, too: it is judged a little too well. The gate is for what is broken,
   poisoned or far off; what does harm in small steps is the guardrail's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.evaluation.off_policy import Z
from learning.serving.for_lead import chances_for_leads
from messaging.vocabulary.records import Snapshot

Vector = NDArray[np.float64]

ROWS_MAX = 1_024
"""Newest answers that are kept for it: 39,000 bytes with 24 inputs. With twice as many an ordinary update is held half
as often, and every batch of the learner writes twice the bytes."""

MARGIN = 0.15
"""Of what the acting policy brings. Less, and ordinary updates are held where few leads answer: in made-up worlds of
equals (answers of 5 to 30 %) the lower end was below .1 in 9.4 % of updates, below .15 in 2.3 %, below .2 in .8 %."""

TRIED = 5.0
"""Times as often as what acts. Between 1 and 20 intervals hardly differed; without any limit they were useless."""

LEVEL_WORTH, EFFECT_WORTH = 20.0, 30.0
"""Answers that the mean of all arms is worth in an arm's own, and that no effect of an input is worth."""
HALVES = 2

EFFECTIVE_MIN = 500.0
"""Effective answers of what acts, below which too little is known. Half of what a policy's value needs: the difference
of two that are judged on the same rows is surer than either."""

PUBLISH, HOLD, LITTLE = "publish", "hold", "little"
"""Verdicts: not worse by more than the margin; held; too little is known to say, so it is published."""

DECIMALS = 9
"""A verdict must not hang on last bits, in which machines differ."""


class Drawn(msgspec.Struct, frozen=True):
    """Hold n answers of which it is known how their arm was drawn, among K arms."""

    arms: Sequence[str]
    allowed: NDArray[np.bool_]
    """(n, K): among which of them was chosen."""
    taken: NDArray[np.int64]
    """(n,): the place of the arm that was drawn."""
    propensities: Vector
    """(n,): with which probability."""
    rewards: Vector
    inputs: Vector
    """(n, D): what was known of whom the answer is."""


class Found(msgspec.Struct, frozen=True):
    """Hold what the newest answers say of a candidate."""

    verdict: str
    answers: int
    effective: float = 0.0
    """Effective answers of the policy that acts."""
    value: float = 0.0
    """What the policy that acts brings a decision."""
    difference: float = 0.0
    """What the candidate brings more, with its 95 % interval."""
    low: float = 0.0
    high: float = 0.0

    @property
    def is_held(self) -> bool:
        """Return whether what acts goes on."""
        return self.verdict == HOLD


def judge(drawn: Drawn, acting: Snapshot | None, candidate: Snapshot) -> Found:
    """Return whether the candidate may be published in place of what acts; None: nothing does yet."""
    count = len(drawn.taken)
    if acting is None or not count:
        return Found(LITTLE, count)
    asked = (drawn.arms, drawn.inputs, drawn.allowed)
    acts, each = chances_for_leads(acting, *asked), np.arange(count)
    weights = np.minimum(acts[each, drawn.taken] / drawn.propensities, TRIED)
    effective = _effective(weights)
    if effective < EFFECTIVE_MIN:
        return Found(LITTLE, count, effective)
    wants = chances_for_leads(candidate, *asked)
    tried = np.minimum(wants, TRIED * acts)
    wanted = np.minimum(tried[each, drawn.taken] / drawn.propensities, TRIED)
    model = _Model(drawn)
    off = drawn.rewards - model.foretold[each, drawn.taken]
    values = (acts * model.foretold).sum(axis=1) + weights * off
    more = ((wants - acts) * model.foretold).sum(axis=1)
    more += (wanted - weights) * off
    variance = float(more.var(ddof=1)) / count + model.variance_of(wants - tried)
    return _found(count, effective, float(values.mean()), float(more.mean()), math.sqrt(variance))


def _found(count: int, effective: float, value: float, middle: float, error: float) -> Found:
    """Return the verdict of a difference with its standard error."""
    low = round(middle - Z * error, DECIMALS)
    # Written so that what is no number is held.
    is_good = low >= -round(MARGIN * max(0.0, value), DECIMALS)
    verdict = PUBLISH if is_good else HOLD
    return Found(verdict, count, effective, value, middle, low, middle + Z * error)


class _Model:
    """Foretell what each arm brings of each row's lead: a ridge regression of the half of the rows it is not in."""

    def __init__(self, drawn: Drawn) -> None:
        spread = drawn.inputs.std(axis=0)
        told = (drawn.inputs - drawn.inputs.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
        self._x = np.column_stack([np.ones(len(told)), told])
        self._prior = np.diag([LEVEL_WORTH, *[EFFECT_WORTH] * told.shape[1]])
        self.foretold = np.zeros(drawn.allowed.shape)
        """(n, K)"""
        half = np.arange(len(told)) % HALVES
        for number in range(HALVES):
            rows, own = np.flatnonzero(half != number), half == number
            self.foretold[own] = self._x[own] @ self._learn(drawn, rows).T
        of_taken = self.foretold[np.arange(len(told)), drawn.taken]
        self._noise = float(((drawn.rewards - of_taken) ** 2).mean())
        self._drawn = drawn

    def variance_of(self, chances: Vector) -> float:
        """Return the variance of the mean reward that is foretold of these probabilities (n, K), by arm and lead."""
        found = 0.0
        for arm in range(chances.shape[1]):
            asked = chances[:, arm] @ self._x / len(self._x)
            if asked.any():
                x = self._x[self._drawn.taken == arm]
                # As much as one half of the rows leaves open: it is a half that foretells.
                squares = x.T @ x / HALVES + self._prior
                found += self._noise * float(asked @ np.linalg.solve(squares, asked))
        return found

    def _learn(self, drawn: Drawn, rows: NDArray[np.int64]) -> Vector:
        rewards = drawn.rewards[rows]
        mean = float(rewards.mean()) if len(rows) else 0.0
        found = np.zeros((drawn.allowed.shape[1], self._x.shape[1]))
        for arm in range(len(found)):
            own = rows[drawn.taken[rows] == arm]
            x = self._x[own]
            found[arm] = np.linalg.solve(x.T @ x + self._prior, x.T @ (drawn.rewards[own] - mean))
            found[arm, 0] += mean
        return found


def _effective(weights: Vector) -> float:
    """Return the effective number of answers (Kish 1965)."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0.0 else 0.0
