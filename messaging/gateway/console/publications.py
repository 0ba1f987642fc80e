"""Say what was published, what was decided for the runs under way, in all and by group, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from messaging.store.audit_log import Change

RUNS = ("stay", "migrate", "exit")
"""What may become of runs under way on other versions."""

GROUP = "group:"
"""Begins the name of a form's field that chooses for one group."""

_GOES = {
    "migrate": ("goes over", "go over"),
    "stay": ("stays", "stay"),
    "exit": ("leaves", "leave"),
}
_CAME = {"migrate": "went over", "stay": "stayed", "exit": "left"}


class GroupLine(msgspec.Struct, kw_only=True):
    """Say one group of a publication: who stood there at that moment, and what was chosen for them."""

    path: str
    stage: str
    version: int
    going: int
    calls: int
    choice: str
    """What becomes of those on the way, or where there are none of those with a person."""
    decided: dict[str, int]
    """Of `stay`, `migrate` and `exit`: how many do so."""
    why_not: str
    """What the version lacks for them to go over to it, where it does."""
    said: str
    """What was decided, in words."""


class PublicationLine(msgspec.Struct, kw_only=True):
    """Say one publication of a version."""

    at: str
    by: str
    runs: str
    """What was chosen for all runs under way on other versions: `stay`, `migrate` or `exit`."""
    said: str = ""
    """What was decided at publishing, counted at that moment; empty: nobody was under way."""
    came: str = ""
    """What came of it: empty until everybody was moved, and where nobody had to be."""
    groups: list[GroupLine] = []
    """Every group there was, where something else becomes of some than was chosen for all; else empty."""


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
    """`published`, `late` (somebody else published meanwhile), `same` (it was published already) or `impossible`."""
    said: str = ""
    """What was decided for the runs under way; where nothing was done, why."""


def decided(counts: Mapping[str, int]) -> str:
    """Return in words what was decided for the runs under way; empty where there were none.

    >>> decided({"stay": 1, "migrate": 1200, "exit": 0})
    '1,200 go over, 1 stays'
    """
    goes = {each: one if counts[each] == 1 else many for each, (one, many) in _GOES.items()}
    return ", ".join(f"{counts[each]:,} {said}" for each, said in goes.items() if counts[each])


def decided_for(counts: Mapping[str, int], version: int, why_not: str = "") -> str:
    """Return in words what was decided for a group; `why_not`: what the version lacks, where they were to go over.

    >>> decided_for({"stay": 2, "migrate": 0, "exit": 0}, 3, "no such stage")
    '2 stay: version 3 has no such stage'
    """
    return decided(counts) + (f": version {version} has {why_not}" if why_not else "")


def happened(
    counts: Mapping[str, int], ended: int = 0, *, entered: int = 0, is_replaced: bool = False
) -> str:
    """Return in words what came of the runs under way.

    Args:
        counts: by what became of them.
        ended: for how many was decided who were on no path any more when it came to them.
        entered: how many more came, as they entered by the version before while this one was published.
        is_replaced: whether another version was published before all were moved.

    >>> happened({"stay": 0, "migrate": 55, "exit": 6}, 1)
    '55 went over, 6 left, 1 had ended by then'
    >>> happened({"stay": 0, "migrate": 27, "exit": 0}, entered=1)
    '27 went over, 1 of them had entered meanwhile'
    >>> happened({"stay": 0, "migrate": 0, "exit": 0}, is_replaced=True)
    'nobody was moved, then another version was published'
    """
    came = [f"{counts[each]:,} {said}" for each, said in _CAME.items() if counts[each]]
    came += [f"{ended:,} had ended by then"] if ended else []
    came += [f"{entered:,} of them had entered meanwhile"] if entered else []
    if is_replaced:
        return f"{', '.join(came) or 'nobody was moved'}, then another version was published"
    return ", ".join(came)


def saved_change(version: int, said: str = "", *, by: str) -> Change:
    """Return what the audit log says of a version that was made."""
    return Change(by=by, act="rules.saved", of=f"version {version}", said=said)


def published_change(version: int, instead_of: int, said: str, *, by: str) -> Change:
    """Return what the audit log says of a publication.

    >>> published_change(3, 2, "5 go over, 1 stays", by="kim").said
    'instead of version 2; runs under way: 5 go over, 1 stays'
    """
    told = [f"instead of version {instead_of}"] if instead_of else []
    told += [f"runs under way: {said}"] if said else []
    return Change(by=by, act="rules.published", of=f"version {version}", said="; ".join(told))
