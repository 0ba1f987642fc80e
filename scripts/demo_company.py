"""Let the demo's world go slowly while a person is in its shop: in time-lapse each of their pages would be a visit.

Rules
1. Whoever opens a page of the shop is taken to be there for some seconds more. The audience opens none: it only
   tells what a browser would tell.
2. The world is held by the gateway's own report to the gate: it may be at `held` and a quantum more.
3. What the demo promises to show in time goes first: nobody slows the world before the first sale, and until every
   row of the routine was taken all stays together are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

SPEED = 30.0
"""A session of half an hour is a minute, and so long an offer stands."""
STAYS_SECONDS = 45.0
SLOW_SECONDS_MAX = 120.0
"""All stays before every row was taken."""


class Company:
    """Follow who is in the shop; times are machine seconds, but for the world's."""

    def __init__(self) -> None:
        self._world: datetime | None = None
        self._since = self._until = self._looked = 0.0
        self._used = 0.0

    def seen(self, world: datetime, machine: float) -> None:
        """Take note that a page was opened."""
        if self._world is None or machine >= self._until:
            self._world, self._since, self._looked = world, machine, machine
        self._until = machine + STAYS_SECONDS

    def held(self, machine: float, demo: Mapping[str, float]) -> datetime | None:
        """Return the world time to which the world is held, None where it may go its way.

        Args:
            machine: now.
            demo: the demo's numbers, as `Demo.numbers` gives them.

        >>> from datetime import UTC
        >>> company, noon = Company(), datetime(2026, 11, 23, 12, tzinfo=UTC)
        >>> company.seen(noon, 100.0)
        >>> shown = {"first_sale_seconds": 20.0, "rows_taken": 11.0, "rows_of": 11.0}
        >>> company.held(102.0, shown).minute, company.held(145.0, shown)
        (1, None)
        """
        if self._world is None or machine >= self._until:
            self._world = None
            return None
        is_over = demo.get("rows_taken", 0.0) >= demo.get("rows_of", 1.0)
        if "first_sale_seconds" not in demo or (not is_over and self._used >= SLOW_SECONDS_MAX):
            self._world = None
            return None
        self._used += machine - self._looked
        self._looked = machine
        return self._world + timedelta(seconds=(machine - self._since) * SPEED)
