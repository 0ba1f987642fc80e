"""Make up logs of weeks of people with hours of their own, of which the truth is known."""

from __future__ import annotations

import msgspec
import numpy as np

from learning.protocols.weeks import Lived, Weeks
from learning.serving.hours import DAYS, HOURS, Rates
from learning.serving.send_time import EXPLORED, EXPLORED_SLOTS, SLOTS

EVENING, EVENING_CHANCE = 20, 0.08
"""When everybody may be there, on any day."""
OWN_DAYS = 2
OWN_CHANCE, BESIDE_CHANCE, OTHER_DAY_CHANCE = 0.5, 0.25, 0.2
"""Of being there at one's own hour on one's own days, in the hours beside it, and at that hour on the other days."""
ANY_CHANCE = 0.005


class World(msgspec.Struct, frozen=True):
    """Hold a log, and how likely a hit is in truth."""

    log: Weeks
    chances: Rates
    """(leads, 168)"""
    there: Rates
    """(leads, 168): how likely each lead is there in an hour."""


def made_up(leads: int, weeks: int, rng: np.random.Generator) -> World:
    """Return a world of leads who each have an hour of their own, on two days above all."""
    there = np.full((leads, DAYS, HOURS), ANY_CHANCE)
    there[:, :, EVENING] += EVENING_CHANCE
    hour = rng.integers(7, 23, leads)
    own_days = rng.permuted(np.tile(np.arange(DAYS), (leads, 1)), axis=1)[:, :OWN_DAYS]
    for lead in range(leads):
        there[lead, :, hour[lead]] = OTHER_DAY_CHANCE
        there[lead, own_days[lead][:, None], hour[lead] + np.array([-1, 1])] = BESIDE_CHANCE
        there[lead, own_days[lead], hour[lead]] = OWN_CHANCE
    flat = there.reshape(leads, SLOTS)
    drawn = rng.random((weeks, leads, SLOTS)) < flat
    hits = (drawn | np.roll(drawn, -1, axis=2)).reshape(weeks * leads, SLOTS)
    log = Weeks(np.tile(np.arange(leads), weeks), np.repeat(np.arange(weeks), leads), hits)
    return World(log, 1.0 - (1.0 - flat) * (1.0 - np.roll(flat, -1, axis=1)), flat)


def gain(world: World, lived: Lived, week: int) -> float:
    """Return which share is won, in one week, of what each lead's best slot has over the best one for all.

    1: as if everybody's hours were known; 0: as one hour for all. What is drawn to explore counts.
    """
    rows = np.flatnonzero(world.log.week == week)
    chances = world.chances[world.log.leads[rows]]
    told = np.take_along_axis(chances, lived.slots[rows], axis=1)
    drawn = (1.0 - EXPLORED) * told[:, 0] + EXPLORED * told.sum(axis=1) / EXPLORED_SLOTS
    one, best = chances.mean(axis=0).max(), chances.max(axis=1).mean()
    return float((drawn.mean() - one) / (best - one))
