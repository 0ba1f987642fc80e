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
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from learning.serving.policy import Choice, Draws, Remembered, allowed_arms, array_of, draw_choice
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

_scores_of: Remembered[Scores] = Remembered(16)


def choose_hour(
    snapshot: Snapshot | None,
    allowed: list[int],
    draw: Draws,
    *,
    refused: Mapping[int, str],
    factors: Scores | None = None,
) -> Choice:
    """Return the hour of week (0 to 167) to send at, drawn among `allowed` less `refused` (slot -> rule).

    `factors`: what the visitor's own hours make of everybody's rate, for each slot (`own_hours`); None: nothing.

    Raise ValueError if a slot is no hour of a week, or none is left.
    """
    for slot in (*allowed, *refused):
        if not 0 <= slot < SLOTS:
            raise ValueError(f"slot {slot} is no hour of a week (0 to {SLOTS - 1})")
    refusals = {str(slot): rule for slot, rule in refused.items()}
    arms = allowed_arms([str(slot) for slot in allowed], refusals)
    scores = slot_scores(snapshot)
    if factors is not None:
        scores = scores * factors
    slots = [int(arm) for arm in arms]
    probabilities = _greedy([scores.item(slot) for slot in slots], slots)
    version = 0 if snapshot is None else snapshot.version
    return draw_choice(arms, probabilities, draw, refused=refusals, policy=POLICY, version=version)


def slot_scores(snapshot: Snapshot | None) -> Scores:
    """Return the expected rate of response of each of the 168 slots."""
    if snapshot is None:
        return _UNLEARNED
    return _scores_of.get(snapshot, None, lambda: _scores(snapshot))


def _scores(snapshot: Snapshot) -> Scores:
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
    by_hour = (won_by_hour + near * level * shape_by_hour) / (sent_by_hour + near)
    expected = np.tile(by_hour / shape_by_hour, DAYS) * shape
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


def _greedy(scores: list[float], slots: list[int]) -> list[float]:
    """Return the probability of each arm: 1 − EXPLORED to the best, EXPLORED over the first twelve."""
    ranked = sorted(range(len(slots)), key=lambda place: (-scores[place], slots[place]))
    explored = ranked[:EXPLORED_SLOTS]
    probabilities = [0.0] * len(slots)
    for place in explored:
        probabilities[place] = EXPLORED / len(explored)
    probabilities[ranked[0]] = 1.0 - EXPLORED * (len(explored) - 1) / len(explored)
    return probabilities


_PROFILE: Scores = np.asarray(_PROFILE_BY_HOUR) / math.fsum(_PROFILE_BY_HOUR) * 24
_UNLEARNED: Scores = np.tile(LEVEL * _PROFILE, 7).round(12)
