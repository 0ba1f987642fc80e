"""Predict the hour of an open on a weekday that was held out, from the other weekdays and from other people.

Protocol: leads in folds. Of a lead in the test fold the opens of one weekday are held out; known are the lead's opens
of the other days and all opens of the leads in the other folds. A prediction hits an open in that hour or the next.

Raw opens mostly echo when campaigns were sent: what a lead's own opens are worth (`prior`, in opens) is chosen among
the leads of the other folds by the same game, and a smaller prior must win by more than a standard error (Breiman et
al. 1984): who personalises must have shown that it pays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.serving.hours import DAYS, HOURS

FOLDS = 5
PRIORS = (math.inf, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0)

LEARNED, WEEKDAY, EVERY_DAY, OWN = (
    "learned",
    "the weekday's hour",
    "the hour of all days",
    "each lead's own hour",
)

Counts = NDArray[np.float64]
Ints = NDArray[np.int64]


class Held(msgspec.Struct, frozen=True):
    """Hold the hits on each lead's opens, for each way of predicting."""

    opens: Counts
    """(leads,)"""
    hits: dict[str, Counts]
    """name -> (leads,)"""
    priors: list[float]
    """What was chosen in each fold."""


class _Game(msgspec.Struct, frozen=True):
    """Hold one weekday that is held out of some leads."""

    held: Counts
    """(leads, 24): opens that a prediction of each hour hits."""
    own: Counts
    """(leads, 24): the leads' opens of the other days."""
    day: int

    def hits(self, scores: Counts) -> Counts:
        """Return the opens of each lead that the best score hits."""
        hit: Counts = self.held[np.arange(len(self.held)), scores.argmax(axis=1)]
        return hit


def counts_of(users: Sequence[str], weekdays: Sequence[int], hours: Sequence[int]) -> Counts:
    """Return opens as (leads, 7, 24)."""
    names, lead = np.unique(np.asarray(users), return_inverse=True)
    counts = np.zeros((len(names), DAYS, HOURS))
    np.add.at(counts, (lead, np.asarray(weekdays), np.asarray(hours)), 1.0)
    return counts


def predict(counts: Counts, rng: np.random.Generator, folds: int = FOLDS) -> Held:
    """Play the game in each fold and on each weekday."""
    hits = {name: np.zeros(len(counts)) for name in (LEARNED, WEEKDAY, EVERY_DAY, OWN)}
    priors = []
    for test, others in _folds(len(counts), folds, rng):
        prior = choose_prior(counts[others], rng)
        priors.append(prior)
        known = counts[others].sum(axis=0)
        everywhere = known.sum(axis=0)
        for game in _games(counts[test]):
            scores = {
                LEARNED: _scores(game.own, known[game.day], prior),
                WEEKDAY: _scores(game.own, known[game.day], math.inf),
                EVERY_DAY: _scores(game.own, everywhere, math.inf),
                OWN: _scores(game.own, everywhere, 1e-6),
            }
            for name, each in scores.items():
                hits[name][test] += game.hits(each)
    return Held(counts.sum(axis=(1, 2)), hits, priors)


def choose_prior(counts: Counts, rng: np.random.Generator, folds: int = FOLDS) -> float:
    """Return the opens by everybody that weigh as much as a lead's own, found among these leads alone."""
    hits = np.zeros((len(PRIORS), len(counts)))
    for test, others in _folds(len(counts), folds, rng):
        known = counts[others].sum(axis=0)
        for game in _games(counts[test]):
            for place, prior in enumerate(PRIORS):
                hits[place, test] += game.hits(_scores(game.own, known[game.day], prior))
    chosen = 0
    for place in range(1, len(PRIORS)):
        gain = hits[place] - hits[chosen]
        if gain.mean() > gain.std() / math.sqrt(max(len(gain), 1)):
            chosen = place
    return PRIORS[chosen]


def _folds(count: int, folds: int, rng: np.random.Generator) -> Iterator[tuple[Ints, Ints]]:
    fold = rng.permutation(count) % folds
    for number in range(folds):
        yield np.flatnonzero(fold == number), np.flatnonzero(fold != number)


def _games(counts: Counts) -> Iterator[_Game]:
    whole = counts.sum(axis=1)
    for day in range(DAYS):
        yield _Game(_reach(counts[:, day]), whole - counts[:, day], day)


def _scores(own: Counts, known: Counts, prior: float) -> Counts:
    """Return (leads, 24): how likely an open in each hour or the next is."""
    rates = known / max(known.sum(), 1.0)
    if math.isinf(prior):
        return np.tile(_reach(rates), (len(own), 1))
    return _reach((prior * rates + own) / (prior + own.sum(axis=1, keepdims=True)))


def _reach(counts: Counts) -> Counts:
    """Return what is hit by choosing each hour: it and the next; the last hour of a day reaches no further."""
    reached = counts.copy()
    reached[..., :-1] += counts[..., 1:]
    return reached
