"""Limit how often somebody may try to get in. Pure: told of each attempt, and what time it is."""

from __future__ import annotations

from collections import OrderedDict, deque


class Attempts:
    """Allow each key so many attempts in a window; one that succeeded gives them back.

    An attempt is counted when it begins: a hundred at once are a hundred.

    Parameters:
        attempts_max: in any window.
        window_seconds: machine time.
        keys_max: keys that are remembered; of more the ones not seen for longest are forgotten.

    >>> attempts = Attempts(2, 60.0)
    >>> [attempts.take("a", 0.0), attempts.take("a", 10.0), attempts.take("a", 20.0)]
    [0.0, 0.0, 40.0]
    >>> attempts.take("a", 61.0), attempts.take("b", 20.0)
    (0.0, 0.0)
    """

    def __init__(self, attempts_max: int, window_seconds: float, keys_max: int = 10_000) -> None:
        self._attempts_max = attempts_max
        self._window_seconds = window_seconds
        self._keys_max = keys_max
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Count an attempt and return 0; or return in how many seconds one may be made."""
        times = self._times.setdefault(key, deque())
        self._times.move_to_end(key)
        while len(self._times) > self._keys_max:
            self._times.popitem(last=False)
        while times and times[0] <= now - self._window_seconds:
            times.popleft()
        if len(times) >= self._attempts_max:
            return times[0] + self._window_seconds - now
        times.append(now)
        return 0.0

    def succeeded(self, key: str) -> None:
        """Give the attempts of a key back."""
        self._times.pop(key, None)
