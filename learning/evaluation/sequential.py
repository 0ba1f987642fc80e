"""Judge variants while their results come in: whoever looks after each visitor errs no more often than who waits.

Rules
1. A variant is drawn by known shares, so who converts says nothing of the variant unless the variant matters. Of
   two variants (better, other) each visitor is a bet on the variant, given the outcome: it multiplies the evidence by
   P(outcome | own variant) / P(outcome | both together). Under "the better is no better" no such bet gains on average
   (it is an e-variable: Turner, Ly and Grünwald, JSPI 230, 2024, "Generic E-variables for exact sequential k-sample
   tests"), whatever the rate, and also if the rate drifts.
2. Evidence of 1/a is reached, ever, with a probability of a at most (Ville 1939): looking costs nothing.
3. The bet's pooled rate is what was known before the visitors it is placed on; several of them may come as one bundle.
4. Four lifts are betted on in equal parts, because nobody knows the true one. Over nine pairs of rates and lifts, at
   the sample that gives a z test 80 %, a true winner was named in 49 to 56 % of 400 tests. The asymptotic confidence
   sequence (Waudby-Smith et al., AoS 52, 2024) named it in 50 to 59 % where it was tuned to that very sample, in 33 to
   58 % tuned to 500 visitors, and holds for large samples only. Ten lifts, or a mixture over rates, named it less
   often; three, from .1 to .4, in two per cent more, and they see nothing beyond.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

LIFTS = (0.08, 0.16, 0.32, 0.64)
"""Differences of two rates betted on, relative to the pooled rate. Doubling loses little between two of them; below
8 % a test of a usual size decides nothing anyway."""

RATE_BEFORE, RATE_WEIGHT = 0.1, 20.0
"""The pooled rate before anybody was seen, and how many visitors it is worth."""

RATIO_WEIGHT = 200.0
"""Visitors that the shares are worth in the test of the ratio: shares off by a tenth are what it is for."""

OUTCOMES = 4
"""Of two variants: the better said yes, the better said no, the other yes, the other no."""

_HALVINGS = 50
_SMALLEST = 1e-12

Array = NDArray[np.float64]


def pooled_rate(counts: ArrayLike) -> Array:
    """Return the rate to bet on, from the counts (… × OUTCOMES) of all who were seen before.

    >>> float(pooled_rate([0, 0, 0, 0]))
    0.1
    """
    seen = np.asarray(counts, dtype=np.float64)
    yes = seen[..., 0] + seen[..., 2]
    rate: Array = (yes + RATE_BEFORE * RATE_WEIGHT) / (seen.sum(axis=-1) + RATE_WEIGHT)
    return rate


def log_bets(rate: ArrayLike, share: ArrayLike) -> Array:
    """Return the logarithms by which each outcome multiplies the evidence (… × LIFTS × OUTCOMES).

    `rate`: pooled, in (0, 1); `share`: of the better one among the two, in [0, 1]; both scalars or arrays of one shape.
    """
    pooled = np.asarray(rate, dtype=np.float64)[..., None]
    own = np.asarray(share, dtype=np.float64)[..., None]
    # No rate may leave (0, 1): the better one goes at most half of the way from the pooled rate to 1.
    difference = np.minimum(
        pooled * np.asarray(LIFTS), (1.0 - pooled) / np.maximum(2.0 * (1.0 - own), _SMALLEST)
    )
    better = pooled + (1.0 - own) * difference
    other = pooled - own * difference
    said = [
        better / pooled,
        (1 - better) / (1 - pooled),
        other / pooled,
        (1 - other) / (1 - pooled),
    ]
    bets: Array = np.log(np.stack(said, axis=-1))
    return bets


def grown(logs: ArrayLike, seen: ArrayLike, bundle: ArrayLike, share: float) -> Array:
    """Return the logarithms of the evidence (… × LIFTS) after a bundle of visitors.

    `seen` and `bundle`: counts (… × OUTCOMES) of those before it, and of those in it.
    """
    bets = log_bets(pooled_rate(seen), share)
    gains = (bets * np.asarray(bundle, dtype=np.float64)[..., None, :]).sum(axis=-1)
    more: Array = np.asarray(logs, dtype=np.float64) + gains
    return more


def log_evidence(logs: ArrayLike) -> Array:
    """Return the logarithm of the evidence that the better one is better: the mean over the lifts betted on.

    >>> float(log_evidence([0.0] * len(LIFTS)))
    0.0
    """
    every = np.asarray(logs, dtype=np.float64)
    total: Array = np.logaddexp.reduce(every, axis=-1) - math.log(every.shape[-1])
    return total


def log_needed(variants: int, alpha: float) -> float:
    """Return the logarithm of the evidence a winner needs against each of the others.

    A variant wins by beating all others. Let one be the true best. A false winner is another variant that has beaten
    it (`variants - 1` events), or it itself where a second is as good and was beaten (one more): by Ville each has a
    probability of `alpha / variants` at most, so that all together have `alpha`.

    >>> round(math.exp(log_needed(2, 0.05)))
    40
    """
    return math.log(variants / alpha)


def rate_interval(conversions: int, visitors: int, alpha: float = 0.05) -> tuple[float, float]:
    """Return the interval that holds the true rate at every look, with a probability of 1 - `alpha`.

    All rates p whose beta-binomial martingale B(s + 1/2, f + 1/2) / (B(1/2, 1/2) p^s (1 - p)^f) is below 1 / `alpha`
    (Robbins, Ann. Math. Stat. 41, 1970; Howard et al., AoS 49, 2021).

    >>> [round(end, 3) for end in rate_interval(30, 100)]
    [0.166, 0.463]
    """
    if not 0 <= conversions <= visitors:
        raise ValueError(f"{conversions} of {visitors} visitors: a count is not between 0 and all")
    yes, no = conversions, visitors - conversions
    whole = _log_beta(yes + 0.5, no + 0.5) - _log_beta(0.5, 0.5) + math.log(alpha)

    def is_out(rate: float) -> bool:
        return whole >= yes * math.log(rate) + no * math.log1p(-rate)

    if not visitors:
        return (0.0, 1.0)
    rate = conversions / visitors
    low = _edge(is_out, 0.0, rate) if yes else 0.0
    high = _edge(is_out, 1.0, rate) if no else 1.0
    return (low, high)


def log_ratio_evidence(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Return the logarithm of the evidence that visitors do not come by the shares.

    The Bayes factor of a Dirichlet around the shares against the shares themselves, a martingale if those hold
    (Lindon and Malek, NeurIPS 2022, "Anytime-valid inference for multinomial count data").

    >>> log_ratio_evidence([50, 50], [0.5, 0.5]) < 0 < log_ratio_evidence([600, 400], [0.5, 0.5])
    True
    """
    whole = math.fsum(shares)
    total = math.lgamma(RATIO_WEIGHT) - math.lgamma(RATIO_WEIGHT + sum(counts))
    for count, part in zip(counts, shares, strict=True):
        share = part / whole
        weight = RATIO_WEIGHT * share
        total += math.lgamma(weight + count) - math.lgamma(weight) - count * math.log(share)
    return total


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _edge(is_out: Callable[[float], bool], out: float, inside: float) -> float:
    """Return where the rates begin that are not out, between one that is and one that is not."""
    for _ in range(_HALVINGS):
        middle = (out + inside) / 2.0
        if is_out(middle):
            out = middle
        else:
            inside = middle
    return out
