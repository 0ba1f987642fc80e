"""Count what may need a person, for whoever is called by a monitor: open alerts, split tests, policies that are held.

Rules
1. Counts and verdicts alone: whoever scrapes needs no token, so no name of a test, path or visitor is told.
2. They are kept for some seconds: scrapes cost the store the same, however many come.
3. While the store is away nothing is told of these, and everything else is: an old number would look like a new one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from messaging.gateway.readers import VisitorReader
from messaging.ports import Store
from messaging.vocabulary.errors import WorldError

KEPT_SECONDS = 10.0
"""Prometheus looks every 15 s or more."""

Readings = dict[str, dict[str, float]]


class Attention:
    """Read what a monitor may call a person for.

    Parameters:
        store: where the alerts are.
        reader: knows how split tests and policies stand.
        seconds: tells machine time.
    """

    def __init__(
        self, store: Store, reader: VisitorReader, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._reader = reader
        self._seconds = seconds
        self._kept: Readings = {}
        self._until = 0.0

    async def readings(self) -> Readings:
        """Return gauge -> {label: reading}, none while the store is away."""
        if self._seconds() < self._until:
            return self._kept
        try:
            self._kept = await self._read()
        except WorldError:
            self._kept = {}
        self._until = self._seconds() + KEPT_SECONDS
        return self._kept

    async def _read(self) -> Readings:
        tests = Counter(
            each["verdict"] for each in await self._reader.experiments() if each["published"]
        )
        return {
            "mdma_alerts": {"open": float(await self._store.count("alerts", {"status": "open"}))},
            "mdma_policies": {"held": float(await self._reader.policies_held())},
            "mdma_split_tests": {"alarm": 0.0, **{name: float(n) for name, n in tests.items()}},
        }
