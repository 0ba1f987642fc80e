"""Be the web that is asked about people: it knows some, is slow, silent or asked too often, and late by hours.

Rules
1. Whether somebody is known depends on the seed and the address alone; faults come on top.
2. Everybody who is asked about is taken down: nobody may be who has refused.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

from messaging.ports import Clock, IsWanted, always
from messaging.vocabulary.plans import Finding
from tests.simulation.chaos import LOOK_UPS, Chaos
from tests.simulation.process import Process

KINDS = ("personal", "professional", "organization", "automated")


class Web:
    """Know people, for all who ask."""

    def __init__(self, clock: Clock, chaos: Chaos) -> None:
        self.clock = clock
        self.chaos = chaos
        self.asked: Counter[str] = Counter()
        """Address -> how often it was asked about."""

    def knows(self, source: str, address: str) -> Finding:
        """Return what a source knows of an address."""
        draw = random.Random(f"{self.chaos.seed}/web/{source}/{address}")
        now = self.clock.now()
        known = draw.random()
        if known < 0.1:
            return Finding(source, ["gone.test"], now, "failed", "ConnectionRefusedError")
        if known < 0.6:
            return Finding(source, ["web.test"], now, "nobody")
        kind, posts, age = draw.choice(KINDS), draw.choice((None, 0, 9)), draw.random() * 500
        last = now - timedelta(days=age) if posts else None
        return Finding(source, ["web.test"], now, "found", "", kind, posts, last)


class SimLookUps:
    """Ask from one process (`messaging.ports.LookUps`)."""

    def __init__(self, web: Web, process: Process) -> None:
        self._web = web
        self._process = process

    async def look_up(
        self, address: str, sources: list[str], is_wanted: IsWanted = always
    ) -> list[Finding]:
        self._web.asked[address] += 1
        return [await self._ask(source, address, is_wanted) for source in sources]

    async def _ask(self, source: str, address: str, is_wanted: IsWanted) -> Finding:
        web, chaos = self._web, self._web.chaos
        await self._process.enter()
        await chaos.pause("web", 3.0)
        await self._process.enter()
        if not is_wanted():
            return Finding(source, [], web.clock.now(), "withdrawn")
        finding = web.knows(source, address)
        struck = chaos.strikes("web", LOOK_UPS)
        if struck == "look_up.late":
            await chaos.pause("web", 3 * 3600.0)
        elif struck == "look_up.failed":
            await chaos.pause("web", 10.0)
            finding = Finding(source, ["web.test"], web.clock.now(), "failed", "time-out")
        elif struck == "look_up.busy":
            finding = Finding(source, [], web.clock.now(), "busy", "asked too often already")
        await self._process.leave()
        return finding
