"""Lean everybody's hours to a lead's own: by how much likelier this lead is there at each hour than people are.

Rules
1. A factor for each hour of the week: the lead's presence over everybody's, both shrunk alike by the shape that acts.
   Who has shown nothing leans nowhere, exactly.
2. What the rate of an hour stands on before sends have spoken is divided out: so rate times factor is the lead's
   belief, by which the shapes were judged, times what sends have shown of answers among those who are there.
3. Presence of weeks that are over counts, for of a week under way only its first days are known; of who was hardly
   seen yet, all counts (`agents/behavior_bot/hours.py`).
4. Hours are kept in UTC and mean what they are in the lead's zone, with that zone's clock of their own week.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache

import msgspec
import numpy as np

from learning.serving.hours import DIGITS, FIRST, SHAPES, Rates, everybody, kept, spread
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

AGES = 1_024
"""Weeks after which an age is not told from a higher one: more than what is kept can span."""

# Scalars as numpy wants them: each would be turned into one in every call, which costs as much as the sum itself.
_ONE, _SLOTS, _TO_DIGITS = np.array(1), np.array(SLOTS), np.array(10.0**DIGITS)

_BESIDE_MONDAY = 24
"""Hours that the clock of a zone may be off by, so that an hour of a week is looked up and never divided."""
_SLOT_AT = np.arange(-_BESIDE_MONDAY, SLOTS + _BESIDE_MONDAY) % SLOTS
"""Slot of an hour, counted from a day before the week in UTC begins."""
_SLOT_BEFORE = (_SLOT_AT - 1) % SLOTS
"""And of the hour before it."""


class Counts(msgspec.Struct, frozen=True):
    """Hold one lead's weeks that are over, faded."""

    there: Rates
    """(168,): weeks in which the lead was there in that hour or the next, in the lead's zone."""
    weeks: float
    weeks_plain: int
    """The same, not faded."""
    mostly: int
    """The slot in which the lead was there most often."""


class Learned(msgspec.Struct, frozen=True):
    """Hold of a snapshot what all leads share, for K hours: of a week that goes on after its end, twice it or less."""

    half_life: float
    said: Rates
    """(K, 168): what each hour of a lead says of the slot."""
    prior: Rates
    """(K,): everybody's share of weeks, smoothed, times the weeks that they weigh."""
    level: Rates
    """(K,): what the prior is divided by: itself, as far as the rate of an hour does not stand on the week's shape."""
    usual: Rates
    """(K,): what each week of a lead is divided by: what people are there in one, to the same extent."""

    def at(self, hours: slice) -> Learned:
        """Return what is known of these hours alone: a window's day costs a seventh of the week, and copies nothing."""
        return Learned(
            self.half_life,
            self.said[hours],
            self.prior[hours],
            self.level[hours],
            self.usual[hours],
        )


class Leaning(msgspec.Struct, frozen=True):
    """Hold what a lead's own hours say of when to write."""

    learned: Learned
    own: Counts

    @property
    def weeks(self) -> int:
        """Return in how many weeks the lead was there."""
        return self.own.weeks_plain

    @property
    def mostly(self) -> int:
        """Return the hour of the week in which the lead was there most often."""
        return self.own.mostly

    def at(self, hours: slice) -> Rates:
        """Return for each hour how much likelier (above 1) or less likely than people the lead is there."""
        return leans(self.learned.at(hours), self.own)


_learned_of: Remembered[Learned | None] = Remembered(16)


def counts(hours: Ints, zone: tzinfo, week: int, half_life: float) -> Counts:
    """Return what a lead's hours (in order, all before `week`) come to as that week begins."""
    if not len(hours):
        return Counts(np.zeros(SLOTS), 0.0, 0, 0)
    of_week = hours // _SLOTS
    faded = _faded(of_week, week, half_life)
    places = hours - _begins(zone, of_week)
    there = np.asarray(np.bincount(_SLOT_AT[places], faded, SLOTS), np.float64)
    mostly = int(there.argmax())
    # An e-mail of the hour before is seen as well; where the lead was there in that hour too, it is counted.
    alone = faded.copy()
    alone[1:][hours[1:] - hours[:-1] == _ONE] = 0.0
    there += np.bincount(_SLOT_BEFORE[places], alone, SLOTS)
    begun = of_week[1:] != of_week[:-1]
    weeks = faded.item(0) + float(faded[1:].dot(begun))
    return Counts(there, weeks, 1 + int(np.count_nonzero(begun)), mostly)


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
    if not len(hours) or hours.item(0) < 0:
        return None  # no such hours were ever packed
    own = counts(hours, zone, max(now, week), learned.half_life)
    return Leaning(learned, own)


def leans(learned: Learned, own: Counts) -> Rates:
    """Return the factor of each hour that `learned` is of: (K,)."""
    factors: Rates = learned.said.dot(own.there)
    factors += learned.prior
    factors /= learned.level + own.weeks * learned.usual
    factors *= _TO_DIGITS  # as `round` does it, in two thirds of the time
    np.rint(factors, factors)
    factors /= _TO_DIGITS
    return factors


def learned_of(snapshot: Snapshot) -> Learned | None:
    """Return what a snapshot says of everybody; None: it was published before anybody's hours were learned."""
    if EVERYBODY not in snapshot.arrays:
        return None
    there = np.asarray(array_of(snapshot, EVERYBODY, SLOTS))
    [weeks] = array_of(snapshot, EVERYBODY_WEEKS, 1)
    [number] = array_of(snapshot, SHAPE, 1)
    shape = SHAPES[int(number)] if number < len(SHAPES) else SHAPES[FIRST]
    # No hour has more weeks than there are: a broken number makes nobody lean.
    there = np.minimum(there, weeks)
    each = spread(shape.kernel, shape.days)
    prior = shape.prior * everybody(there, weeks, shape.kernel)
    usual = everybody(there, weeks, 0.0) @ each
    week, known = shape_of_week(snapshot)

    def people(rates: Rates) -> Rates:
        # The rate stands on `week`: over that, rate times factor is the lead's belief times what sends have shown.
        return (1.0 - known) * rates + known * rates.mean() * week if known else rates

    rates = (np.tile(each, 2) for each in (prior, people(prior), people(usual)))
    return Learned(shape.half_life, _said(shape.kernel, shape.days), *rates)


@lru_cache(maxsize=16)
def _said(kernel: float, days: float) -> Rates:
    return np.tile(spread(kernel, days).T, (2, 1))


def _faded(of_week: Ints, week: int, half_life: float) -> Rates:
    """Return what each week, in order, still weighs as `week` begins."""
    # Who was away for many years: their weeks fade alike from there on.
    week = min(week, of_week.item(0) + AGES)
    by_age = _fading(half_life)
    if week > WEEKS_KNOWN:
        return by_age[of_week + (WEEKS_KNOWN - week)]
    return by_age[WEEKS_KNOWN - week :][of_week]


@lru_cache(maxsize=16)
def _fading(half_life: float) -> Rates:
    """Return what a week weighs by its age, the newest last: so that a week's number finds it without a sum.

    Behind it stands the week under way, in which nothing lies that was packed as it is meant to be.
    """
    by_age = kept(half_life) ** np.arange(WEEKS_KNOWN, dtype=np.float64)
    return np.concatenate([by_age[::-1], by_age[:1]])


def _begins(zone: tzinfo, of_week: Ints) -> Ints:
    """Return for each week, in order, the hour that lies a day before it begins by a zone's clock."""
    known = _clock(zone)
    if of_week.item(-1) < len(known):
        return known[of_week]
    last = np.minimum(of_week, len(known) - 1)
    begins: Ints = known[last] + (of_week - last) * SLOTS
    return begins


@lru_cache(maxsize=256)
def _clock(zone: tzinfo) -> Ints:
    """Return `_begins` of all weeks that are known, a zone's clock being as far ahead of UTC as in their middle."""
    middle = MONDAY_SECONDS + HOUR_SECONDS * SLOTS // 2
    moments = (
        datetime.fromtimestamp(middle + week * SLOTS * HOUR_SECONDS, UTC)
        for week in range(WEEKS_KNOWN)
    )
    offsets = (moment.astimezone(zone).utcoffset() for moment in moments)
    ahead = [offset.total_seconds() // HOUR_SECONDS if offset else 0 for offset in offsets]
    return np.arange(WEEKS_KNOWN) * SLOTS - np.asarray(ahead, dtype=np.int64) - _BESIDE_MONDAY
