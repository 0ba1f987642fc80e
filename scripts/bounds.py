"""Say how sure a simulation is of a share, and what a further audience will bring.

Rules
1. From one audience only its people can be known to differ: another audience has other tastes, and the interval of one
   does not cover that. From several audiences both are covered.
2. An interval of a count is one for what has not happened yet (a prediction interval): in 95 of 100 cases the count of
   the next audience of as many people lies in it. It ends at whole numbers, outwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

import msgspec
from scipy.stats import betabinom, t

from scripts.lift import wilson

TAIL = 0.025
"""On either side of a 95 % interval."""

HALF = 0.5
"""Of a success and of a failure: the prior of Jeffreys."""

METHOD_ONE = (
    "shares by Wilson (1927), counts by the predictive beta-binomial with the prior of Jeffreys: they cover who"
    " happens to live in this audience, and no other tastes"
)
METHOD_SEVERAL = (
    "Student's t over the audiences: of the mean for shares, of one further audience for counts, the latter no"
    " narrower than the beta-binomial of all their people"
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
    half = _quantile(len(counts)) * stdev(counts) / math.sqrt(len(counts)) / people
    return Range(mean, max(0.0, mean - half), min(1.0, mean + half))


def next_count(counts: Sequence[int], people: int) -> Range:
    """Return what a further audience of as many people will count, given what each of these did.

    >>> next_count([10], 100), next_count([8, 12, 10], 100)
    (Range(mean=10.0, low=3.0, high=20.0), Range(mean=10.0, low=0.0, high=20.0))
    """
    mean, every = fmean(counts), len(counts) * people
    own = betabinom(people, sum(counts) + HALF, every - sum(counts) + HALF)
    low, high = float(own.ppf(TAIL)), float(own.ppf(1.0 - TAIL))
    if len(counts) > 1:
        half = _quantile(len(counts)) * stdev(counts) * math.sqrt(1.0 + 1.0 / len(counts))
        low, high = min(low, mean - half), max(high, mean + half)
    return Range(mean, float(max(0, math.floor(low))), float(min(people, math.ceil(high))))


def _quantile(audiences: int) -> float:
    return float(t.ppf(1.0 - TAIL, audiences - 1))
