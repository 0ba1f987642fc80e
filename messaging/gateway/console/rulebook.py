"""Say what the console asks about the rules' files and their versions; the composition root gives a `Rulebook`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

import msgspec

from messaging.gateway.console.desk import Page
from messaging.gateway.console.publications import PublicationLine, Published, PublishOrder
from messaging.gateway.console.routine import OlderLine
from messaging.gateway.paging import After


class VersionLine(msgspec.Struct, kw_only=True):
    """Say one version."""

    number: int
    at: str
    by: str
    is_published: bool
    publications: list[PublicationLine]
    """The newest first; none: it was never published."""


class FileLine(msgspec.Struct, kw_only=True):
    """Say one file of a version."""

    name: str
    title: str


class CohortLine(msgspec.Struct, kw_only=True):
    """Say one cohort, and how many are in it now."""

    name: str
    title: str
    people: int
    filled: int = 100
    """How much of its back-filling is done, in per cent; below 100 the number is not exact yet."""
    since: str = ""
    """Since when its history is, where it looks further back than the record is kept; empty: it is whole."""


class FillingLine(msgspec.Struct, kw_only=True):
    """Say how far the back-filling of a publication has come."""

    version: int
    cohorts: list[str]
    """Those that a marketer wrote; none where only what paths ask is another question."""
    percent: int
    shards: dict[str, list[int]]
    """Shard of Behavior -> visitors done, and of how many."""
    is_done: bool


class PathLine(msgspec.Struct, kw_only=True):
    """Say one path, and how many stand on it."""

    name: str
    title: str
    going: int
    calls: int
    won: int
    api: bool = False
    """Whether the API lets people onto it."""
    keyed: bool = False
    """Whether it does so with a key, by which runs are told apart."""


class Place(msgspec.Struct, kw_only=True):
    """Count the runs that stand at one stage by another version than the one that would be published."""

    path: str
    stage: str
    """Of a flow: the step."""
    version: int
    going: int
    calls: int
    has_place: bool
    """Whether the version that would be published has this stage: only then can they go over to it."""
    why_not: str = ""
    """What it lacks, where it has not."""
    group: str = ""
    """What those who stand here are called: `path/version/stage`."""
    choices: list[str] = []
    """What may become of them: of `stay`, `migrate` and `exit` what is possible."""


class MoveLine(msgspec.Struct, kw_only=True):
    """Say how far a publication has come with the runs that it moves or ends."""

    version: int
    is_done: bool
    went: int
    """Who went over to it."""
    left: int
    """Who left."""
    stay: int
    """Who stays on another one, once it is done."""


class RulesNow(msgspec.Struct, kw_only=True):
    """Hold what the rules are now."""

    published: int
    newest: int
    versions: list[VersionLine]
    cohorts: list[CohortLine]
    paths: list[PathLine]
    files: list[tuple[str, list[FileLine]]]
    """(kind of file, its files), of the newest version."""
    older: list[OlderLine] = []
    """Who still goes a path by another version than the published one."""
    move: MoveLine | None = None
    """Of the publication that stands; None where it left everybody where they were."""
    filling: FillingLine | None = None
    """Of the publication that stands; None where it changed no cohort, or nobody has begun with it yet."""


class Finding(msgspec.Struct, kw_only=True):
    """Say one error in a file."""

    file: str
    line: int
    problem: str
    hint: str


class MatchLine(msgspec.Struct, kw_only=True):
    """Say how many match one thing that an edit touches."""

    name: str
    people: int | None
    """None: it is not known; see `unknown`."""
    low: int
    high: int
    """Ends of the 95 % interval; all three are one number where everybody was asked. What is not known lies between
    those whom it surely holds and those whom it may hold."""
    now: int | None
    """How many do as it stands; None: there is no such thing yet."""
    kind: str = "cohort"
    """`cohort`, `depends` (it refers to what is edited), `score`, `path` (who its entry holds) or `interaction`."""
    said: str = ""
    """More of it, in words."""
    at_once: int | None = None
    """Of a path: how many would enter it at once; at least, where that is not known."""
    at_once_at_most: int | None = None
    """Of a path: likewise, at most."""
    unknown: list[str] = []
    """The conditions by which it is not known, each with its line."""


class Matching(msgspec.Struct, kw_only=True):
    """Say who matches what an edit touches."""

    as_of: str
    looked: int
    """So many were asked…"""
    people: int
    """… of so many."""
    lines: list[MatchLine]
    notes: list[str] = []
    """What cannot be counted, and why, and what to do."""

    @property
    def apart(self) -> list[str]:
        """Return the notes of which no line speaks."""
        of_lines = tuple(each for line in self.lines for each in line.unknown)
        return [note for note in self.notes if not of_lines or not note.startswith(of_lines)]


class Compared(msgspec.Struct, kw_only=True):
    """Say what differs between two versions: in sentences, and line by line."""

    said: list[str]
    text: str


class Edit(msgspec.Struct, kw_only=True):
    """Hold an edit of one file of a version."""

    base: int
    """The version that it is made of."""
    file: str
    text: str | None
    """None: without the file."""
    newest: int = 0
    """The newest version when it was begun, where that is another one; 0: it is the base."""

    @property
    def seen(self) -> int:
        """Return the version that must be the newest still."""
        return self.newest or self.base


class Saved(msgspec.Struct, kw_only=True):
    """Say what became of an edit."""

    version: int
    """The version that was made; where somebody else was first, theirs."""
    outcome: str
    """`saved`, `same` (nothing was changed), `late` (another version is the newest by now) or `wrong`."""
    findings: list[Finding] = []


class Rulebook(Protocol):
    """Keep the rules' versions. Raises `Unavailable`; a text of None stands for a file that is not there."""

    async def now(self) -> RulesNow:
        """Return what the rules are now, with the newest versions."""
        ...

    async def version(self, number: int) -> VersionLine | None:
        """Return a version, None if there is none of this number."""
        ...

    async def versions(self, after: After | None, limit: int, by: str = "") -> Page:
        """Return versions (`VersionLine`), the newest first; `by`: only those that somebody made."""
        ...

    async def listed(self, number: int) -> list[tuple[str, list[FileLine]]]:
        """Return (kind of file, its files) of a version."""
        ...

    async def file(self, number: int, name: str) -> str | None:
        """Return a file of a version, None if there is no such file."""
        ...

    def beginning(self, name: str) -> str:
        """Return what a new file of this name begins with: a small example of its kind, or nothing."""
        ...

    def words(self, name: str) -> list[tuple[str, str]]:
        """Return (title, list) of what can be written in a file of this name."""
        ...

    async def files(self, number: int) -> dict[str, str] | None:
        """Return all files of a version, None if there is no such version."""
        ...

    async def by_themselves(self, number: int) -> dict[str, str]:
        """Return the templates of a version that cannot go to a cohort -> why: what they say is said at an event."""
        ...

    async def lists(self) -> frozenset[str]:
        """Return the static lists that the published version asks for."""
        ...

    async def written(self, kind: str) -> dict[str, Any]:
        """Return name -> what the published version says of each of the `scores`, `senders` or `interactions`."""
        ...

    async def check(self, number: int, name: str, text: str | None) -> list[Finding]:
        """Return what is wrong with a version in which one file is changed."""
        ...

    async def matching(self, number: int, name: str, text: str) -> Matching | None:
        """Return who matches what an edit touches: cohorts, what refers to them, scores, paths, interactions.

        None where it touches nothing of this, or is wrong.
        """
        ...

    async def compare_file(self, number: int, name: str, text: str | None) -> str:
        """Return what an edit changes, as a unified diff; empty for nothing."""
        ...

    async def compare(self, before: int, after: int) -> Compared:
        """Return what differs between two versions."""
        ...

    async def save(self, edit: Edit, by: str, at: datetime) -> Saved:
        """Make a version of an edit, if the newest one still is the one that was seen as such."""
        ...

    async def impact(self, number: int) -> list[Place]:
        """Return where runs stand that are on other versions than this one."""
        ...

    async def entering(self, number: int) -> list[str]:
        """Return, in words, how many would enter each path at once by a version."""
        ...

    async def publish(self, number: int, order: PublishOrder, by: str, at: datetime) -> Published:
        """Publish a version in the place of another, unless a third one is published by now."""
        ...
