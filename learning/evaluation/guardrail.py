"""Notice that what was learned does harm: learned against held out, looked at as often as anybody likes.

Rules
1. A visitor counts once in an era, with the first decision of it, whichever side they are on: who is written to twenty
   times would else be twenty visitors, and chance among a hundred held-out visitors would look like harm.
2. What came of a decision is told when its window is over, all of it at once: a quick yes does not come before the
   slow no's of the same days.
3. Visitors are judged in blocks that close by how many of each side they hold, and never by what they did. Given its
   sides' sizes, a block is a bet against "learned does no worse": the outcomes of the side that would do better are
   multiplied by P(outcome | better) / P(outcome | both together), the other's likewise. Where learned does no worse, no
   block gains on average: with equal rates each side's mean factors average 1 when weighed by its size, so that
   their product is 1 at most (Turner, Ly and Grünwald, JSPI 230, 2024). So the evidence is a supermartingale, and ever
   exceeds 20 with a probability of 1/20 at most (Ville 1939): a betting test in the sense of Waudby-Smith and Ramdas
   (JRSS B 86, 2024), valid at every look as Howard et al. (AoS 49, 2021).
4. Several sizes of harm are betted on in equal parts (`LIFTS`), because nobody knows the true one.
5. The measures share the alarm by the mean of their evidence, which needs no independence (Vovk and Wang, AoS 49,
   2021). Where Bonferroni would be over the limit (one measure at 20 × their number) the mean is as well, never later.
6. An era ends when a person turns learning on again, and after half a year: what was right then must not vouch for
   what is done today. Each era has its own 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from learning.evaluation.sequential import LIFTS, log_bets, log_evidence, rate_interval

EVIDENCE_MIN = 20.0
"""Mean evidence at which learning is taken back: a false alarm in at most one era of twenty."""

ERA = timedelta(weeks=26)

BLOCK_SIDE_MIN = 5
"""A block closes when it holds so many of each side: with a holdout of 5 %, about a hundred visitors."""

BLOCK_SPAN = timedelta(days=7)
"""A block spans no more: a side's December is not held against the other's January."""

RATE_WEIGHT = 20.0
"""Visitors that the rate before anybody was seen is worth."""

HOLDOUT, LEARNED = 0, 1
"""Places of the sides."""

Array = NDArray[np.float64]


class Measure(msgspec.Struct, frozen=True):
    """Say what is counted, and which way is harm."""

    name: str
    harm: str
    """`fewer` or `more` of it."""
    rate_before: float
    """Betted on before anybody was seen; it is soon outweighed, and the test is valid whatever it is."""


MEASURES = (
    Measure("response", "fewer", 0.1),
    Measure("goal", "fewer", 0.02),
    Measure("unsubscribe", "more", 0.005),
    Measure("complaint", "more", 0.001),
)
"""In the order in which counts are kept."""

NAMES = tuple(measure.name for measure in MEASURES)


class Counts(msgspec.Struct, array_like=True):
    """Count visitors of one side, and for each measure of how many it came true."""

    visitors: int = 0
    yes: list[int] = msgspec.field(default_factory=lambda: [0] * len(MEASURES))

    def add(self, other: Counts) -> None:
        """Add another count to this one."""
        self.visitors += other.visitors
        self.yes = [mine + more for mine, more in zip(self.yes, other.yes, strict=True)]


def _sides() -> list[Counts]:
    return [Counts(), Counts()]


def _nothing() -> list[list[float]]:
    return [[0.0] * len(LIFTS) for _ in MEASURES]


class Guard(msgspec.Struct, array_like=True):
    """Hold what is known of learned against held out in one era: a few dozen numbers, however many visitors."""

    era: int = 0
    began_at: datetime | None = None
    judged: list[Counts] = msgspec.field(default_factory=_sides)
    """Held out, learned: the visitors of the blocks that are closed."""
    block: list[Counts] = msgspec.field(default_factory=_sides)
    """The same of the open block."""
    block_since: datetime | None = None
    logs: list[list[float]] = msgspec.field(default_factory=_nothing)
    """Of each measure: logarithms of the evidence for harm, one for each size betted on."""
    is_harmful: bool = False
    """True from the look at which the evidence was enough until the era ends."""


def take(guard: Guard, came: Collection[str], at: datetime, *, is_held_out: bool) -> bool:
    """Count a visitor whose window is over, `came`: the measures that came true; True if a block was judged."""
    if guard.began_at is None:
        guard.began_at = at
    judged = _close_old(guard, at)
    if guard.block_since is None:
        guard.block_since = at
    side = guard.block[HOLDOUT if is_held_out else LEARNED]
    side.add(Counts(1, [int(name in came) for name in NAMES]))
    if min(counts.visitors for counts in guard.block) >= BLOCK_SIDE_MIN:
        _judge(guard)
        return True
    return judged


def is_over(guard: Guard, at: datetime) -> bool:
    """Say whether an era has lasted so long that a new one begins; one with an alarm lasts until a person ends it."""
    return not guard.is_harmful and guard.began_at is not None and at >= guard.began_at + ERA


def next_era(guard: Guard) -> Guard:
    """Return a guard that knows nothing yet, of the era after this one."""
    return Guard(era=guard.era + 1)


def log_harm(guard: Guard) -> float:
    """Return the logarithm of the evidence for harm, shared over the measures."""
    return float(shared(np.array(guard.logs)))


def log_harms(guard: Guard) -> list[float]:
    """Return the same for each measure by itself."""
    return [float(each) for each in log_evidence(guard.logs)]


def shared(logs: ArrayLike) -> Array:
    """Return the logarithm of the mean evidence (… from … × MEASURES × LIFTS).

    >>> float(shared(_nothing()))
    0.0
    """
    return log_evidence(log_evidence(logs))


def found(guard: Guard) -> list[dict[str, str | int | float]]:
    """Return what is known of each measure, in words and numbers that a person is told."""
    held_out, learned = guard.judged
    evidence = log_harms(guard)
    lines: list[dict[str, str | int | float]] = []
    for place, measure in enumerate(MEASURES):
        lows_highs = [rate_interval(side.yes[place], side.visitors) for side in guard.judged]
        lines.append(
            {
                "measure": measure.name,
                "learned": learned.yes[place],
                "learned_of": learned.visitors,
                "learned_low": round(lows_highs[LEARNED][0], 5),
                "learned_high": round(lows_highs[LEARNED][1], 5),
                "rules": held_out.yes[place],
                "rules_of": held_out.visitors,
                "rules_low": round(lows_highs[HOLDOUT][0], 5),
                "rules_high": round(lows_highs[HOLDOUT][1], 5),
                "evidence": round(_capped(evidence[place]), 3),
            }
        )
    return lines


def grown(logs: ArrayLike, judged: ArrayLike, block: ArrayLike) -> Array:
    """Return the logarithms (… × MEASURES × LIFTS) after a block.

    `judged`, `block`: counts (… × sides × (1 + MEASURES)): visitors, and of how many each measure came true. A block
    with nobody on one side says nothing, and bets nothing.
    """
    before, new = np.asarray(judged, dtype=np.float64), np.asarray(block, dtype=np.float64)
    sizes = new[..., 0]
    share_held_out = sizes[..., HOLDOUT] / np.maximum(sizes.sum(axis=-1), 1.0)
    gains = []
    for place, measure in enumerate(MEASURES):
        seen = before[..., 1 + place].sum(axis=-1) + measure.rate_before * RATE_WEIGHT
        rate = seen / (before[..., 0].sum(axis=-1) + RATE_WEIGHT)
        high, low = (HOLDOUT, LEARNED) if measure.harm == "fewer" else (LEARNED, HOLDOUT)
        share = share_held_out if high == HOLDOUT else 1.0 - share_held_out
        yes = new[..., 1 + place]
        outcomes = [yes[..., high], sizes[..., high] - yes[..., high]]
        outcomes += [yes[..., low], sizes[..., low] - yes[..., low]]
        counted = np.stack(outcomes, axis=-1)
        gains.append((log_bets(rate, share) * counted[..., None, :]).sum(axis=-1))
    more: Array = np.asarray(logs, dtype=np.float64) + np.stack(gains, axis=-2)
    return more


def _close_old(guard: Guard, at: datetime) -> bool:
    """Judge a block that has lasted too long by those it holds, if both sides are in it."""
    if guard.block_since is None or at < guard.block_since + BLOCK_SPAN:
        return False
    if min(counts.visitors for counts in guard.block):
        _judge(guard)
        return True
    guard.block, guard.block_since = _sides(), None
    return False


def _judge(guard: Guard) -> None:
    logs = grown(guard.logs, _table(guard.judged), _table(guard.block))
    guard.logs = [[float(each) for each in row] for row in logs]
    for known, new in zip(guard.judged, guard.block, strict=True):
        known.add(new)
    guard.block, guard.block_since = _sides(), None
    guard.is_harmful = guard.is_harmful or log_harm(guard) >= math.log(EVIDENCE_MIN)


def _table(sides: list[Counts]) -> list[list[int]]:
    return [[counts.visitors, *counts.yes] for counts in sides]


def _capped(log: float) -> float:
    """Return evidence as a number that a snapshot and a person can hold."""
    return math.exp(min(log, math.log(1e9)))
