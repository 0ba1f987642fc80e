"""Learn in which hours people are there, and which way of believing in a lead's own hours foretells best.

Rules
1. A lead's week counts once, at its own age: what is told late, or imported, weighs what it would have weighed by now.
2. Of each lead-week that is told it is asked what each of the 180 shapes would have chosen before it, by what everybody
   and the lead had shown, and whether the lead was there (`learning.training.shapes`). That costs a millisecond, so it
   is asked of about `JUDGED_WEEK` in a week, drawn by what was told itself, not by who comes first.
3. When people come of their own accord is counted apart. In the hour of a click in an e-mail, and in the one after it,
   the e-mail brought them: that echoes when e-mails were sent.
4. A week long gone judges nothing: everybody's hours of that time are not known any more.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np

from learning.serving.hours import FIRST, HALF_LIVES, SHAPES, kept
from learning.serving.own_hours import counts
from learning.serving.presence import Ints, hours_before
from learning.serving.send_time import (
    EVERYBODY,
    EVERYBODY_WEEKS,
    SHAPE,
    SLOTS,
    UNPROMPTED,
    UNPROMPTED_WEEKS,
)
from learning.training.shapes import HALF_LIFE_WEEKS, Shapes, first_choices
from messaging.vocabulary.messages import WeekSeen

JUDGED_WEEK = 500
"""Lead-weeks of a world-week by which the shapes are judged: the standard error of a shape's hits is 2 % at most."""

STALE_WEEKS = 8
"""A lead-week that is older when it is told judges nothing."""

HITS = "hours/hits"
"""Name in the snapshot: discounted hits of each shape's choice."""


class Weeks(msgspec.Struct, array_like=True):
    """Hold everybody's weeks, discounted to the newest one."""

    week: int = 0
    """The newest week that somebody's lies in."""
    there: list[list[float]] = msgspec.field(
        default_factory=lambda: [[0.0] * SLOTS for _ in HALF_LIVES]
    )
    """For each half-life: lead-weeks with somebody there, for each slot."""
    weeks: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(HALF_LIVES))
    """For each half-life: all lead-weeks."""
    hits: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(SHAPES))
    told: int = 0
    """Lead-weeks told since the newest week began."""
    told_before: int = 0
    """And in the week before it."""
    judged: int = 0
    """Lead-weeks by which the shapes were judged, ever."""
    unprompted: list[float] = msgspec.field(default_factory=lambda: [0.0] * SLOTS)
    """Lead-weeks with somebody there of their own accord, for each slot; forgotten as `FIRST` does."""
    unprompted_weeks: float = 0.0


def take(weeks: Weeks, message: WeekSeen) -> str:
    """Take what is told of a lead; return why it cannot be, empty where it can."""
    hours = hours_before(message.week, message.before)
    if not len(hours) or hours[0] < 0:
        return "hours unknown"
    of_week = hours // SLOTS
    last = int(of_week[-1])
    if last < message.told:
        return "week again"
    zone = _zone(message.zone)
    _go_on(weeks, last)
    weeks.told += 1
    if weeks.week - last <= STALE_WEEKS and _is_drawn(weeks, message.before):
        _judge(weeks, hours, zone, last)
    clicked = hours_before(message.week, message.prompted)
    by_email = np.isin(hours, clicked) | np.isin(hours - 1, clicked)
    for week in np.unique(of_week[of_week >= message.told]).tolist():
        of_this = of_week == week
        _add(weeks, hours[of_this], zone, week)
        _add_unprompted(weeks, hours[of_this & ~by_email], zone, week)
    return ""


def arrays_of(weeks: Weeks) -> dict[str, list[float]]:
    """Return what is published: everybody's hours as the shape that acts forgets, which one acts, and their hits."""
    number = _shapes(weeks).acting
    life = HALF_LIVES.index(SHAPES[number].half_life)
    return {
        EVERYBODY: weeks.there[life],
        EVERYBODY_WEEKS: [weeks.weeks[life]],
        SHAPE: [float(number)],
        HITS: weeks.hits,
        UNPROMPTED: weeks.unprompted,
        UNPROMPTED_WEEKS: [weeks.unprompted_weeks],
    }


def _go_on(weeks: Weeks, week: int) -> None:
    """Let what is known fade until a week."""
    passed = week - weeks.week
    if passed <= 0:
        return
    for place, half_life in enumerate(HALF_LIVES):
        factor = kept(half_life) ** passed
        weeks.there[place] = [each * factor for each in weeks.there[place]]
        weeks.weeks[place] *= factor
    factor = kept(SHAPES[FIRST].half_life) ** passed
    weeks.unprompted = [each * factor for each in weeks.unprompted]
    weeks.unprompted_weeks *= factor
    weeks.hits = [each * 0.5 ** (passed / HALF_LIFE_WEEKS) for each in weeks.hits]
    weeks.told_before, weeks.told = (weeks.told if passed == 1 else 0), 0
    weeks.week = week


def _add(weeks: Weeks, hours: Ints, zone: ZoneInfo, week: int) -> None:
    """Count one lead-week, once for each slot."""
    there = counts(hours, zone, week + 1, HALF_LIVES[-1]).there
    slots = there.nonzero()[0].tolist()
    for place, half_life in enumerate(HALF_LIVES):
        weight = kept(half_life) ** (weeks.week - week)
        weeks.weeks[place] += weight
        of_life = weeks.there[place]
        for slot in slots:
            of_life[slot] += weight


def _add_unprompted(weeks: Weeks, hours: Ints, zone: ZoneInfo, week: int) -> None:
    if not len(hours):
        return
    weight = kept(SHAPES[FIRST].half_life) ** (weeks.week - week)
    weeks.unprompted_weeks += weight
    for slot in counts(hours, zone, week + 1, HALF_LIVES[-1]).there.nonzero()[0].tolist():
        weeks.unprompted[slot] += weight


def _judge(weeks: Weeks, hours: Ints, zone: ZoneInfo, last: int) -> None:
    """Ask what each shape would have chosen before the last week, and whether the lead was there."""
    before = hours[hours < last * SLOTS]
    own_weeks = [counts(before, zone, last, half_life) for half_life in HALF_LIVES]
    firsts = first_choices(np.asarray(weeks.there), np.asarray(weeks.weeks), own_weeks)
    there = counts(hours[len(before) :], zone, last + 1, HALF_LIVES[-1]).there
    weight = 0.5 ** ((weeks.week - last) / HALF_LIFE_WEEKS)
    hit = (there[firsts] > 0.0).tolist()
    weeks.hits = [had + weight * is_hit for had, is_hit in zip(weeks.hits, hit, strict=True)]
    weeks.judged += 1


def _is_drawn(weeks: Weeks, before: bytes) -> bool:
    """Say whether a lead-week judges: by its bytes, which an erasure leaves as they are; a replay draws the same."""
    expected = max(weeks.told_before, weeks.told)
    return zlib.crc32(before) * expected < JUDGED_WEEK << 32


def _shapes(weeks: Weeks) -> Shapes:
    shapes = Shapes()
    shapes.hits = np.asarray(weeks.hits)
    return shapes


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
