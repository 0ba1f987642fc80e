"""Name what the gateway asks of others: who a visitor is, and where replay calls wait.

`messaging` may not import the bots, and a visitor's page is made of their states: the composition root
gives a reader. The queue's real part is `replay_mongo.py`, its fake stands below.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

import msgspec

from messaging.gateway.told import Overview, Story


class VisitorReader(Protocol):
    """Show what the bots know. Raises `Unavailable`; an id is a visitor id, user id, anonymous id or address."""

    async def visitor(self, id_: str) -> dict[str, Any] | None:
        """Return one visitor in the shape of the admin API, None if unknown."""
        ...

    async def find(self, id_: str) -> str | None:
        """Return the visitor id that an id leads to, None if it leads to nobody."""
        ...

    async def people(self, id_: str) -> list[str]:
        """Return the visitor that an id leads to and those merged into them, by visitor id; nobody if unknown."""
        ...

    async def timeline(self, id_: str) -> list[dict[str, Any]] | None:
        """Return one visitor's story, oldest first, None if unknown."""
        ...

    async def page(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Return visitors by visitor id, those after `after`; each has at least `visitor_id`."""
        ...

    async def of_cohort(self, cohort: str, after: str, limit: int) -> list[dict[str, Any]]:
        """Return the visitors of a cohort, as `page` does."""
        ...

    async def at_stage(self, path: str, stage: str, after: str, limit: int) -> list[dict[str, Any]]:
        """Return the visitors who stand at a stage of a path now, as `page` does."""
        ...

    async def counted(self, *, cohort: str = "", path: str = "", stage: str = "") -> int:
        """Return how many are in a cohort, or stand at a stage of a path."""
        ...

    async def unwritable(self, id_: str) -> str:
        """Return in words why no marketing e-mail may be sent to a visitor; empty: it may."""
        ...

    async def stages(self, version: int | None = None) -> dict[str, list[str]]:
        """Return path -> names of its stages, over all versions that are kept.

        With a version, over that one and the one that is published: where a run of it may go on.
        """
        ...

    async def paths(self) -> list[str]:
        """Return the paths of every version that is or was published, by name: somebody may be on them."""
        ...

    async def experiments(self) -> list[dict[str, Any]]:
        """Return every split test, as it stands."""
        ...

    async def policies_held(self) -> int:
        """Return of how many policies what was learned last is held, so that an older one acts."""
        ...

    async def stats(self) -> dict[str, Any]:
        """Return counts of the whole system."""
        ...

    async def overview(self) -> Overview:
        """Return what all bots do, in words."""
        ...

    async def story(self, id_: str) -> Story | None:
        """Return one visitor's facts and story in words, None if unknown."""
        ...


class OpenOffer(msgspec.Struct):
    """Show one engagement that stands open."""

    id: str
    type: str
    trigger: str
    name: str
    content: dict[str, Any]
    expires_at: datetime
    number: int
    """Of the change by which it opened; grows with each change for one visitor."""
    tab: str = ""
    """The tab that shows it, empty if none does."""


class EndedOffer(msgspec.Struct):
    """Show one engagement that ended of late, with what a late answer to it may hold."""

    id: str
    type: str
    name: str
    outcome: str
    number: int
    fields: list[dict[str, Any]] = []


class Offers(msgspec.Struct):
    """Hold what stands open for one visitor, and what ended of late."""

    visitor: str
    number: int
    """Of the last change."""
    open: list[OpenOffer]
    ended: list[EndedOffer]


class OfferReader(Protocol):
    """Look at what Engagement holds open. Raises `Unavailable`."""

    async def offers(self, anonymous_ids: list[str]) -> dict[str, Offers]:
        """Return anonymous id -> offers, for those of whom anything is known; one look for all of them."""
        ...


class NoOffers:
    """Know of no offers: for a gateway without an Engagement bot behind it."""

    async def offers(self, anonymous_ids: list[str]) -> dict[str, Offers]:
        """Return nothing."""
        del anonymous_ids
        return {}


class ReplayCall(msgspec.Struct):
    """Hold one call that is fed when the world clock reaches its time."""

    id: str
    """Its message id: a second one is ignored."""
    at: datetime
    order: int
    """Decides between calls of one moment: as they were uploaded."""
    raw: bytes


class ReplayQueue(Protocol):
    """Keep future calls. Raises `Unavailable`."""

    async def add(self, calls: list[ReplayCall]) -> int:
        """Keep calls, durable when it returns; return how many were new."""
        ...

    async def first(self, limit: int) -> list[ReplayCall]:
        """Return the earliest calls, by (at, order)."""
        ...

    async def done(self, ids: list[str]) -> None:
        """Forget calls that are journaled."""
        ...

    async def count(self) -> int:
        """Return how many calls wait."""
        ...


class MemoryReplayQueue:
    """Implement `ReplayQueue` in a dict, for tests and the simulator."""

    def __init__(self) -> None:
        self.calls: dict[str, ReplayCall] = {}

    async def add(self, calls: list[ReplayCall]) -> int:
        """Keep calls that are not there yet."""
        before = len(self.calls)
        for call in calls:
            self.calls.setdefault(call.id, call)
        return len(self.calls) - before

    async def first(self, limit: int) -> list[ReplayCall]:
        """Return the earliest calls."""
        return sorted(self.calls.values(), key=lambda call: (call.at, call.order))[:limit]

    async def done(self, ids: list[str]) -> None:
        """Forget calls."""
        for id_ in ids:
            self.calls.pop(id_, None)

    async def count(self) -> int:
        """Return how many calls wait."""
        return len(self.calls)
