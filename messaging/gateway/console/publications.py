"""Say what was published, and what was decided for the runs under way: in all, and by group."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from messaging.store.audit_log import Change

RUNS = ("stay", "migrate", "exit")
"""What may become of runs under way on other versions."""

GROUP = "group:"
"""Begins the name of a form's field that chooses for one group."""

_CAME = {"migrate": "went over", "stay": "stayed", "exit": "left"}


class GroupLine(msgspec.Struct, kw_only=True):
    """Say one group of a publication: who stood there at that moment, and what was chosen for them."""

    path: str
    stage: str
    version: int
    going: int
    calls: int
    choice: str


class PublicationLine(msgspec.Struct, kw_only=True):
    """Say one publication of a version."""

    at: str
    by: str
    runs: str
    """What was chosen for all runs under way on other versions: `stay`, `migrate` or `exit`."""
    said: str = ""
    """What was decided at publishing, counted at that moment; empty: nobody was under way."""
    groups: list[GroupLine] = []
    """Every group there was, where some were decided for on their own; else empty."""


class PublishOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Read a publication."""

    instead_of: int
    """The version that is published now, 0 for none."""
    runs: str = "stay"
    """What becomes of those under way on other versions: `stay`, `migrate` or `exit`."""
    groups: dict[str, str] = {}
    """Group (`path/version/stage`) -> what becomes of those who stand there, where that is something else."""


class Published(msgspec.Struct, kw_only=True):
    """Say what came of a publication."""

    outcome: str
    """`published`, `late` (somebody else published meanwhile) or `impossible`."""
    said: str = ""
    """What was decided for the runs under way; of what is impossible, why."""


def decided(counts: Mapping[str, int]) -> str:
    """Return in words what was decided for the runs under way; empty where there were none.

    >>> decided({"stay": 3, "migrate": 1200, "exit": 0})
    '1,200 went over, 3 stayed'
    """
    return ", ".join(f"{counts[each]:,} {said}" for each, said in _CAME.items() if counts[each])


def saved_change(version: int, said: str = "", *, by: str) -> Change:
    """Return what the audit log says of a version that was made."""
    return Change(by=by, act="rules.saved", of=f"version {version}", said=said)


def published_change(version: int, instead_of: int, said: str, *, by: str) -> Change:
    """Return what the audit log says of a publication.

    >>> published_change(3, 2, "5 went over, 1 stayed", by="kim").said
    'instead of version 2; runs under way: 5 went over, 1 stayed'
    """
    told = [f"instead of version {instead_of}"] if instead_of else []
    told += [f"runs under way: {said}"] if said else []
    return Change(by=by, act="rules.published", of=f"version {version}", said="; ".join(told))
