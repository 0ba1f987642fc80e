"""Lean everybody's hours to a lead's own: by how much likelier this lead is there at each hour than people are.

Rules
1. A factor for each hour of the week: the lead's presence over everybody's, both shrunk alike by the shape that acts.
   Who has shown nothing leans nowhere, exactly.
2. What the rate of an hour stands on before sends have spoken is divided out: so rate times factor is the lead's
   belief, by which the shapes were judged, times what sends have shown of answers among those who are there.
3. Presence of weeks that are over alone counts: of a week under way it is only known of its first days.
4. Hours are kept in UTC and mean what they are in the lead's zone, with that zone's clock of their own week.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache

import msgspec
import numpy as np

from learning.serving.hours import DIGITS, FIRST, SHAPES, Rates, Shape, everybody, kept, spread
from learning.serving.policy import Remembered, array_of
from learning.serving.presence import HOUR_SECONDS, MONDAY_SECONDS, Ints, hours_before
from learning.serving.send_time import (
    EVERYBODY,
    EVERYBODY_WEEKS,
    SHAPE,
    SLOTS,
    shape_of_week,
)
from messaging.vocabulary.records import Snapshot

WEEKS_KNOWN = 4_174
"""Weeks for which a zone's clock is looked up, until 2050; later ones have the last one's."""

FACTOR_MIN, FACTOR_MAX = 0.05, 20.0
"""A send counts as so many at least and at most: one to who never is there at that hour says little, not nothing."""

AGES = 1_024
"""Weeks for which the fading is tabled: more than what is kept can span."""


class Counts(msgspec.Struct, frozen=True):
    """Hold one lead's weeks that are over, faded."""

    there: Rates
    """(168,): weeks in which the lead was there in that hour or the next, in the lead's zone."""
    weeks: float
    weeks_plain: int
    """The same, not faded."""
    mostly: int
    """The slot in which the lead was there most often."""


class Leaning(msgspec.Struct, frozen=True):
    """Hold what a lead's own hours say of when to write."""

    factors: Rates
    """(168,): likelier than people (above 1) or less likely to be there."""
    weeks: int
    """Weeks in which the lead was there."""
    mostly: int
    """The hour of the week in which the lead was there most often."""

    def factor(self, slot: int) -> float:
        """Return the factor of one hour, as it weighs a send."""
        return min(max(float(self.factors[slot]), FACTOR_MIN), FACTOR_MAX)


class Learned(msgspec.Struct, frozen=True):
    """Hold of a snapshot what all leads share."""

    shape: Shape
    prior: Rates
    """Everybody's share of weeks, smoothed, times the weeks that they weigh."""
    base: Rates
    """What one week of a lead who is there as people are says of each slot."""
    week: Rates
    """How the hours of a week compare by what the rate of an hour is shrunk to (`send_time.shape_of_week`); mean 1."""
    known: float
    """How much of that is who is there of their own accord, from 0 to 1."""


_learned_of: Remembered[Learned | None] = Remembered(16)


def counts(hours: Ints, zone: tzinfo, week: int, half_life: float) -> Counts:
    """Return what a lead's hours (in order, all before `week`) come to as that week begins."""
    if not len(hours):
        return Counts(np.zeros(SLOTS), 0.0, 0, 0)
    of_week = hours // SLOTS
    # Who was away for many years: their weeks fade alike from there on.
    week = min(week, int(of_week[0]) + AGES)
    faded = _fading(half_life)[week - 1 - of_week]
    slots = (hours + _ahead(zone, of_week)) % SLOTS
    there: Rates = np.asarray(np.bincount(slots, faded, SLOTS), dtype=np.float64)
    mostly = int(there.argmax())
    # An e-mail of the hour before is seen as well; where the lead was there in that hour too, it is counted.
    alone = np.ones(len(hours), dtype=np.bool_)
    np.not_equal(hours[1:] - hours[:-1], 1, out=alone[1:])
    beside = np.bincount(slots[alone], faded[alone], SLOTS)
    there[:-1] += beside[1:]
    there[-1] += beside[0]
    begun = faded[1:][of_week[1:] != of_week[:-1]]
    return Counts(there, float(faded[0] + begun.sum()), 1 + len(begun), mostly)


def leaning(
    snapshot: Snapshot | None, week: int, before: bytes, zone: tzinfo, now: int
) -> Leaning | None:
    """Return what a lead's hours before `week`, as they are packed, say in week `now`; None: nothing is known yet."""
    if snapshot is None or not before:
        return None
    learned = _learned_of.get(snapshot, None, lambda: learned_of(snapshot))
    if learned is None:
        return None
    hours = hours_before(week, before)
    if not len(hours) or hours[0] < 0:
        return None  # no such hours were ever packed
    own = counts(hours, zone, max(now, week), learned.shape.half_life)
    return Leaning(leans(learned, own), own.weeks_plain, own.mostly)


def leans(learned: Learned, own: Counts) -> Rates:
    """Return the factor for each slot: (168,)."""
    mine = learned.prior + own.there @ spread(learned.shape.kernel, learned.shape.days)
    people = learned.prior + own.weeks * learned.base
    if learned.known:
        # The rate stands on `week`: over that, rate times factor is the lead's belief times what sends have shown.
        people = (1.0 - learned.known) * people + learned.known * people.mean() * learned.week
    factors: Rates = mine / people
    return factors.round(DIGITS)


def learned_of(snapshot: Snapshot) -> Learned | None:
    """Return what a snapshot says of everybody; None: it was published before anybody's hours were learned."""
    if EVERYBODY not in snapshot.arrays:
        return None
    there = np.asarray(array_of(snapshot, EVERYBODY, SLOTS))
    [weeks] = array_of(snapshot, EVERYBODY_WEEKS, 1)
    [number] = array_of(snapshot, SHAPE, 1)
    shape = SHAPES[int(number)] if number < len(SHAPES) else SHAPES[FIRST]
    there = np.minimum(
        there, weeks
    )  # no hour has more weeks than there are: a broken number makes nobody lean
    alone = everybody(there, weeks, 0.0)
    return Learned(
        shape,
        shape.prior * everybody(there, weeks, shape.kernel),
        alone @ spread(shape.kernel, shape.days),
        *shape_of_week(snapshot),
    )


@lru_cache(maxsize=16)
def _fading(half_life: float) -> Rates:
    return np.asarray(kept(half_life) ** np.arange(AGES, dtype=np.float64))


def _ahead(zone: tzinfo, of_week: Ints) -> Ints:
    """Return by how many hours a zone's clock was ahead of UTC in each week."""
    known = _clock(zone)
    return known[of_week if of_week[-1] < WEEKS_KNOWN else np.minimum(of_week, WEEKS_KNOWN - 1)]


@lru_cache(maxsize=256)
def _clock(zone: tzinfo) -> Ints:
    """Return by how many hours a zone's clock is ahead of UTC in all weeks, each as in its middle."""
    middle = MONDAY_SECONDS + HOUR_SECONDS * SLOTS // 2
    moments = (
        datetime.fromtimestamp(middle + week * SLOTS * HOUR_SECONDS, UTC)
        for week in range(WEEKS_KNOWN)
    )
    offsets = (moment.astimezone(zone).utcoffset() for moment in moments)
    ahead = [offset.total_seconds() // HOUR_SECONDS if offset else 0 for offset in offsets]
    return np.asarray(ahead, dtype=np.int64)
