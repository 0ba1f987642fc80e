"""Guess how many requests will be back soon: clients that were answered together come again together."""

from __future__ import annotations

from messaging.gateway.limits import Limits

SHARE_OF_INSERT = 0.5
"""Waiting for longer than a part of what an insert takes can only lose."""


class Crowd:
    """Remember who was there at the last insert: pure but for what it is told.

    >>> crowd = Crowd(Limits())
    >>> crowd.saw(64, 0.008, ended=100.0)
    >>> round(crowd.wait_seconds(100.001), 4), crowd.is_there(40, 40), crowd.is_there(64, 64)
    (0.003, False, True)
    >>> crowd.saw(2, 0.008, ended=100.0)
    >>> crowd.wait_seconds(100.001)
    0.0
    """

    __slots__ = ("_ended", "_limits", "_requests", "_seconds")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._requests = 0
        self._seconds = 0.0
        self._ended = 0.0

    def saw(self, requests: int, seconds: float, ended: float) -> None:
        """Tell that so many requests shared an insert or waited for its end, and how long it took until when."""
        self._requests = requests
        self._seconds = min(seconds * SHARE_OF_INSERT, self._limits.crowd_seconds_max)
        self._ended = ended

    def wait_seconds(self, now: float) -> float:
        """Return how long the next insert may wait for the crowd; 0 where there was none."""
        if self._requests < self._limits.crowd_requests_min:
            return 0.0
        return max(0.0, self._ended + self._seconds - now)

    def is_there(self, requests: int, events: int) -> bool:
        """Say whether so many waiting requests with so many events are worth an insert."""
        return requests >= self._requests or events >= self._limits.crowd_events_max
