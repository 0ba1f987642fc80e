"""Break what a learner knows, for tests of what stands between it and the bots."""

from __future__ import annotations

import numpy as np

from agents.learner_bot.leads import KEPT
from agents.learner_bot.state import PolicyState


def poison(state: PolicyState) -> None:
    """Turn all that was learned of arms around: above the mean is below it, by arm and by input."""
    shown = state.shown
    assert shown is not None, "a path's e-mails were learned"
    tallies = state.arms.values()
    mean = sum(each.successes for each in tallies) / sum(each.exposures for each in tallies)
    width = shown.width + 1
    rows = np.frombuffer(shown.sums, dtype=KEPT).reshape(len(shown.arms) + 1, -1).copy()
    for row in rows[:-1]:
        exposures = row[1 : 1 + width]
        row[-width:] = 2.0 * mean * exposures - row[-width:]
    shown.sums = rows.tobytes()
    for arm in tallies:
        arm.successes = max(0.0, 2.0 * mean * arm.exposures - arm.successes)
