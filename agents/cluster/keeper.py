"""Keep the world clock's gate: ask every part what it waits for, grant all of them the new limit.

Rules
1. A round asks all parts at once; one that does not answer holds the clock where it is (`gate.limit`).
2. A grant goes out with the next round's question: one call for each part and round.
3. Where nothing is due anywhere, a clock of finite speed goes on; one of infinite speed stands.
4. A clock of finite speed is never allowed more than a quantum: what comes in from outside meanwhile, or a part that
   dies, must find a clock that still waits. One of infinite speed jumps to what is due: nothing else is to come.
5. The position is written behind the grants. Whoever resumes takes the later of it and of the last batch
   of each shard (`resume_at`), since no step may see an earlier time than the step before.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from agents.runtime.gate import QUANTUM, GateReport, idle, limit
from messaging.clock import GatedClock, Grant
from messaging.ports import Store

REST_SECONDS_MIN = 0.001
REST_SECONDS_MAX = 0.25
"""Rest between two rounds at infinite speed: it doubles up to this while nothing moves."""
REST_SECONDS_SLOW = 1.0
"""Longest rest at a finite speed."""
SAVE_SECONDS = 1.0
QUANTUM_SECONDS = QUANTUM.total_seconds()

CONTROL, CLOCK = "control", "clock"

Ask = Callable[[Grant], Awaitable[list[GateReport | None]]]
"""Give the grant to every part and return their reports, None for one that is silent."""


class Saves(Protocol):
    """Keep the position (a Store does)."""

    async def __call__(self, at: datetime, speed: float) -> None:
        """Write the position down."""
        ...


class Keeper:
    """Hold the gate for all parts.

    Parameters:
        start: where the world clock goes on from.
        speed: world seconds for each machine second, `math.inf` for as fast as the parts are.
        ask: one round.
        save: keeps the position.
    """

    def __init__(self, start: datetime, speed: float, ask: Ask, save: Saves) -> None:
        self.clock = GatedClock(start, speed)
        self._speed = speed
        self._ask = ask
        self._save = save
        self._saved = (start, self.clock.machine())
        self._start = (start, self.clock.machine())

    def pace(self, speed: float) -> None:
        """Go at another speed from the next round on."""
        assert speed > 0, f"a clock cannot go at speed {speed}"
        self._speed = speed

    def reached(self) -> float:
        """Return the speed that was reached since the start."""
        world, machine = self._start
        passed = self.clock.machine() - machine
        return (self.clock.now() - world).total_seconds() / passed if passed > 0 else 0.0

    async def run(self) -> None:
        """Hold the gate until cancelled; the position is saved at the end too."""
        rest = REST_SECONDS_MIN
        try:
            while True:
                rest = self._rest(rest, idle=not await self.turn())
                await self.clock.sleep(rest)
        finally:
            await self._save(self.clock.now(), self._speed)

    async def turn(self) -> bool:
        """Run one round; True when the limit was raised, or there is work that will raise it."""
        clock = self.clock
        reports = await self._ask(Grant(clock.now(), clock.limit, self._speed))
        wanted = self._wanted(reports)
        moved = wanted is not None and clock.grant(Grant(clock.now(), wanted, self._speed))
        await self._save_sometimes()
        return moved or any(each is not None and each.held_since is not None for each in reports)

    def _wanted(self, reports: list[GateReport | None]) -> datetime | None:
        wanted = limit(reports)
        if math.isinf(self._speed):
            return wanted
        near = self.clock.now() + QUANTUM
        if idle(reports):
            return near
        return None if wanted is None else min(wanted, near)

    def _rest(self, before: float, *, idle: bool) -> float:
        """Return the rest until the next round: short enough that a clock of finite speed never waits."""
        if math.isinf(self._speed):
            return min(2 * before, REST_SECONDS_MAX) if idle else REST_SECONDS_MIN
        return min(REST_SECONDS_SLOW, max(REST_SECONDS_MIN, QUANTUM_SECONDS / self._speed / 4))

    async def _save_sometimes(self) -> None:
        at, machine = self.clock.now(), self.clock.machine()
        if at > self._saved[0] and machine - self._saved[1] >= SAVE_SECONDS:
            self._saved = (at, machine)
            await self._save(at, self._speed)


async def resume_at(store: Store, shards: list[str]) -> datetime | None:
    """Return where the world clock goes on from, None where it has always been UTC."""
    kept = await store.get_document(CONTROL, CLOCK)
    if kept is None:
        return None
    at: datetime = kept["at"]
    for name in shards:
        owner = await store.get_document("shards", name)
        batch = int(owner.get("batch", 0)) if owner else 0
        for _, record in await store.batches(name, batch - 1, 1) if batch else []:
            at = max(at, record.at)
    return at
