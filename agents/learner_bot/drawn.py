"""Keep of the newest ripe answers how their arm was drawn: what a candidate is judged by before it is published.

Rules
1. A row is kept with the one that is learned from (`leads`), under the same hash: what stays of a crowded bundle is the
   same for both, and does not depend on what came first.
2. Only what the policy itself drew among several arms counts: of that alone the probability is exact.
3. The newest `gate.ROWS_MAX` rows stay, as bytes of one length. Of other inputs than the newest row's they begin anew.
4. Nobody is named in them; an erasure needs nothing here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from agents.learner_bot.shown import Bundle, Sample, Shown
from learning.evaluation.gate import ROWS_MAX, Drawn
from learning.serving.for_lead import UNIT
from messaging.vocabulary.messages import RewardSeen

ARMS_MAX = 64
"""Arms that the rows name, one bit each; what would name more is not kept, and rows that name others leave in time."""

PLACES_MAX = 128
"""Arms that a bundle may name for it: a place is a byte, and `leads` names as many as there are answered ones, 64."""

_CHANCE = struct.Struct("<f")
_HEAD = struct.Struct("<BBfQ")
"""Of a row: the arm's place, the reward in parts of 128, the probability of its draw, a bit for each arm allowed."""


def put(shown: Shown, bundle: int, number: int, message: RewardSeen) -> None:
    """Keep how an answer's arm was drawn, where `leads` kept the answer and the draw is an honest one."""
    kept = shown.ripening.get(bundle)
    if kept is None or number not in kept.rows:
        return
    allowed, chance = dict.fromkeys(message.allowed), message.propensity
    if not 0.0 < chance <= 1.0 or len(allowed) < 2 or message.arm not in allowed:
        return
    named = dict.fromkeys([*kept.arms, *allowed])
    if len(named) > PLACES_MAX:
        return
    kept.arms[:] = named
    places = bytes(kept.arms.index(arm) for arm in allowed)
    kept.drawn[number] = _CHANCE.pack(chance) + places
    for gone in kept.drawn.keys() - kept.rows.keys():
        del kept.drawn[gone]


def ripen(shown: Shown, bundle: int) -> None:
    """Take the draws of a bundle that is ripe, before its answers are learned."""
    kept = shown.ripening.get(bundle)
    if kept is None:
        return
    for number in sorted(kept.drawn.keys() & kept.rows.keys()):
        _add(shown.sample, kept, kept.rows[number], kept.drawn[number])
    size = _HEAD.size + shown.sample.width
    shown.sample.rows = shown.sample.rows[-ROWS_MAX * size :]


def drawn_of(sample: Sample) -> Drawn:
    """Return the rows that are kept, the oldest first."""
    rows = np.frombuffer(sample.rows, dtype=_layout(sample.width))
    bits = np.arange(len(sample.arms), dtype=np.uint64)
    allowed = (rows["allowed"][:, None] >> bits) & np.uint64(1)
    return Drawn(
        arms=sample.arms,
        allowed=allowed.astype(bool),
        taken=rows["arm"].astype(np.int64),
        propensities=rows["chance"].astype(np.float64),
        rewards=rows["reward"] / 128.0,
        inputs=rows["inputs"].astype(np.float64).reshape(len(rows), sample.width) * UNIT,
    )


def _add(sample: Sample, kept: Bundle, row: bytes, drawn: bytes) -> None:
    arm, reward, inputs = kept.arms[row[0]], row[1], row[2:]
    (chance,) = _CHANCE.unpack_from(drawn)
    allowed = [kept.arms[place] for place in drawn[_CHANCE.size :]]
    if len(inputs) != sample.width:
        sample.width, sample.arms, sample.rows = len(inputs), [], b""
    if not _has_room(sample, allowed):
        return
    mask = sum(1 << sample.arms.index(each) for each in allowed)
    sample.rows += _HEAD.pack(sample.arms.index(arm), reward, chance, mask) + inputs


def _has_room(sample: Sample, allowed: Sequence[str]) -> bool:
    """Name these arms in the sample; where there is no room, forget those that no row names any more."""
    if len(dict.fromkeys([*sample.arms, *allowed])) > ARMS_MAX:
        _forget_arms(sample)
    named = dict.fromkeys([*sample.arms, *allowed])
    if len(named) > ARMS_MAX:
        return False
    sample.arms = list(named)
    return True


def _forget_arms(sample: Sample) -> None:
    told = drawn_of(sample)
    used = np.flatnonzero(told.allowed.any(axis=0)).tolist()
    place = {old: new for new, old in enumerate(used)}
    rows = np.frombuffer(sample.rows, dtype=_layout(sample.width)).copy()
    weights = [1 << place.get(old, 0) for old in range(len(sample.arms))]
    rows["arm"] = [place[arm] for arm in told.taken.tolist()]
    rows["allowed"] = [
        sum(weights[old] for old in np.flatnonzero(mask).tolist()) for mask in told.allowed
    ]
    sample.arms, sample.rows = [sample.arms[old] for old in used], rows.tobytes()


def _layout(width: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("arm", "u1"),
            ("reward", "u1"),
            ("chance", "<f4"),
            ("allowed", "<u8"),
            ("inputs", "i1", (width,)),
        ]
    )
