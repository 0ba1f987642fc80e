"""Ask each host only so often: who comes too early waits for a turn, and who would wait too long is told `busy`.

Rules
1. Machine time: a pause of the world clock is no reason to be impolite.
2. A host that asks for a rest gets it, within a bound; meanwhile nobody asks it.
3. The table is bounded: of the hosts whose turn is long over the oldest are forgotten.
"""

from __future__ import annotations

from messaging.ports import Clock
from messaging.social.outcomes import BUSY, Unanswered

HOSTS_MAX = 1_000
WAIT_SECONDS_MAX = 8.0
"""A look-up has 20 seconds for everything: see `look_ups`."""

REST_SECONDS_MAX = 86_400.0


class Turns:
    """Give turns at hosts.

    Parameters:
        clock: machine time.
        per_second: requests to one host in a second, at most.
    """

    def __init__(self, clock: Clock, per_second: float) -> None:
        self._clock = clock
        self._pause_seconds = 1.0 / per_second
        self._next: dict[str, float] = {}
        """Host -> machine time of its next free turn."""

    async def take(self, host: str) -> None:
        """Wait for a turn at a host. Raise Unanswered (busy) where it would be too long."""
        now = self._clock.machine()
        at = max(now, self._next.get(host, now))
        if at - now > WAIT_SECONDS_MAX:
            raise Unanswered(BUSY, "asked too often already")
        self._put(host, at + self._pause_seconds)
        if at > now:
            await self._clock.sleep(at - now)

    def rest(self, host: str, seconds: float) -> None:
        """Leave a host alone for some time: it asked for that."""
        until = self._clock.machine() + min(max(seconds, 0.0), REST_SECONDS_MAX)
        self._put(host, max(until, self._next.get(host, until)))

    def _put(self, host: str, at: float) -> None:
        self._next.pop(host, None)
        self._next[host] = at
        while len(self._next) > HOSTS_MAX:
            del self._next[next(iter(self._next))]
