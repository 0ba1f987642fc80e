"""Live through a log of who was there when, week by week: one send a lead and week, each policy's hits.

Protocol: 168 slots of the week; in each week in which a lead was there at all, the policy names a slot before the
week begins, and it hits if the lead was there in that hour or the next. *Passive activity*: of weeks that are over,
all of a lead's hours are known. Chronological, from the first week on (cold start included).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.serving.hours import HALF_LIVES, SHAPES, Rates, belief, own
from learning.serving.send_time import EXPLORED, EXPLORED_SLOTS, SLOTS
from learning.training.shapes import Past, Shapes, everybodys_rates

MONDAY = 3 * 24
"""Hours from a Monday 00:00 to the epoch, which was a Thursday."""

LEAD_WEEKS_MIN = 5
"""Weeks with activity that a lead must have to be in: of others nothing can be told apart."""

WEEKS_MAX = 2_000
"""A log of more weeks has a time in it that is none."""

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Weeks(msgspec.Struct, frozen=True):
    """Hold a log as weeks."""

    leads: Ints
    """Of each lead-week: which lead."""
    week: Ints
    """Of each lead-week: which week, from 0; in order."""
    hits: Flags
    """(lead-weeks, 168): was the lead there in that hour or the next?"""

    @property
    def count(self) -> int:
        """Return the number of leads."""
        return int(self.leads.max()) + 1 if len(self.leads) else 0

    def by_week(self) -> list[Ints]:
        """Return the rows of each week, in order."""
        ends = np.flatnonzero(np.diff(self.week)) + 1
        return np.split(np.arange(len(self.week)), ends) if len(self.week) else []


def weeks_of(users: Sequence[str], seconds: Sequence[float]) -> Weeks:
    """Return a log of (user, epoch second) as weeks of leads who were there in `LEAD_WEEKS_MIN` of them or more.

    Raise ValueError where a time is none.
    """
    at = np.asarray(seconds, dtype=np.float64)
    if not np.isfinite(at).all():
        raise ValueError("a row has no time: leave it out")
    hours = np.floor(at / 3600.0).astype(np.int64) + MONDAY
    names, lead = np.unique(np.asarray(users), return_inverse=True)
    if len(hours):
        hours -= hours.min() // SLOTS * SLOTS
        if hours.max() // SLOTS >= WEEKS_MAX:
            raise ValueError(f"times lie {hours.max() // SLOTS:,} weeks apart: one of them is none")
    leads, week = _regular(lead, hours // SLOTS, len(names))
    return Weeks(np.unique(leads, return_inverse=True)[1], week, _hits(lead, hours, leads, week))


def _regular(lead: Ints, week: Ints, count: int) -> tuple[Ints, Ints]:
    """Return (lead, week) of who was there often enough, by week, then by lead."""
    present = np.unique(np.stack([week, lead]), axis=1)
    often = np.bincount(present[1], minlength=count) >= LEAD_WEEKS_MIN
    kept = present[:, often[present[1]]]
    return kept[1], kept[0]


def _hits(lead: Ints, hours: Ints, leads: Ints, week: Ints) -> Flags:
    """Return (lead-weeks, 168): there in an hour is a hit for who chose that hour, or the one before it."""
    who, hour = np.concatenate([lead, lead]), np.concatenate([hours, hours - 1])
    key, wide = week * (len(lead) + 1) + leads, (hour // SLOTS) * (len(lead) + 1) + who
    place = np.searchsorted(key, wide).clip(0, max(len(key) - 1, 0))
    hits = np.zeros((len(key), SLOTS), dtype=np.bool_)
    known = (key[place] == wide) if len(key) else np.zeros(len(wide), dtype=np.bool_)
    hits[place[known], hour[known] % SLOTS] = True
    return hits


class Lived(msgspec.Struct, frozen=True):
    """Hold what the learned policy would have done."""

    slots: Ints
    """(lead-weeks, 12): the best slots before the week began, the best first."""
    ranked: Flags
    """(lead-weeks, 12): was the lead there at each of them?"""
    acted: list[int]
    """Which shape acted in each week."""

    def hit(self, rng: np.random.Generator) -> Rates:
        """Return 1 or 0 for each lead-week: the best slot, but for 5 % drawn evenly among all twelve."""
        count = len(self.ranked)
        explored = rng.integers(0, EXPLORED_SLOTS, count)
        place = np.where(rng.random(count) < EXPLORED, explored, 0)
        hit: Rates = self.ranked[np.arange(count), place].astype(np.float64)
        return hit


def live_learned(log: Weeks) -> Lived:
    """Live through a log by what is learned on the way.

    With passive activity all slots of a week that is over are known: what was drawn changes nothing that is learned.
    """
    pasts = {half_life: Past.empty(log.count) for half_life in HALF_LIVES}
    shapes, acted = Shapes(), []
    slots = np.zeros((len(log.leads), EXPLORED_SLOTS), dtype=np.int64)
    for rows in log.by_week():
        leads, hits, each = log.leads[rows], log.hits[rows], np.arange(len(rows))[:, None]
        acted.append(shapes.acting)
        choices = choose(pasts, leads, shapes.acting)
        slots[rows] = choices.ranked
        shapes.week_over(hits[each, choices.firsts].sum(axis=0).astype(np.float64))
        for half_life, past in pasts.items():
            past.week_over(half_life, leads, hits)
    return Lived(slots, np.take_along_axis(log.hits, slots, axis=1), acted)


class Choices(msgspec.Struct, frozen=True):
    """Hold what is chosen for each lead of one week."""

    firsts: Ints
    """(leads, shapes): the slot that each shape would choose."""
    ranked: Ints
    """(leads, 12): the best slots of the shape that acts, the best first."""


def choose(pasts: dict[float, Past], leads: Ints, acting: int) -> Choices:
    """Return what each shape would choose for these leads, and the best slots of the one that acts."""
    firsts = np.zeros((len(leads), len(SHAPES)), dtype=np.int64)
    ranked = np.zeros((len(leads), EXPLORED_SLOTS), dtype=np.int64)
    rates = everybodys_rates(pasts)
    before: tuple[float, float, float] | None = None
    said = np.zeros((0, SLOTS))
    for number, shape in enumerate(SHAPES):
        past = pasts[shape.half_life]
        # Shapes that differ in their prior alone stand side by side and share their leads' own weeks.
        if before != (now := (shape.half_life, shape.kernel, shape.days)):
            said, before = own(past.there[leads], shape), now
        believed = belief(rates[shape.half_life, shape.kernel], said, past.weeks[leads], shape)
        firsts[:, number] = believed.argmax(axis=1)
        if number == acting:
            ranked = np.argsort(-believed, axis=1, kind="stable")[:, :EXPLORED_SLOTS]
    return Choices(firsts, ranked)
