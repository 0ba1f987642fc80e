"""Say how long a busy shard lets its next batch fill: a commit costs the same for one letter as for fifty.

Rules
1. Who is idle never waits: below `BUSY_SHARE` a letter is taken at once, so that an unloaded loop stays fast.
2. The share of time at work is a fading mean. Waiting for more counts as neither work nor rest.
3. Where a world clock waits for every shard (`may_linger=False`) nobody lingers: a pause would stop the world.
"""

from __future__ import annotations

import math

BUSY_SHARE = 0.5
"""Share of the time at work from which on batches are left to fill."""
FADES_SECONDS = 0.25
LINGER_SECONDS_MAX = 0.02
"""Longest wait: a batch of a loaded shard takes about as long."""


class Pace:
    """Follow how busy one shard is; times are machine seconds."""

    def __init__(self, *, may_linger: bool) -> None:
        self._may_linger = may_linger
        self._share = 0.0
        self._ended: float | None = None

    def worked(self, began: float, ended: float) -> None:
        """Take a batch's time at work."""
        if self._ended is not None:
            self._share *= math.exp(-max(0.0, began - self._ended) / FADES_SECONDS)
        rest = 1.0 - self._share
        self._share = 1.0 - rest * math.exp(-max(0.0, ended - began) / FADES_SECONDS)
        self._ended = ended

    def lingered(self, until: float) -> None:
        """Leave the time up to now out of the account."""
        self._ended = until

    def linger_seconds(self, now: float) -> float:
        """Return how long a batch may fill from now on.

        >>> pace = Pace(may_linger=True)
        >>> pace.linger_seconds(0.0)
        0.0
        >>> pace.worked(0.0, 5.0)
        >>> round(pace.linger_seconds(5.0), 3), round(pace.linger_seconds(5.2), 3)
        (0.02, 0.0)
        """
        if not self._may_linger or self._ended is None:
            return 0.0
        share = self._share * math.exp(-max(0.0, now - self._ended) / FADES_SECONDS)
        return LINGER_SECONDS_MAX * max(0.0, share - BUSY_SHARE) / (1.0 - BUSY_SHARE)
