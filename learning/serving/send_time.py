"""Choose the hour of the week at which an e-mail goes out, in the visitor's own clock.

Rules
1. One rate by hour of week for the whole tenant: successes over sends, discounted by the learner, smoothed
   to the neighbouring hours. Opens are never counted without their sends: raw open hours only echo when
   mail was sent.
2. Where little was sent, a slot leans on the same hour of all days, and that on a shipped profile of the day
   at the tenant's own level.
3. 95 % of the draws take the best allowed hour, 5 % go evenly over the twelve best allowed hours. Every
   probability follows in closed form; the other hours have exactly 0.
4. Where a visitor's own hours are known, the rate is multiplied by how much likelier they are there (`own_hours`).
5. Equal scores are ranked by the slot's number, so that every machine ranks alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.serving.policy import (
    OPENINGS_MAX,
    Choice,
    Draws,
    Opening,
    Remembered,
    array_of,
    draw_among,
    opening,
)
from messaging.vocabulary.records import Snapshot

POLICY = "send_time"
DAYS, SLOTS = 7, 168
"""Hours of a week; 0 is Monday 00:00–00:59 in the visitor's zone."""

EVERYBODY, EVERYBODY_WEEKS, SHAPE = "hours/there", "hours/weeks", "hours/shape"
"""Names in the snapshot: discounted lead-weeks with somebody there, for each slot; all of them; which shape acts."""

UNPROMPTED, UNPROMPTED_WEEKS = "hours/unprompted", "hours/unprompted_weeks"
"""The same of those who came of their own accord: not because an e-mail brought them."""

WEIGHED = "hours/weighed"
"""And the sends of each slot, each by how much its reader's own hours leaned to it."""

PRESENCE_ANSWERS = 20.0
"""Answers near an hour that weigh as much as how often people are there. Fewer, and luck leads leads away from hours in
which they are there; on made-up worlds 10 to 100 hardly differ."""

PROFILE_WEEKS = 20.0
"""Lead-weeks that the shipped profile is worth against who is there when."""

FACTOR_MIN, FACTOR_MAX = 0.05, 20.0
"""A send counts as so many at least and at most: one to who never is there at that hour says little, not nothing."""

EXPLORED = 0.05
EXPLORED_SLOTS = 12
"""Greedy with little exploring is enough where what is allowed varies by itself from send to send (Bietti et
al., *A Contextual Bandit Bake-off*, JMLR 22, 2021), and it keeps the propensities in closed form."""

KERNEL = tuple(math.exp(-0.5 * hours**2) for hours in range(-3, 4))
"""Weight of the hours around a slot: a normal curve of 1 hour, 1 in the middle, wrapping over the week."""

PROFILE_SENDS = 50.0
"""Sends that the shipped profile is worth, spread over the 24 hours of its day."""

NEAR_SENDS = PROFILE_SENDS / 24 * sum(KERNEL)
"""What the profile weighs against one hour's sends of all days: about 5 sends nearby."""

DAYS_SENDS = 20.0
"""What the same hour of all days weighs against a slot's own sends. On synthetic readers 5 to 50 hardly
differ; without sharing, habits that are alike every day were missed for months by one tenant in eight."""

LEVEL = 0.2
"""Rate of response assumed before any send; like the profile, worth `PROFILE_SENDS`."""

# How well e-mail sent in each hour of the day is answered, relative to the day's mean. Set by hand after
# GetResponse's table of October 2012 (21 million messages, by quarter of the day; open ratio and
# click-through rate of what was *sent* then: 0–6 h 6.31 % and 2.22 %, 6–12 h 7.05 % and 1.53 %,
# 12–18 h 10.61 % and 2.22 %, 18–24 h 8.33 % and 2.38 %; most attention at 8–10, 15–16 and 20 h), as
# printed by MediaPost, "Timing And Time Zone Segmentation Optimizes Retail Emailing" (article 185622):
# the mean of both columns over their own means (.92, .80, 1.19, 1.09), smoothed within the quarters,
# with an hour's lead before the hours of most attention. Omnisend (2024: best at 14, 17 and 20 h) and
# MailerMailer (2012: best in the evening) agree on the later half of the day.
_PROFILE_BY_HOUR = (
    *(0.90, 0.86, 0.82, 0.80, 0.82, 0.84),
    *(0.84, 0.88, 0.90, 0.86, 0.82, 0.90),
    *(1.04, 1.14, 1.22, 1.22, 1.16, 1.10),
    *(1.12, 1.16, 1.14, 1.08, 1.02, 0.96),
)

Scores = NDArray[np.float64]


class Own(Protocol):
    """Say what a visitor's own hours make of everybody's (`own_hours`)."""

    @property
    def weeks(self) -> int:
        """Return in how many weeks the visitor was there."""
        ...

    @property
    def mostly(self) -> int:
        """Return the hour of the week in which the visitor was there most often."""
        ...

    def at(self, hours: slice) -> Scores:
        """Return the factor of everybody's rate for each of these hours of the week and, from 168 on, the next."""
        ...


class _Window(msgspec.Struct, frozen=True):
    """Hold the hours of a window, with all that follows from which they are and which are open."""

    among: Opening
    slots: NDArray[np.intp]
    """Of the arms."""
    hours: slice
    """From the first to the last of them; what lies in the next week is counted on."""
    places: NDArray[np.intp]
    """Where in `hours` the arms are."""
    by_number: list[int]
    """The arms in the order of their slots: equals rank by number."""
    best: float
    """Probability of the best one."""
    explored: float
    """Probability of each other of the first twelve."""


_scores_of: Remembered[Scores] = Remembered(16)


def choose_hour(
    snapshot: Snapshot | None,
    allowed: list[int],
    draw: Draws,
    *,
    refused: Mapping[int, str],
    own: Own | None = None,
) -> Choice:
    """Return the hour of week (0 to 167) to send at, drawn among `allowed` less `refused` (slot -> rule).

    `own`: what the visitor's own hours make of everybody's; None: nothing. Raise ValueError if a slot is no hour of a
    week, or none is left.
    """
    window = _window(tuple(allowed), tuple(refused.items()))
    scores = slot_scores(snapshot)[window.slots]
    version = 0 if snapshot is None else snapshot.version
    if own is None:
        probabilities = _greedy(scores.tolist(), window)
        return draw_among(window.among, probabilities, draw, policy=POLICY, version=version)
    factors = own.at(window.hours)[window.places]
    probabilities = _greedy((scores * factors).tolist(), window)
    choice = draw_among(window.among, probabilities, draw, policy=POLICY, version=version)
    choice.leaning = [own.weeks, own.mostly]
    factor = factors.item(window.among.arms.index(choice.arm))
    choice.weighs = min(max(factor, FACTOR_MIN), FACTOR_MAX)
    return choice


@lru_cache(maxsize=OPENINGS_MAX)
def _window(allowed: tuple[int, ...], refused: tuple[tuple[int, str], ...]) -> _Window:
    """Return a window: leads who are written to in the same hours have the same."""
    rules = dict(refused)
    for slot in (*allowed, *rules):
        if not 0 <= slot < SLOTS:
            raise ValueError(f"slot {slot} is no hour of a week (0 to {SLOTS - 1})")
    among = opening(list(map(str, allowed)), {str(slot): rule for slot, rule in rules.items()})
    slots = list(map(int, among.arms))
    by_number = sorted(range(len(slots)), key=slots.__getitem__)
    first, length = _span([slots[arm] for arm in by_number])
    tried = min(len(slots), EXPLORED_SLOTS)
    return _Window(
        among=among,
        slots=np.array(slots),
        hours=slice(first, first + length),
        places=np.array([(slot - first) % SLOTS for slot in slots]),
        by_number=by_number,
        best=1.0 - EXPLORED * (tried - 1) / tried,
        explored=EXPLORED / tried,
    )


def _span(slots: list[int]) -> tuple[int, int]:
    """Return the first of these slots, which are in order, and how many hours it is from there to the last.

    The week goes on after its end, and what is longest without one of them is left out.

    >>> _span([0, 1, 2, 167]), _span([8, 20]), _span([5])
    ((167, 4), (8, 13), (5, 1))
    """
    if (length := slots[-1] - slots[0] + 1) <= SLOTS // 2:
        return slots[0], length
    ends = zip(slots, [*slots[1:], slots[0] + SLOTS], strict=True)
    wait, first = max((after - slot, after % SLOTS) for slot, after in ends)
    return first, SLOTS - wait + 1


def slot_scores(snapshot: Snapshot | None) -> Scores:
    """Return the expected rate of response of each of the 168 slots."""
    if snapshot is None:
        return _UNLEARNED
    return _scores_of.get(snapshot, None, lambda: _scores(snapshot, _times))


def slot_shares(snapshot: Snapshot) -> Scores:
    """Return the share of e-mails that is believed to be answered at each slot, never above 1: what people are shown.

    A score is a rate times how much likelier readers are there, so that it can be multiplied with a lead's own; of an
    hour without sends it may come to more than 1. Here the odds are multiplied in its place.
    """
    return _scores(snapshot, _times_odds)


def _times(rate: float | Scores, ratio: Scores) -> Scores:
    return np.asarray(rate * ratio)


def _times_odds(rate: float | Scores, ratio: Scores) -> Scores:
    """Return rates of so many times the odds.

    >>> _times_odds(0.5, np.array([1.0, 3.0])).tolist()
    [0.5, 0.75]
    """
    more = rate * ratio
    return np.asarray(more / (1.0 - rate + more))


def _scores(snapshot: Snapshot, times: Callable[[float | Scores, Scores], Scores]) -> Scores:
    exposures = np.asarray(array_of(snapshot, "exposures", SLOTS))
    successes = np.minimum(array_of(snapshot, "successes", SLOTS), exposures)
    if WEIGHED in snapshot.arrays:
        exposures = np.asarray(array_of(snapshot, WEIGHED, SLOTS))
    shape, known = shape_of_week(snapshot)
    level = (float(successes.sum()) + LEVEL * PROFILE_SENDS) / (
        float((exposures * (1.0 + known * (shape - 1.0))).sum()) + PROFILE_SENDS
    )
    sure = known * PRESENCE_ANSWERS / level
    won, sent = _smooth(successes), _smooth(exposures)
    won_by_hour, sent_by_hour = _by_hour(won), _by_hour(sent)
    shape_by_hour = _by_hour(shape) / DAYS
    near = NEAR_SENDS + sure
    by_hour = (won_by_hour + near * times(level, shape_by_hour)) / (sent_by_hour + near)
    expected = times(np.tile(by_hour, DAYS), shape / np.tile(shape_by_hour, DAYS))
    shrunk = (won + (DAYS_SENDS + sure) * expected) / (sent + DAYS_SENDS + sure)
    # Machines differ in the last bit of a sum; a rank must not.
    rounded: Scores = np.round(shrunk, 12)
    return rounded


def shape_of_week(snapshot: Snapshot) -> tuple[Scores, float]:
    """Return how the hours of a week compare before any send, by who is there and the shipped profile; mean 1.

    Beside it, from 0 to 1, how much of it is known.
    """
    profile = np.tile(_PROFILE, DAYS)
    [weeks] = array_of(snapshot, UNPROMPTED_WEEKS, 1)
    there = np.minimum(array_of(snapshot, UNPROMPTED, SLOTS), weeks)
    near = _smooth(there)
    if not (total := float(near.sum())):
        return profile, 0.0
    known = weeks / (weeks + PROFILE_WEEKS)
    return known * near / total * SLOTS + (1.0 - known) * profile, known


def _by_hour(counts: Scores) -> Scores:
    by_hour: Scores = counts.reshape(DAYS, SLOTS // DAYS).sum(axis=0)
    return by_hour


def _smooth(counts: Scores) -> Scores:
    reach = len(KERNEL) // 2
    around = np.concatenate([counts[-reach:], counts, counts[:reach]])
    return np.convolve(around, KERNEL, mode="valid")


def _greedy(scores: list[float], window: _Window) -> list[float]:
    """Return the probability of each arm: 1 − EXPLORED to the best, EXPLORED over the first twelve."""
    ranked = sorted(window.by_number, key=scores.__getitem__, reverse=True)  # equals stay in order
    probabilities = [window.explored] * len(ranked)
    for arm in ranked[EXPLORED_SLOTS:]:
        probabilities[arm] = 0.0
    probabilities[ranked[0]] = window.best
    return probabilities


_PROFILE: Scores = np.asarray(_PROFILE_BY_HOUR) / math.fsum(_PROFILE_BY_HOUR) * 24
_UNLEARNED: Scores = np.tile(LEVEL * _PROFILE, 7).round(12)
