"""Tell world time: UTC, or a gated clock that never runs ahead of what is due and not done.

Rules
1. Machine time is the monotonic clock of the process; only differences of it mean anything.
2. A gated clock stands still until it is granted a limit, and never passes the limit it was granted last.
3. It never goes back, whatever is granted: an older grant that arrives late changes nothing.
4. A limit raised after a standstill is not caught up at once: `speed` holds from the moment of the grant.
5. Infinite speed means: be at the limit.
6. Grants reach the processes one after the other. What somebody did at a later time than ours says that this time was
   granted: whoever takes it goes there first (`catch_up`), so that nothing is done before its cause.
"""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta

import msgspec


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """Allow a gated clock to go on to `limit`; `world` is where the keeper's own clock stands."""

    world: datetime
    limit: datetime
    speed: float


class Hands(msgspec.Struct, frozen=True):
    """Say where a gated clock stood at one moment of machine time, how fast it goes and how far it may."""

    world: datetime
    machine: float
    speed: float
    limit: datetime


def read(hands: Hands, machine: float) -> datetime:
    """Return the world time that the hands show at a machine time.

    >>> day = datetime(2017, 6, 1, tzinfo=UTC)
    >>> hands = Hands(day, 100.0, 60.0, day + timedelta(minutes=5))
    >>> read(hands, 101.0).minute, read(hands, 900.0).minute
    (1, 5)
    """
    room = (hands.limit - hands.world).total_seconds()
    if room <= 0:
        return hands.world
    passed = machine - hands.machine
    # Compared in seconds: a long standstill times a high speed overflows a timedelta.
    if math.isinf(hands.speed) or passed * hands.speed >= room:
        return hands.limit
    return hands.world + timedelta(seconds=max(0.0, passed) * hands.speed)


def granted(hands: Hands, grant: Grant, machine: float) -> Hands:
    """Return the hands after a grant: moved up to the keeper's clock, allowed to go on to the new limit."""
    limit = max(hands.limit, grant.limit)
    world = max(read(hands, machine), min(grant.world, limit))
    return Hands(world, machine, grant.speed, limit)


def seconds_to(hands: Hands, machine: float, at: datetime) -> float | None:
    """Return machine seconds until the hands show `at`: 0 when they do, None when the limit stands before."""
    now = read(hands, machine)
    if at <= now:
        return 0.0
    if at > hands.limit:
        return None
    return (at - now).total_seconds() / hands.speed


class RealClock:
    """Be UTC, at the speed of the world."""

    def now(self) -> datetime:
        """Return UTC."""
        return datetime.now(UTC)

    def seconds_until(self, at: datetime) -> float | None:
        """Return the seconds until `at`, 0 when it has passed."""
        return max(0.0, (at - self.now()).total_seconds())

    def seconds_since(self, at: datetime) -> float:
        """Return the seconds since `at`, 0 when it is to come."""
        return max(0.0, (self.now() - at).total_seconds())

    def catch_up(self, at: datetime) -> None:
        """Do nothing: UTC is the same for everybody."""

    def machine(self) -> float:
        """Return the monotonic clock of this machine, in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let machine time pass."""
        await asyncio.sleep(seconds)


class GatedClock(RealClock):
    """Go on from a position as far as it was granted, never faster than its speed.

    Parameters:
        start: the position; the clock stands there until the first grant.
        speed: world seconds for each machine second; `math.inf` jumps to the limit.
    """

    def __init__(self, start: datetime, speed: float) -> None:
        assert speed > 0, f"a clock cannot go at speed {speed}"
        self._hands = Hands(start, self.machine(), speed, start)

    @property
    def limit(self) -> datetime:
        """Return how far it was granted."""
        return self._hands.limit

    def now(self) -> datetime:
        """Return world time."""
        return read(self._hands, self.machine())

    def seconds_until(self, at: datetime) -> float | None:
        """Return machine seconds until world time `at`, None when no grant reaches that far yet."""
        return seconds_to(self._hands, self.machine(), at)

    def seconds_since(self, at: datetime) -> float:
        """Return about how many machine seconds ago it was `at`; where time jumps nobody can tell: 0."""
        return super().seconds_since(at) / self._hands.speed

    def catch_up(self, at: datetime) -> None:
        """Be at `at` at least: somebody who was granted it has acted then."""
        if at > self.now():
            self.grant(Grant(at, at, self._hands.speed))

    def grant(self, grant: Grant) -> bool:
        """Take a grant; True when it allows more than the one before."""
        further = grant.limit > self._hands.limit
        self._hands = granted(self._hands, grant, self.machine())
        return further


def clock_from(start: datetime | None, speed: float) -> RealClock:
    """Return the clock of a process: UTC where no position is given and the speed is 1, gated otherwise."""
    if start is None:
        assert speed == 1.0, "a gated clock needs a position"
        return RealClock()
    return GatedClock(start, speed)
