"""Believe in hours of the week: how likely somebody is there at each, from everybody's weeks and their own.

Rules
1. A week counts once for each hour, however often somebody was there in it: an hour is an occasion, and who clicks
   ten thousand times in it says no more than who clicks once.
2. A lead's own weeks are shrunk to everybody's: `(prior · rate + own) / (prior + weeks)`, the mean of a Beta posterior
   (Efron and Morris, *Stein's estimation rule and its competitors*, JASA 68, 1973, for why). Who has shown nothing has
   everybody's hours, who has shown much has their own.
3. The same hour on the other days says something of an hour (`days`), and the hours beside it (`kernel`).
4. How much of each holds differs from tenant to tenant: `SHAPES` are what may be, and which of them acts is chosen by
   how its first choice did in later weeks (`learning.training.shapes`), never by taste.
5. What is no chance counts as none: a belief comes from the store, and decisions go on.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.serving.send_time import EXPLORED, EXPLORED_SLOTS, SLOTS

DAYS, HOURS = 7, 24

Rates = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Shape(msgspec.Struct, frozen=True):
    """Say how a belief is made of weeks."""

    half_life: float
    """Weeks after which a week counts half; infinite: never forgotten."""
    kernel: float
    """Standard deviation of the normal curve over neighbouring hours; 0: each hour alone."""
    days: float
    """What a week says of the same hour on another day, where it says 1 of its own."""
    prior: float
    """Weeks of one's own that weigh as much as everybody's."""


HALF_LIVES = (4.0, 8.0, 16.0, 32.0, math.inf)
KERNELS = (0.0, 1.0)
DAY_SHARES = (0.0, 0.15, 0.5)
PRIORS = (1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)

SHAPES = tuple(
    Shape(half_life, kernel, days, prior)
    for half_life, kernel, days, prior in product(HALF_LIVES, KERNELS, DAY_SHARES, PRIORS)
)
"""What may be: from one's own hours of the last month to everybody's of all time. Doubling and tripling, so that no
log's best lies far from one of them."""

FIRST = SHAPES.index(Shape(16.0, 1.0, 0.15, 10.0))
"""Acts until weeks have spoken: the middle of each range."""

LEVEL, LEVEL_WEEKS = 0.05, 1.0
"""Chance of being there in one hour before anything is known, and the weeks that is worth."""

DIGITS = 12
"""Machines differ in the last bit of a sum; a rank must not."""


def everybody(there: Rates, weeks: float, kernel: float) -> Rates:
    """Return the share of weeks in which people are there, for each slot.

    `there`: discounted lead-weeks with somebody there, for each slot (168); `weeks`: all lead-weeks.
    """
    rates: Rates = (there @ spread(kernel, 0.0) + LEVEL * LEVEL_WEEKS) / (weeks + LEVEL_WEEKS)
    return rates


def own(there: Rates, shape: Shape) -> Rates:
    """Return what leads' own weeks say of each slot, neighbours and other days included: (…, 168) to (…, 168)."""
    said: Rates = there @ spread(shape.kernel, shape.days)
    return said


def belief(rates: Rates, own_there: Rates, own_weeks: Rates | float, shape: Shape) -> Rates:
    """Return how likely each lead is there in each slot, given `own` of their weeks: (…, 168)."""
    weeks = np.asarray(own_weeks)[..., None] * (1.0 + (DAYS - 1) * shape.days)
    chances = np.where((rates >= 0.0) & (rates <= 1.0), rates, 0.0)
    means: Rates = (shape.prior * chances + own_there) / (shape.prior + weeks)
    return means.round(DIGITS)


def best_slots(believed: Rates, allowed: Flags) -> tuple[Ints, Rates]:
    """Return the allowed slots that may be drawn, the best first, and the probability of each.

    95 % to the best, 5 % evenly over the twelve best: exact, and all others have 0. Equals rank by number. `allowed`:
    yes or no for each slot. Raise ValueError where it is not, or none is allowed.
    """
    if allowed.shape != (SLOTS,) or allowed.dtype != np.bool_:
        raise ValueError(f"allowed must say yes or no for each of the {SLOTS} hours of a week")
    slots = allowed.nonzero()[0]
    if not len(slots):
        raise ValueError("no hour of the week is allowed: allow one at least")
    ranked = slots[np.argsort(-believed[slots], kind="stable")[:EXPLORED_SLOTS]]
    chances = np.full(len(ranked), EXPLORED / len(ranked))
    chances[0] += 1.0 - EXPLORED
    return ranked, chances


def kept(half_life: float) -> float:
    """Return what a week's counts are multiplied by when the next begins.

    >>> kept(1.0), kept(math.inf)
    (0.5, 1.0)
    """
    return 1.0 if math.isinf(half_life) else 0.5 ** (1.0 / half_life)


@lru_cache(maxsize=16)
def spread(kernel: float, days: float) -> Rates:
    """Return what one count in a slot says of each slot (168 × 168): a curve over the hours, wrapping over the week.

    With `days` 0 each row sums to 1; the same hour of the other six days adds `days` times the same.
    """
    near = np.zeros((SLOTS, SLOTS))
    each = np.arange(SLOTS)
    for hours, weight in _curve(kernel):
        near[each, (each + hours) % SLOTS] += weight
    by_day = near.reshape(SLOTS, DAYS, HOURS)
    shared = (1.0 - days) * by_day + days * by_day.sum(axis=1, keepdims=True)
    matrix: Rates = shared.reshape(SLOTS, SLOTS)
    matrix.setflags(write=False)
    return matrix


def _curve(kernel: float) -> list[tuple[int, float]]:
    if kernel == 0.0:
        return [(0, 1.0)]
    reach = math.ceil(3.0 * kernel)
    curve = [(hours, math.exp(-0.5 * (hours / kernel) ** 2)) for hours in range(-reach, reach + 1)]
    total = math.fsum(weight for _, weight in curve)
    return [(hours, weight / total) for hours, weight in curve]
