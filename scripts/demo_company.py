"""Let the demo's world go slowly while a person is in its shop: in time-lapse each of their pages would be a visit.

Rules
1. Who opens a page of the shop is there for as long as a browser shows it, and a little longer: they may be between two
   pages. Who does nothing for some minutes has left. The audience opens no page: it only tells what a browser would.
2. The world is held by the gateway's own report to the gate: it may be at `held` and a quantum more.
3. What the demo promises to show in time goes first: nobody slows the world before the first sale, nor once there is no
   time to spare any more until every row of the routine was taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

SPEED = 30.0
"""A session of half an hour is a minute, and so long an offer stands."""
STAYS_SECONDS = 120.0
LINGERS_SECONDS = 15.0
"""Where no browser has the shop before its reader's eyes any more."""


class Company:
    """Follow who is in the shop; times are machine seconds, but for the world's."""

    def __init__(self) -> None:
        self._opened: float | None = None
        self._since: tuple[datetime, float] | None = None
        """Since when the world is held: in world time and in machine time."""
        self._is_spent = False

    def seen(self, machine: float) -> None:
        """Take note that a page was opened."""
        self._opened = machine

    def held(
        self, world: datetime, machine: float, demo: Mapping[str, float], *, watched: bool
    ) -> datetime | None:
        """Return the world time to which the world is held, None where it may go its way.

        Args:
            world: now.
            machine: now.
            demo: the demo's numbers, as `Demo.numbers` gives them.
            watched: whether a browser shows the shop at this moment.

        >>> from datetime import UTC
        >>> company, noon = Company(), datetime(2026, 11, 23, 12, tzinfo=UTC)
        >>> company.seen(100.0)
        >>> sold = {"first_sale_seconds": 20.0}
        >>> company.held(noon, 100.0, sold, watched=True).minute
        0
        >>> company.held(noon, 102.0, sold, watched=True).minute
        1
        >>> company.held(noon, 120.0, sold, watched=False)
        """
        if not self._is_there(machine, watched=watched) or not self._may(demo):
            self._since = None
            return None
        if self._since is None:
            self._since = world, machine
        began, since = self._since
        return began + timedelta(seconds=(machine - since) * SPEED)

    def _is_there(self, machine: float, *, watched: bool) -> bool:
        stays = STAYS_SECONDS if watched else LINGERS_SECONDS
        return self._opened is not None and machine < self._opened + stays

    def _may(self, demo: Mapping[str, float]) -> bool:
        """Say whether the world may be slowed: once there was no time to spare, only after every row was taken."""
        is_over = demo.get("rows_taken", 0.0) >= demo.get("rows_of", 1.0)
        self._is_spent = self._is_spent or demo.get("spare_seconds", 1.0) <= 0.0
        return "first_sale_seconds" in demo and (is_over or not self._is_spent)
