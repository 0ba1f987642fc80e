"""Say how sure a simulation is of a share, and what a further audience will bring.

Rules
1. From one audience only its people can be known to differ: another audience has other tastes, and the interval of one
   does not cover that. From several audiences both are covered.
2. An interval of a count is one for what has not happened yet: the count of 95 in 100 further audiences of as many
   people lies in it. How much they differ is not known well from few: it is as wide as it must be for that to hold nine
   times in ten (a tolerance interval). It ends at whole numbers, outwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

import msgspec
from scipy.stats import betabinom, chi2, norm, t

from scripts.lift import wilson

TAIL = 0.025
"""On either side of a 95 % interval."""

UNSURE = 0.1
"""How often fewer than 95 in 100 further audiences lie in a tolerance interval."""

HALF = 0.5
"""Of a success and of a failure: the prior of Jeffreys."""

METHOD_ONE = (
    "shares by Wilson (1927), counts by the predictive beta-binomial with the prior of Jeffreys: they cover who"
    " happens to live in this audience, and no other tastes"
)
METHOD_SEVERAL = (
    "over the audiences: of the mean by Student's t for shares, no narrower than Wilson's of all their people;"
    " of 95 in 100 further audiences, nine times in ten, for"
    " counts (tolerance interval, Howe 1969), no narrower than the beta-binomial of all their people"
)


class Range(msgspec.Struct, frozen=True):
    """Hold a mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def share_of(counts: Sequence[int], people: int) -> Range:
    """Return the expected share of people, given how many there were in each audience of as many people.

    >>> [round(each, 4) for each in msgspec.structs.astuple(share_of([10], 100))]
    [0.1, 0.0552, 0.1744]
    """
    mean = fmean(counts) / people
    if len(counts) == 1:
        return Range(mean, *wilson(counts[0], people))
    quantile = float(t.ppf(1.0 - TAIL, len(counts) - 1))
    half = quantile * stdev(counts) / math.sqrt(len(counts)) / people
    # Audiences that came to the same by chance do not make it surer than all their people do.
    low, high = wilson(sum(counts), len(counts) * people)
    return Range(mean, max(0.0, min(low, mean - half)), min(1.0, max(high, mean + half)))


def next_count(counts: Sequence[int], people: int) -> Range:
    """Return what a further audience of as many people will count, given what each of these did.

    >>> next_count([10], 100), next_count([8, 12, 10], 100)
    (Range(mean=10.0, low=3.0, high=20.0), Range(mean=10.0, low=0.0, high=24.0))
    """
    mean, every = fmean(counts), len(counts) * people
    own = betabinom(people, sum(counts) + HALF, every - sum(counts) + HALF)
    low, high = float(own.ppf(TAIL)), float(own.ppf(1.0 - TAIL))
    if len(counts) > 1:
        half = tolerance(len(counts)) * stdev(counts)
        low, high = min(low, mean - half), max(high, mean + half)
    low, high = max(0, math.floor(low)), min(people, math.ceil(high))
    if low == high:  # none so far is not never, and all not always
        low, high = max(0, low - 1), min(people, high + 1)
    return Range(mean, float(low), float(high))


def tolerance(audiences: int) -> float:
    """Return how many standard deviations a tolerance interval reaches to either side of the mean.

    Howe, Journal of the American Statistical Association 64 (1969) 610-620. Tables of the exact factors say 3.018 for
    10 and 2.413 for 30.

    >>> [round(tolerance(each), 2) for each in (10, 30)]
    [3.02, 2.41]
    """
    free = audiences - 1
    spread = free * (1.0 + 1.0 / audiences) / float(chi2.ppf(UNSURE, free))
    return float(norm.ppf(1.0 - TAIL)) * math.sqrt(spread)
