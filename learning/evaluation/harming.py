"""Live many made-up eras through at once, to know how often learning is taken back, rightly and wrongly.

Rules
1. The statistics are `guardrail.grown` and `guardrail.shared`, as in the running system.
2. Between two looks a block of stated sizes comes in; whether somebody is looking changes nothing.
3. Who reaches the goal has responded; who complains has not: so the measures depend on each other as in life.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.evaluation.guardrail import EVIDENCE_MIN, LEARNED, MEASURES, grown, shared
from learning.evaluation.sequential import LIFTS

Whole = NDArray[np.int64]
Counted = NDArray[np.float64]


class Rates(msgspec.Struct, frozen=True):
    """Say what comes of one side's first decisions."""

    response: float
    goal: float
    unsubscribe: float
    complaint: float

    def times(self, *, fewer: float = 1.0, more: float = 1.0) -> Rates:
        """Return the rates of a policy that does harm: so many times the answers, so many times who leaves."""
        return Rates(
            self.response * fewer, self.goal * fewer, self.unsubscribe * more, self.complaint * more
        )


class Lived(msgspec.Struct):
    """Hold what became of many eras."""

    taken_back_after: Whole
    """Of each era: held-out visitors judged when learning was taken back; -1: never."""

    @property
    def taken_back(self) -> int:
        """Return in how many eras learning was taken back."""
        return int((self.taken_back_after >= 0).sum())


def live(
    rules: Rates,
    learned: Rates,
    *,
    eras: int,
    looks: int,
    sizes: tuple[int, int],
    rng: np.random.Generator,
) -> Lived:
    """Return what becomes of so many eras; `sizes`: held-out and learned visitors between two looks."""
    judged = np.zeros((eras, 2, 1 + len(MEASURES)))
    logs = np.zeros((eras, len(MEASURES), len(LIFTS)))
    after = np.full(eras, -1, dtype=np.int64)
    for look in range(1, looks + 1):
        block = np.zeros_like(judged)
        for side, rates in enumerate((rules, learned)):
            block[:, side] = _block(rates, sizes[side], eras, rng)
        logs = grown(logs, judged, block)
        judged += block
        is_enough = shared(logs) >= math.log(EVIDENCE_MIN)
        after[is_enough & (after < 0)] = look * sizes[1 - LEARNED]
    return Lived(after)


def _block(rates: Rates, size: int, eras: int, rng: np.random.Generator) -> Counted:
    """Return the visitors of one side and of how many each measure came true (eras × (1 + MEASURES))."""
    response = rng.binomial(size, rates.response, eras)
    goal = rng.binomial(response, rates.goal / rates.response)
    silent = size - response
    left = rng.binomial(silent, rates.unsubscribe / (1.0 - rates.response))
    complained = rng.binomial(silent, rates.complaint / (1.0 - rates.response))
    return np.stack([np.full(eras, size), response, goal, left, complained], axis=-1).astype(float)
