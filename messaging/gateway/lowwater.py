"""Remember the oldest thing that was held at any time since the world clock's gate last asked.

A thing that came and went between two questions must be seen: it may have been the reason to wait.
"""

from __future__ import annotations

from datetime import datetime


class LowWater:
    """Keep the lowest time since the last question."""

    __slots__ = ("_lowest",)

    def __init__(self) -> None:
        self._lowest: datetime | None = None

    def saw(self, at: datetime | None) -> None:
        """Tell that something of this time is held now."""
        if at is not None and (self._lowest is None or at < self._lowest):
            self._lowest = at

    def ask(self, held: datetime | None) -> datetime | None:
        """Return the lowest time since the last question; what is held now counts for this one and the next."""
        self.saw(held)
        lowest = self._lowest
        self._lowest = held
        return lowest


def oldest(*times: datetime | None) -> datetime | None:
    """Return the earliest of the times that are there."""
    return min((at for at in times if at is not None), default=None)
