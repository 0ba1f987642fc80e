"""Choose how beliefs in hours are made, by how well the first choice of each way did in later weeks.

Every lead-week that is over tells of each shape whether the lead was there at the hour that the shape would have
chosen before it: full information, so the leader is followed and no exploring is needed (Cesa-Bianchi and Lugosi,
*Prediction, Learning, and Games*, 2006, ch. 3–4). Forgetting lets another lead when the world has changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.serving.hours import (
    DAY_SHARES,
    DAYS,
    DIGITS,
    FIRST,
    HALF_LIVES,
    KERNELS,
    PRIORS,
    SHAPES,
    Rates,
    everybody,
    kept,
    spread,
)
from learning.serving.own_hours import Counts
from learning.serving.send_time import SLOTS

HALF_LIFE_WEEKS = 16.0
"""Of what a shape's choices have shown."""

LEAD = 2.0
"""Hits by which another must be ahead before it acts in place of `FIRST`: luck of the first few weeks is no reason."""

_PRIORS: Rates = np.asarray(PRIORS)[:, None]

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Past(msgspec.Struct):
    """Hold what is known of the weeks that are over, for one half-life. Parts of several processes add up."""

    there: Rates
    """(leads, 168): discounted weeks in which each lead was there."""
    weeks: Rates
    """(leads,): discounted weeks of each lead."""

    @staticmethod
    def empty(leads: int) -> Past:
        """Return what is known before the first week."""
        return Past(np.zeros((leads, SLOTS)), np.zeros(leads))

    def week_over(self, half_life: float, leads: Ints, hits: Flags) -> None:
        """Take one week of leads, each named once. Raise ValueError, and change nothing, where it is none."""
        _check_week(len(self.weeks), leads, hits)
        self.there *= kept(half_life)
        self.weeks *= kept(half_life)
        self.there[leads] += hits
        self.weeks[leads] += 1.0

    def merge(self, other: Past) -> None:
        """Take what another process counted of the same leads up to the same week."""
        self.there += other.there
        self.weeks += other.weeks

    def rates(self, kernel: float) -> Rates:
        """Return everybody's share of weeks for each slot."""
        return everybody(self.there.sum(axis=0), float(self.weeks.sum()), kernel)


class Shapes:
    """Keep score of all shapes. Updated once a week."""

    def __init__(self) -> None:
        self.hits: Rates = np.zeros(len(SHAPES))

    @property
    def acting(self) -> int:
        """Return the index of the shape that acts."""
        leader = int(self.hits.argmax())
        return leader if self.hits[leader] >= self.hits[FIRST] + LEAD else FIRST

    def week_over(self, hits: Rates) -> None:
        """Take how many leads were there at each shape's choice, in the week that is over.

        Raise ValueError, and change nothing, where that is no count.
        """
        if hits.shape != self.hits.shape or not (np.isfinite(hits) & (hits >= 0.0)).all():
            raise ValueError(f"hits must be a count for each of the {len(SHAPES)} shapes")
        self.hits = self.hits * 0.5 ** (1.0 / HALF_LIFE_WEEKS) + hits


def first_choices(there: Rates, weeks: Rates, own_weeks: Sequence[Counts]) -> Ints:
    """Return the slot that each shape would choose for one lead: (shapes,).

    Args:
        there: everybody's discounted lead-weeks for each half-life and slot: (half-lives, 168).
        weeks: all discounted lead-weeks for each half-life.
        own_weeks: the lead's own, for each half-life.
    """
    firsts = []
    for life, mine in enumerate(own_weeks):
        for kernel in KERNELS:
            rates = everybody(there[life], float(weeks[life]), kernel)
            for days in DAY_SHARES:
                said = mine.there @ spread(kernel, days)
                known = mine.weeks * (1.0 + (DAYS - 1) * days)
                believed = (_PRIORS * rates + said) / (_PRIORS + known)
                firsts.append(believed.round(DIGITS).argmax(axis=1))
    return np.concatenate(firsts)


def everybodys_rates(pasts: dict[float, Past]) -> dict[tuple[float, float], Rates]:
    """Return (half-life, kernel) -> everybody's share of weeks for each slot."""
    return {(life, kernel): pasts[life].rates(kernel) for life in HALF_LIVES for kernel in KERNELS}


def _check_week(known: int, leads: Ints, hits: Flags) -> None:
    if hits.shape != (len(leads), SLOTS) or hits.dtype != np.bool_:
        raise ValueError(f"hits must say yes or no for {len(leads)} leads and {SLOTS} slots")
    if len(leads) and (leads.min() < 0 or leads.max() >= known):
        raise ValueError(f"a lead is none of the {known} that are known")
    if len(np.unique(leads)) != len(leads):
        raise ValueError("a lead is named twice: a week counts once")
