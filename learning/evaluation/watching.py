"""Watch many made-up split tests at once, to know how often they err and how soon they decide.

Rules
1. The statistics are those of `sequential`, the verdict's rule is that of `experiment`: a test holds the two together.
2. Visitors count in the order in which they were drawn, as in the running system: there an answer ripens until a no of
   the same age is known, too.
3. `as_they_come` lets each count when its answer comes, a yes within hours and a no after three days. A false winner
   is as rare then, but a true one is found less often (in 41 % instead of 68 % of tests of .10 against .15 on 1,000
   visitors each): the yes's are ahead, the pooled rate seems high, and the bets are wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.evaluation.experiment import ALPHA
from learning.evaluation.sequential import (
    LIFTS,
    OUTCOMES,
    log_bets,
    log_evidence,
    log_needed,
    pooled_rate,
)

YES_MEAN_HOURS, NO_HOURS = 14.0, 72.0
"""A yes takes a while (mean of an exponential), a no is known when the routine's response window ends."""

VISITORS_A_DAY = 200.0

CELLS_MAX = 400_000
"""Tests × looks worked on at a time: some ten megabytes for each lift and outcome."""

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


class Watched(msgspec.Struct):
    """Hold what became of many tests."""

    winners: Whole
    """Of each test the place of the variant that was named the winner, -1 if none was."""
    decided_after: Whole
    """Visitors known when it was named; all of them where none was."""
    yes: Whole
    """Conversions at the end (tests × variants)."""
    visitors: Whole
    """Visitors at the end (tests × variants)."""


def watch(
    rates: Sequence[float],
    shares: Sequence[float],
    *,
    tests: int,
    visitors: int,
    rng: np.random.Generator,
    every: int = 1,
    visitors_min: int = 100,
    as_they_come: bool = False,
) -> Watched:
    """Return what becomes of so many tests of variants with these true rates, looked at after `every` visitors.

    `shares` sum to 1. `visitors`: of all variants together, in one test.
    """
    at_once = max(1, CELLS_MAX * every // visitors)
    parts = []
    for begin in range(0, tests, at_once):
        size = (min(at_once, tests - begin), visitors)
        counts = counts_at_looks(rates, shares, size, rng, every, as_they_come=as_they_come)
        parts.append(decide(counts, shares, visitors_min))
    return Watched(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in Watched.__struct_fields__
        )
    )


def counts_at_looks(
    rates: Sequence[float],
    shares: Sequence[float],
    size: tuple[int, int],
    rng: np.random.Generator,
    every: int = 1,
    *,
    as_they_come: bool = False,
) -> Whole:
    """Return (yes, no) of each variant known at each look (tests × looks × variants × 2)."""
    variants = len(rates)
    drawn = rng.choice(variants, size=size, p=list(shares))
    said = rng.random(size) < np.asarray(rates)[drawn]
    if as_they_come:
        order = _known_at(said, rng).argsort(axis=1)
        drawn, said = np.take_along_axis(drawn, order, 1), np.take_along_axis(said, order, 1)
    place = 2 * drawn + 1 - said
    looks = np.append(np.arange(every - 1, size[1] - 1, every), size[1] - 1)
    counts = [(place == each).cumsum(axis=1)[:, looks] for each in range(2 * variants)]
    found: Whole = np.stack(counts, axis=-1).reshape(size[0], len(looks), variants, 2)
    return found


def _known_at(said: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """Return the hours after which each visitor's answer comes (tests × visitors)."""
    came = np.arange(said.shape[1]) * (24.0 / VISITORS_A_DAY)
    waited = np.where(said, rng.exponential(YES_MEAN_HOURS, said.shape), NO_HOURS)
    return np.asarray(came + waited, dtype=np.float64)


def decide(counts: Whole, shares: Sequence[float], visitors_min: int) -> Watched:
    """Return what the tests come to, whose counts are known at each look."""
    variants = counts.shape[2]
    needed = log_needed(variants, ALPHA)
    wins = np.repeat((counts.sum(axis=3).min(axis=2) >= visitors_min)[..., None], variants, axis=2)
    for better, other in permutations(range(variants), 2):
        pair = counts[:, :, (better, other), :].reshape(*counts.shape[:2], OUTCOMES)
        share = shares[better] / (shares[better] + shares[other])
        wins[:, :, better] &= log_evidence(_logs(pair, share)) >= needed
    looks: NDArray[np.bool_] = np.any(wins, axis=2)
    is_won: NDArray[np.bool_] = np.any(looks, axis=1)
    look = np.where(is_won, looks.argmax(axis=1), counts.shape[1] - 1)
    at = np.arange(len(counts)), look
    return Watched(
        winners=np.where(is_won, wins[at].argmax(axis=1), -1),
        decided_after=counts[at].sum(axis=(1, 2)),
        yes=counts[:, -1, :, 0],
        visitors=counts[:, -1].sum(axis=2),
    )


def _logs(pair: Whole, share: float) -> Array:
    """Return the logarithms of the evidence at each look (tests × looks × LIFTS)."""
    before = np.concatenate([np.zeros_like(pair[:, :1]), pair[:, :-1]], axis=1)
    bundles = pair - before
    bets = log_bets(pooled_rate(before), share)
    gains = sum(bets[..., outcome] * bundles[..., outcome, None] for outcome in range(OUTCOMES))
    logs: Array = np.cumsum(gains, axis=1)
    assert logs.shape == (*pair.shape[:2], len(LIFTS)), "one logarithm for each lift"
    return logs
