"""Say what the console asks of others, and in what shape it is told: plain words, by whoever knows the bots.

`messaging` may not import the bots: the composition root gives a `Desk`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

import msgspec

from messaging.gateway.console.delivered import DeliveredNow
from messaging.gateway.console.learned import Evaluation, LearningNow
from messaging.gateway.console.routine import OlderLine, Routine, Routines
from messaging.gateway.paging import After


class AlertCard(msgspec.Struct, kw_only=True):
    """Say one alert."""

    id: str
    at: str
    status: str
    visitor: str
    """Empty where it is about a split test, or what was learned."""
    who: str
    """Whom it is about, which split test, or what was learned of."""
    said: str
    place: str
    """Path, and run or stage; empty for none."""
    tried: str
    """What the history is of."""
    history: list[str]
    todo: str
    """What is to be done, where that is more than the buttons say."""
    may_resume: bool
    """False: it is about one e-mail or a split test, and can only be closed."""
    stages: list[str]
    """Where a new run may begin; none for what is about no run."""
    page: str = ""
    """Of the console, about what it is, where that is no visitor."""


class RecipientLine(msgspec.Struct, kw_only=True):
    """Say what became of a broadcast for one visitor."""

    visitor: str
    who: str
    status: str
    why: str
    """In words; empty where there is nothing to say."""
    at: str
    until: str
    """Until when it waits, empty where it does not."""


class PersonLine(msgspec.Struct, kw_only=True):
    """Say one visitor of a list."""

    visitor: str
    name: str
    cohorts: str
    did: str


class People(msgspec.Struct, kw_only=True):
    """Hold a page of visitors."""

    lines: list[PersonLine]
    count: int
    """Of all pages together, as of the last commits."""
    after: str
    """Where the next page goes on; empty: there is none."""


class PartLine(msgspec.Struct, kw_only=True):
    """Say how one part fares."""

    name: str
    state: str
    cells: list[str]


class AsideLine(msgspec.Struct, kw_only=True):
    """Say what stands in quarantine: a message that a bot could not take."""

    id: str
    at: str
    visitor: str
    said: str
    reason: str
    is_under_way: bool
    """Its replay is ordered, and not taken yet."""


class SystemNow(msgspec.Struct, kw_only=True):
    """Say how the whole system fares."""

    columns: list[str]
    parts: list[PartLine]
    waiting: list[tuple[str, str]]
    dashboard: str
    """Address of Ray's dashboard, empty where there is none."""
    aside: list[AsideLine] = []
    """What is set aside in quarantine and was not decided: the newest."""
    aside_count: int = 0
    bounds: list[tuple[str, str]] = []
    """What the bounds of a visitor's state kept from rules, in words; empty: nothing."""
    mail_waits: str = ""
    """How many e-mails wait for the mail server, since when and why; empty: none does."""


class Receipt(msgspec.Struct, kw_only=True):
    """Say how an erasure stands; nothing in it names anybody."""

    is_done: bool
    said: list[str]
    """What was removed and what stays, in words; empty until it is done."""


class Page(msgspec.Struct, kw_only=True):
    """Hold a page of a list by time: its lines, and where the next one goes on (None: there is none)."""

    lines: list[Any]
    after: After | None = None


class NotExportedError(Exception):
    """Say why a person's data was not written out here."""


class Desk(Protocol):
    """Tell the console what it shows. Raises `Unavailable`."""

    async def world(self) -> str:
        """Return world time in words: as of when numbers are."""
        ...

    async def alerts(self, status: str, after: After | None, limit: int) -> Page:
        """Return alerts (`AlertCard`) of a status, the newest first."""
        ...

    async def cohorts(self) -> list[str]:
        """Return the names of the published cohorts."""
        ...

    async def people(
        self, after: str, limit: int, *, cohort: str = "", place: tuple[str, str] | None = None
    ) -> People:
        """Return visitors by visitor id, those after `after`: of one cohort, or who stand at one (path, stage)."""
        ...

    async def recipients(
        self, broadcast: str, status: str, after: After | None, limit: int
    ) -> Page:
        """Return for whom what became of a broadcast (`RecipientLine`), the newest first; all without a status."""
        ...

    async def names(self, visitors: list[str]) -> dict[str, str]:
        """Return visitor -> what a page calls them: the address where one is known."""
        ...

    def why(self, reason: str) -> str:
        """Return in words why somebody does not get an e-mail."""
        ...

    async def erase(self, visitor: str, at: datetime) -> str:
        """Ask for an erasure of a visitor; return its receipt's id. It goes on by itself."""
        ...

    async def export(self, visitor: str) -> str:
        """Return all of one person's data as JSON; empty: somebody else's is being written out.

        Raise NotExportedError where that takes too long, is too much, or goes wrong.
        """
        ...

    async def receipt(self, id_: str) -> Receipt | None:
        """Return how an erasure stands, None if there is none of this id."""
        ...

    async def paths(self) -> list[str]:
        """Return the names of the published paths."""
        ...

    async def older(self) -> list[OlderLine]:
        """Return who still goes a path by another version than the published one."""
        ...

    async def routine(self, path: str, version: int = 0) -> Routine | None:
        """Return a path with its people, as a version has it; None if it has none of this name.

        Without a version as the published one has it, else as the newest one that somebody goes it by, or that has it.
        """
        ...

    async def routines(self) -> Routines:
        """Return all paths with the people at each stage: the published ones, then those of older versions alone."""
        ...

    async def deliverability(self) -> DeliveredNow:
        """Return how e-mails are taken, by day and by the mailboxes' domains; as of a moment ago."""
        ...

    async def suppressions(self, after: After | None, limit: int) -> Page:
        """Return mailboxes that are never written to again (`Suppressed`), the newest first."""
        ...

    async def learning(self) -> LearningNow:
        """Return what all policies believe."""
        ...

    async def evaluation(self, policy: str, against: str | dict[str, float]) -> Evaluation | None:
        """Return what the decision log says of a policy beside another; None: nothing is published of it.

        `against`: `rules`, `uniform`, or arm -> weight.
        """
        ...

    async def system(self, own: list[tuple[str, str]]) -> SystemNow:
        """Return how the parts fare; `own`: what the gateway itself says of what waits."""
        ...
