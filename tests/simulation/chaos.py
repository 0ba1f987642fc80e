"""Throw the dice: every fault of a run is drawn from one seed, and counted.

Rules
1. While `calm`, nothing goes wrong: first harm, then heal and ask for progress.
2. Each port has a generator of its own, so that a new fault in one does not move all others.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

STORE = {
    "store.slow": 0.01,
    "store.unavailable": 0.004,
    "commit.slow": 0.02,
    "commit.unavailable_before": 0.004,
    "commit.unavailable_after": 0.004,
    "commit.unknown_after": 0.004,
    "commit.unknown_before": 0.002,
    "commit.conflict": 0.006,
}
JOURNAL = {
    "journal.slow": 0.05,
    "journal.unavailable_before": 0.02,
    "journal.unavailable_after": 0.02,
    "journal.late": 0.02,
}
NETWORK = {
    "peer.refused": 0.02,
    "peer.lost": 0.01,
    "peer.late": 0.015,
    "peer.twice": 0.02,
    "peer.slow": 0.03,
    "peer.stale_address": 0.1,
}
SMTP = {
    "smtp.deferred": 0.03,
    "smtp.bounced": 0.01,
    "smtp.uncertain_arrived": 0.01,
    "smtp.uncertain_lost": 0.01,
    "smtp.slow": 0.05,
    "smtp.refused": 0.02,
}
LOOK_UPS = {
    "look_up.failed": 0.08,
    "look_up.busy": 0.05,
    "look_up.late": 0.05,
}
TRAININGS = {
    "training.failed": 0.1,
    "training.late": 0.1,
}
MOST = 0.2
"""No port's shares add up to more: whoever throws this or higher is spared without a look at them."""

PORTS = (STORE, JOURNAL, NETWORK, SMTP, LOOK_UPS, TRAININGS)
assert all(sum(shares.values()) <= MOST for shares in PORTS)

PLANNED = (
    "kill.before",
    "kill.after",
    "kill.idle",
    "zombie",
    "kill.gateway.before",
    "kill.gateway.after",
    "kill.eraser.before",
    "kill.eraser.after",
    "database.restart",
    "kill.all",
)


class Chaos:
    """Hold the dice of one run and the tally of what they did."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.calm = False
        self.happened: Counter[str] = Counter()
        self.down_until = 0.0
        self._dice: dict[str, random.Random] = {}

    def dice(self, port: str) -> random.Random:
        """Return the generator of one port."""
        found = self._dice.get(port)
        if found is None:
            found = self._dice[port] = random.Random(f"{self.seed}/{port}")
        return found

    def strikes(self, port: str, kinds: dict[str, float]) -> str:
        """Return which fault of a port happens to this call, empty for none."""
        at = self.dice(port).random()
        if self.calm or at >= MOST:
            return ""
        for kind, share in kinds.items():
            if at < share:
                self.happened[kind] += 1
                return kind
            at -= share
        return ""

    def note(self, kind: str) -> None:
        """Count a planned fault."""
        self.happened[kind] += 1

    async def pause(self, port: str, most: float) -> None:
        """Wait up to so many seconds."""
        await asyncio.sleep(self.dice(port).random() * most)
