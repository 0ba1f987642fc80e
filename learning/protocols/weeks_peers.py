"""Live through a log of weeks by what others do: the peers of `weeks.live_learned`, all with passive activity."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from learning.protocols.weeks import Weeks
from learning.serving.hours import DAYS, HOURS, Ints, Rates, Shape, belief, own
from learning.serving.send_time import SLOTS
from learning.training.shapes import Past

HALF_LIFE_WEEKS = 12.0
RANK = 6

TUESDAY_AT_TEN = 24 + 10

SHRUNK = Shape(HALF_LIFE_WEEKS, 1.0, 0.5, 10.0)
"""Of hierarchical Thompson sampling: smoothed, half of the days shared, everybody's hours worth 10 weeks."""

Peer = Callable[[Weeks, np.random.Generator], Rates]
"""From a log and chance to what was hit in each lead-week."""


def global_greedy(log: Weeks, rng: np.random.Generator) -> Rates:
    """Live by everybody's best hour so far, without exploring."""
    return _greedy(log, rng, lambda past, leads: np.tile(past.there.sum(axis=0), (len(leads), 1)))


def own_thompson(log: Weeks, rng: np.random.Generator) -> Rates:
    """Live by Thompson sampling for each lead alone, Beta(1, 1) in each slot."""

    def scores(past: Past, leads: Ints) -> Rates:
        won = past.there[leads]
        drawn: Rates = rng.beta(1.0 + won, 1.0 + past.weeks[leads][:, None] - won)
        return drawn

    return _greedy(log, rng, scores)


def hierarchical_thompson(log: Weeks, rng: np.random.Generator) -> Rates:
    """Live by Thompson sampling from a prior of everybody's hours."""

    def scores(past: Past, leads: Ints) -> Rates:
        weeks = past.weeks[leads] * (1.0 + (DAYS - 1) * SHRUNK.days)
        said = own(past.there[leads], SHRUNK)
        mean = belief(past.rates(SHRUNK.kernel), said, past.weeks[leads], SHRUNK).clip(1e-6, 1.0)
        worth = (SHRUNK.prior + weeks)[:, None]
        drawn: Rates = rng.beta(mean * worth, (1.0 - mean).clip(1e-6) * worth)
        return drawn

    return _greedy(log, rng, scores)


def factorised(log: Weeks, rng: np.random.Generator) -> Rates:
    """Live by a factorisation of leads × slots of rank `RANK`, fitted anew each week (singular value decomposition)."""

    def scores(past: Past, leads: Ints) -> Rates:
        if not past.weeks.any():
            return np.zeros((len(leads), SLOTS))
        shares = past.there / np.maximum(past.weeks, 1.0)[:, None]
        mean = past.there.sum(axis=0) / past.weeks.sum()
        known = past.weeks > 0.0
        _, vectors = np.linalg.eigh((shares[known] - mean).T @ (shares[known] - mean))
        basis = vectors[:, -RANK:]
        about = np.where(known[leads][:, None], shares[leads] - mean, 0.0)
        said: Rates = mean + about @ basis @ basis.T
        return said

    return _greedy(log, rng, scores)


def histogram(log: Weeks, rng: np.random.Generator) -> Rates:
    """Live by Mautic's way: the lead's most frequent hour and most frequent day, apart; Tuesday 10:00 without any."""

    def scores(past: Past, leads: Ints) -> Rates:
        by_day = past.there[leads].reshape(-1, DAYS, HOURS)
        day, hour = by_day.sum(axis=2).argmax(axis=1), by_day.sum(axis=1).argmax(axis=1)
        slot = np.where(past.weeks[leads] == 0.0, TUESDAY_AT_TEN, day * HOURS + hour)
        chosen: Rates = np.eye(SLOTS)[slot]
        return chosen

    return _greedy(log, rng, scores, half_life=math.inf)


PEERS: dict[str, Peer] = {
    "global greedy": global_greedy,
    "each lead alone, Thompson": own_thompson,
    "hierarchical Thompson": hierarchical_thompson,
    "rank-6 factorisation": factorised,
    "histogram of hours and days": histogram,
}


def _greedy(
    log: Weeks,
    rng: np.random.Generator,
    scores: Callable[[Past, Ints], Rates],
    half_life: float = HALF_LIFE_WEEKS,
) -> Rates:
    """Live by the best score; equals are drawn among."""
    past, hit = Past.empty(log.count), np.zeros(len(log.leads))
    for rows in log.by_week():
        leads = log.leads[rows]
        said = scores(past, leads)
        slot = (said + 1e-9 * rng.random(said.shape)).argmax(axis=1)
        hit[rows] = log.hits[rows, slot]
        past.week_over(half_life, leads, log.hits[rows])
    return hit
