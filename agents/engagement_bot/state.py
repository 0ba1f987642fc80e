"""Hold what stands open on the site for one visitor, and what ended of late.

Rules
1. Everything is bounded: what was offered is a few hundred bytes, and there are never more than a handful.
2. An offer is open or ended, never both. Each change takes the next number: by it a browser knows what is new.
3. Whoever bought is offered nothing that was decided before: the goal's time only moves forward.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from messaging.vocabulary.plans import EngagementPlan

VERSION = 1
"""Version of the state's layout."""

OFFERS_MAX = 8
"""Open at once; the caps keep them below a handful."""

ENDED_MAX = 12
"""Ended ones remembered, so that browsers that were away take them down, and late answers are told from false ones."""

ABSORBED_MAX = 16


class Offer(msgspec.Struct, array_like=True):
    """Hold one interaction that stands open."""

    plan: EngagementPlan
    trigger: str
    content: dict[str, Any]
    """As the browser gets it: the gateway needs no rules."""
    number: int
    at: datetime
    shown_at: datetime | None = None
    tab: str = ""
    """The browser's tab that shows it; nobody else may."""


class Ended(msgspec.Struct, array_like=True):
    """Remember an offer that ended."""

    plan: EngagementPlan
    outcome: str
    """`clicked`, `dismissed`, `submitted`, `withdrawn` or `expired`."""
    number: int
    shown_at: datetime | None = None
    tab: str = ""
    fields: list[dict[str, Any]] = []
    """Of a form that was on a screen: what a late answer may hold."""


class EngagementState(msgspec.Struct, array_like=True):
    """Hold one visitor."""

    offers: list[Offer] = []
    ended: list[Ended] = []
    """The newest last."""
    number: int = 0
    """Of the last change."""
    goal_at: datetime | None = None
    """Latest moment at which a goal was reached."""
    absorbed: list[str] = []
    """Younger visitors whose state was taken in."""

    def offer(self, engagement_id: str) -> Offer | None:
        """Return an open offer."""
        return next((o for o in self.offers if o.plan.engagement_id == engagement_id), None)

    def past(self, engagement_id: str) -> Ended | None:
        """Return an offer that ended of late."""
        return next((e for e in self.ended if e.plan.engagement_id == engagement_id), None)

    def next_number(self) -> int:
        """Count one more change."""
        self.number += 1
        return self.number
