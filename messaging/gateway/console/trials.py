"""Say what the console asks of trials: a draft against the journal, or on the virtual clock; work of its own process.

The composition root gives `Trials`. A trial changes nothing that a visitor meets; what it came to is kept a while.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

import msgspec

from messaging.gateway.console.desk import Page
from messaging.gateway.limits import ID_CHARS_MAX
from messaging.gateway.paging import After

TRY, SIMULATE = KINDS = ("try", "simulate")

WAITING, RUNNING, DONE, FAILED, CANCELLED = (
    "waiting",
    "running",
    "done",
    "failed",
    "cancelled",
)
UNDER_WAY = (WAITING, RUNNING)

Who = Annotated[str, msgspec.Meta(max_length=ID_CHARS_MAX, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Version = Annotated[int, msgspec.Meta(ge=0, le=999_999_999)]


class TryOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Ask what a version would have made of the journal's last days."""

    version: Version = 0
    """0: the newest."""
    days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30
    visitor: Who = ""
    """One visitor, step by step, by any id; empty: everybody."""


class SimulateOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Ask what a version would do with people on the virtual clock."""

    version: Version = 0
    """0: the newest."""
    visitors: Annotated[int, msgspec.Meta(ge=2, le=20_000)] = 2_000
    days: Annotated[int, msgspec.Meta(ge=1, le=180)] = 60
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 1
    profiles: Literal["synthetic", "real"] = "synthetic"


Order = TryOrder | SimulateOrder
ORDERS: dict[str, type[TryOrder | SimulateOrder]] = {TRY: TryOrder, SIMULATE: SimulateOrder}
"""Kind -> what is asked."""


class Trial(msgspec.Struct, kw_only=True):
    """Hold one trial."""

    id: str
    kind: str
    asked: dict[str, Any]
    by: str
    at: datetime
    status: str
    """`waiting`, `running`, `done`, `failed` or `cancelled`."""
    doing: str = ""
    """What it does at this moment, in words."""
    share: float = 0.0
    """How much of it is done, 0 to 1."""
    why: str = ""
    """Why it failed."""
    ended_at: datetime | None = None
    result: dict[str, Any] | None = None
    """What it came to; None until it is done, and in lists."""

    @property
    def is_under_way(self) -> bool:
        """Say whether something is still to come."""
        return self.status in UNDER_WAY


class TrialPerson(msgspec.Struct, kw_only=True):
    """Name somebody whom a draft would treat otherwise, and what they would get."""

    visitor: str
    who: str
    path: str
    e_mails: list[str]
    now: list[str]
    """What they get by the published rules."""


class StepLine(msgspec.Struct, kw_only=True):
    """Say one step."""

    at: datetime
    by: str
    """Which bot says so, or `Visitor`."""
    says: str
    side: str
    """`both`, `draft` or `published`: who does so."""


class OneTold(msgspec.Struct, kw_only=True):
    """Say what both sides do with one visitor, step by step."""

    visitor: str
    who: str
    events: int
    since: datetime
    until: datetime
    steps: list[StepLine]
    left_out: int = 0
    """Steps before these that are too many to be kept."""


class Trials(Protocol):
    """Keep trials, and let them be carried out one at a time. Raises `Unavailable`."""

    async def ask(self, kind: str, order: Order, by: str, at: datetime) -> str:
        """Put a trial in the line and return its id; empty: the line is full.

        Where it is about one visitor the order names them by their visitor id; the trial itself does not.
        """
        ...

    async def one(self, id_: str) -> OneTold | None:
        """Return what a trial came to that is about one visitor; None: it is not, or not yet, or they were erased."""
        ...

    async def newest(
        self, kind: str, after: After | None = None, limit: int = 20, status: str = ""
    ) -> Page:
        """Return trials (`Trial`) of a kind, and of a status, the newest first, without what they came to."""
        ...

    async def trial(self, id_: str) -> Trial | None:
        """Return a trial, None if there is none of this id (any more)."""
        ...

    async def people(self, id_: str) -> list[TrialPerson]:
        """Return who was named by a trial, but those who were erased since."""
        ...

    async def cancel(self, id_: str) -> bool:
        """End a trial that is under way; False: it is not (any more)."""
        ...
