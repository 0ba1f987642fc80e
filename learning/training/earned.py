"""Let context act as far as it has shown that it foretells rewards better than the arms' levels alone.

Two questions are kept apart. How much does this lead answer, whatever is sent? A ridge regression of all answers says
so (`pooled`); in units of the mean it is the lead's *share*. And which arm do they answer more than another? An arm is
believed to bring `share · (level + effects · x)`: an answer counts as an exposure of so much share, as deaths are held
against those expected in epidemiology (Breslow and Day, *Statistical Methods in Cancer Research* II, 1987, ch. 2). So
who answers more than others makes no arm look good, arms keep their order among leads who answer little, and a decision
needs no share at all: it is the same factor for every arm. As one additive model, with what is common to all arms as
effects of inputs, arms of .02 to .2 among leads of very different eagerness lost more than Beta Thompson did.

Beside the belief without context, beliefs that shrink it more and less foretell every answer before they learn it
(Dawid, *Present position and potential developments: the prequential approach*, JRSS A 147, 1984). What acts is their
mean, each weighed by how likely it made the answers (Bayesian model averaging: Hoeting, Madigan, Raftery, Volinsky,
*Statistical Science* 14, 1999): where context matters it acts after some hundred answers, useless inputs fade out. To
let the best act once it led by a standard error cost 11 to 24 % more of regret where context mattered.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.serving.by_context import published
from learning.serving.contextual import Belief, by_evidence, expected, sound, with_level
from learning.training.ridge import INTERCEPT, SHARED, Sums, solve

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

SHRUNK = (math.inf, 300.0, 100.0, 30.0)
"""Precision of an arm's own effect of an input; infinite: no context."""

BEFORE = np.array([0.5, *[0.5 / 3] * 3])
"""Weights before any answer: as likely as not, context says nothing."""

POOLED = (math.inf, 300.0)
"""Precision of what an input does to how much a lead answers; infinite: all answer alike. Each as likely before."""

SHARE_MIN, SHARE_MAX = 0.25, 4.0
"""A lead who is expected to answer hardly at all still counts, and none counts as many."""
SHARES = 64.0
"""Shares are whole numbers of such parts: sums of them are the same on every machine."""

STEP_MIN = 25
"""Answers that are scored before they are learned, or half as many as are known: few at first, when each changes much.
As one step, the first 200 would score nothing, and the next 200 decisions would know of no context."""

SPREAD = 0.25
"""Standard deviation of the levels of a path's arms, relative to their mean, before they have shown it."""
LEVEL_MAX = 1e4

NOISE, NOISE_ANSWERS = 0.1, 5.0
"""Variance of a reward before any came (that of one yes in nine), and the answers that is worth."""

SPREAD_BEFORE = 10.0
"""Answers that an input's spread of 1 about its mean is worth, before it has shown its own."""
SPREAD_MIN = 0.05
"""An input that hardly varies says nothing, and must not say much where it once does."""


class Earned:
    """Keep the sums of all answers and the score of each belief.

    Beliefs are of deviations: how far each input is from the mean of all answers, in units of their spread. The sums
    are of the inputs as they are told, so that what was learned stays true while means move.
    """

    def __init__(self, arms: int, inputs: int) -> None:
        self.sums = Sums.empty(arms, inputs)
        """Of each arm; `squares` weigh an answer by its lead's share, `answers` count it as one."""
        self.pooled = Sums.empty(1, inputs)
        """Of all answers alike."""
        self.plain = np.zeros((arms, 2))
        """Answers whose inputs are not known, and their rewards: they teach the arms' levels."""
        self.lost = np.zeros(len(SHRUNK))
        """Squared error of each belief, summed over answers that it had not seen."""
        self.lost_pooled = np.zeros(len(POOLED))
        """The same of how much leads answer."""
        self.answers = 0.0
        """Answers that were scored."""
        self._believed: Believed | None = None

    @property
    def weights(self) -> Vector:
        """Return how much each belief acts; they sum to 1. The first is the one without context."""
        return _likely(self.lost, BEFORE, self.noise)

    @property
    def noise(self) -> float:
        """Return the variance of a reward about what the best of the beliefs had expected."""
        unread, won = self.plain.sum(axis=0)
        rate = won / unread if unread > 0.0 else 0.0
        lost = float(self.lost.min()) + NOISE * NOISE_ANSWERS + max(won * (1.0 - rate), 0.0)
        return float(lost / (self.answers + NOISE_ANSWERS + unread))

    @property
    def level(self) -> float:
        """Return the answers that an arm's prior level is worth: noise over the variance of arms' levels."""
        shares = self.sums.squares[:, 0, 0].sum() + self.plain[:, 0].sum()
        rewards = self.sums.products[:, 0].sum() + self.plain[:, 1].sum()
        rate = abs(float(rewards)) / (float(shares) + NOISE_ANSWERS)
        return min(max(self.noise / max(SPREAD * rate, 1e-9) ** 2, INTERCEPT), LEVEL_MAX)

    @property
    def believed(self) -> Believed:
        """Return what follows from all that was learned; solved once, when it is asked for."""
        if self._believed is None:
            self._believed = self._solved()
        return self._believed

    @property
    def belief(self) -> Belief:
        """Return what acts: what each arm brings of a lead who answers like most."""
        return self.believed.acting

    def chances(self, inputs: Vector) -> Vector:
        """Return each arm's probability, exact: (n, D − 1) to (n, K)."""
        told = self.believed
        means = expected(told.acting, told.deviations(inputs))
        return by_evidence(means, told.acting.answers, self.noise)

    def means(self, inputs: Vector) -> Vector:
        """Return each arm's expected reward by the belief that acts: (n, D − 1) to (n, K)."""
        told = self.believed
        x = told.deviations(inputs)
        means: Vector = told.shares(x)[:, None] * expected(told.acting, x)
        return means

    def published(self) -> dict[str, list[float]]:
        """Return what acts as a snapshot's arrays."""
        told = self.believed
        return published(told.acting, self.noise, self.level, told.centre, told.spread)

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
        self.pooled.fade(by)
        self.plain *= by
        self.lost, self.lost_pooled = self.lost * by, self.lost_pooled * by
        self.answers *= by
        self._believed = None

    def _step(self, arms: Ints, inputs: Vector, rewards: Vector) -> None:
        each, told = np.arange(len(arms)), self.believed
        x = told.deviations(inputs)
        shares = told.shares(x)
        for place, belief in enumerate(told.beliefs):
            error = rewards - shares * expected(belief, x)[each, arms]
            self.lost[place] += float((error * error / shares).sum())
        for place, effects in enumerate(told.pooled):
            error = rewards - with_level(x) @ effects
            self.lost_pooled[place] += float(error @ error)
        self.answers += len(arms)
        self.sums.add(arms, inputs, rewards, shares)
        self.pooled.add(np.zeros_like(arms), inputs, rewards)
        self._believed = None

    def _solved(self) -> Believed:
        centre, spread = _standing(self.pooled)
        sums = _of_deviations(self.sums, centre, spread)
        sums.squares[:, 0, 0] += self.plain[:, 0]
        sums.products[:, 0] += self.plain[:, 1]
        # Arms rest on what was expected of the leads they were for.
        sums = Sums(sums.squares, sums.products, sums.squares[:, 0, 0].copy())
        beliefs = [solve(sums, own, self.level, math.inf) for own in SHRUNK]
        weights = self.weights
        acting = Belief(
            np.tensordot(weights, np.stack([each.arms for each in beliefs]), axes=1),
            weights @ np.stack([each.common for each in beliefs]),
            beliefs[0].answers,
        )
        pooled = _eagerness(_of_deviations(self.pooled, centre, spread))
        likely = _likely(self.lost_pooled, np.full(len(POOLED), 1.0 / len(POOLED)), self.noise)
        return Believed(centre, spread, beliefs, acting, pooled, likely @ np.stack(pooled))


class Believed(msgspec.Struct, frozen=True):
    """Hold beliefs of deviations, and what those are from."""

    centre: Vector
    spread: Vector
    beliefs: list[Belief]
    """One for each of `SHRUNK`."""
    acting: Belief
    """Their mean, by how well each foretold."""
    pooled: list[Vector]
    """How much leads answer, whatever is sent: one for each of `POOLED`."""
    eagerness: Vector
    """Their mean, by how well each foretold."""

    def deviations(self, inputs: Vector) -> Vector:
        """Return inputs as deviations; what is no number is the mean."""
        told: Vector = (sound(inputs) - self.centre) / self.spread
        return np.where(np.isfinite(inputs), told, 0.0)

    def shares(self, x: Vector) -> Vector:
        """Return how much leads answer in units of the mean, from their deviations."""
        mean = float(self.eagerness[0])
        if mean <= 0.0:
            return np.ones(len(x))
        shares: Vector = (with_level(x) @ self.eagerness / mean).clip(SHARE_MIN, SHARE_MAX)
        return (shares * SHARES).round() / SHARES


def _likely(lost: Vector, before: Vector, noise: float) -> Vector:
    """Return how likely each of several made what came, from their squared errors."""
    logs = np.log(before) - (lost - lost.min()) / (2.0 * noise)
    shares = np.exp(logs - logs.max())
    weights: Vector = shares / shares.sum()
    return weights


def _eagerness(pooled: Sums) -> list[Vector]:
    """Return the regression of all answers for each of `POOLED`: a level, then an effect of each input."""
    squares, products = pooled.squares[0], pooled.products[0]
    found = []
    for precision in POOLED:
        effects = np.zeros(len(products))
        if math.isinf(precision):
            effects[0] = products[0] / (squares[0, 0] + SHARED)
        else:
            prior = np.diag([SHARED, *[precision] * (len(products) - 1)])
            effects = np.linalg.solve(squares + prior, products)
        found.append(effects)
    return found


def _standing(sums: Sums) -> tuple[Vector, Vector]:
    """Return each input's mean and spread over all answers."""
    answers = float(sums.answers.sum())
    if answers <= 0.0:
        size = sums.products.shape[1] - 1
        return np.zeros(size), np.ones(size)
    squares = sums.squares.sum(axis=0)
    centre: Vector = squares[0, 1:] / answers
    about = squares.diagonal()[1:] - answers * centre**2
    variance = (about.clip(0.0) + SPREAD_BEFORE) / (answers + SPREAD_BEFORE)
    return centre, np.sqrt(variance).clip(SPREAD_MIN)


def _of_deviations(sums: Sums, centre: Vector, spread: Vector) -> Sums:
    """Return the sums that the same answers have as deviations."""
    turned = np.diag([1.0, *(1.0 / spread)])
    turned[1:, 0] = -centre / spread
    return Sums(turned @ sums.squares @ turned.T, sums.products @ turned.T, sums.answers)
