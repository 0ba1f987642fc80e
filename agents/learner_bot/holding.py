"""Hold what was learned of a path's e-mails where it would bring less than what acts (`learning.evaluation.gate`).

Rules
1. It is asked at each publication, of what the bots would decide by: the belief, and the counts beside it.
2. Held, what acts goes out once more, under a version of its own: the arms and what decides are those of before, what
   is told beside them (guardrail, lift, refusals) is of now. What was learned stays; the next publication asks anew.
3. The snapshot says since when and why. Nobody is called: decisions go on, and most is let through within days.
4. Neither clock nor chance of its own: a replay holds the same.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
import numpy as np

from agents.learner_bot.drawn import drawn_of
from agents.learner_bot.shown import Acting, Shown
from learning.evaluation.gate import LITTLE, Found, judge
from messaging.vocabulary.records import Snapshot

DECIDES = (
    "successes",
    "exposures",
    "weights",
    "common",
    "answers",
    "noise",
    "before",
    "centre",
    "spread",
)
"""Arrays by which the bots decide (`learning.serving.for_lead`)."""

GATE, HELD = "gate", "held"
"""Arrays: of the newest candidate judged how much more it brings than what acts, its interval, what acts brings,
effective answers, answers; since when what acts goes on (seconds), and how many candidates were held since."""

KEPT = np.dtype("<f8")
DECIMALS = 9


def settle(shown: Shown, candidate: Snapshot, now: datetime) -> Snapshot:
    """Return what is published: the candidate, or what acts where the candidate is held."""
    acting = shown.acting
    before = None if acting is None else _snapshot_of(acting, candidate)
    found = judge(drawn_of(shown.sample), before, candidate)
    if acting is None or not found.is_held:
        shown.acting = acting = _kept(candidate)
    else:
        acting.held_since = acting.held_since or now
        acting.held += 1
    acting.told = _told(found)
    return _snapshot_of(acting, candidate)


def _kept(candidate: Snapshot) -> Acting:
    arrays = {
        name: np.asarray(candidate.arrays[name], dtype=KEPT).tobytes()
        for name in DECIDES
        if name in candidate.arrays
    }
    return Acting(arms=list(candidate.arms), arrays=arrays)


def _snapshot_of(acting: Acting, now: Snapshot) -> Snapshot:
    """Return what acts as it is published beside all else that is known now."""
    arrays = {
        name: np.frombuffer(body, dtype=KEPT).tolist() for name, body in acting.arrays.items()
    }
    arrays |= {name: values for name, values in now.arrays.items() if name not in DECIDES}
    if acting.told:
        arrays[GATE] = list(acting.told)
    if acting.held_since is not None:
        arrays[HELD] = [acting.held_since.timestamp(), float(acting.held)]
    return msgspec.structs.replace(now, arms=list(acting.arms), arrays=arrays)


def _told(found: Found) -> list[float]:
    if found.verdict == LITTLE:
        return []
    numbers = (found.difference, found.low, found.high, found.value, found.effective, found.answers)
    return [round(float(number), DECIMALS) for number in numbers]
