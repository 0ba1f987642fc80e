"""Keep versions of the rules: push files as one, publish one, say what that means for the people under way.

Rules
1. A version never changes, and its number is given once: of two who push at the same time one gets the next number.
2. Whoever edits says what their draft is based on; if another version was made since, they are told (`Overtaken`).
3. Who is on a path stays on their version, unless whoever publishes says otherwise (`agents.runtime.mover`).
4. Publishing an older version rolls back. Each publication is kept: which version, when, by whom, what it meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from agents.rules.compiled import CompiledRules
from agents.rules_manager.editing import RUNS, STAY
from agents.runtime.figures import standing_in
from agents.runtime.views import PUBLISHED, VERSIONS
from config.load import compile_files, read_folder
from messaging.ports import Store
from messaging.vocabulary.errors import MdmaError

PUBLICATIONS = "publications"
PUBLICATIONS_MAX = 1_000
"""Shown of all there were: the newest."""
TRIES_MAX = 20
"""Others who may push or publish in between, one after the other."""

Files = Mapping[str, str]


class Overtaken(MdmaError):  # noqa: N818 - a fact, as in vocabulary.errors
    """Say that somebody else made or published a version meanwhile; `newest` is theirs."""

    def __init__(self, newest: int, what: str) -> None:
        super().__init__(f"version {newest} was {what} meanwhile: look at it and try again")
        self.newest = newest


class Group(msgspec.Struct, frozen=True):
    """Count runs under way that stand at one place, and say what becomes of them by a publication."""

    path: str
    version: int
    stage: str
    runs: int
    waiting: int
    """Runs there that wait for a person; they go over, and do not end."""
    has_place: bool
    """Whether the version that would be published has this path and stage: only then can a run go over to it."""


async def push(store: Store, folder: Path, *, at: datetime, by: str) -> tuple[int, bool]:
    """Make a version of a folder's files; return its number, and False when the newest is the same.

    Raise RulesInvalid with every error.
    """
    return await push_files(store, read_folder(folder), at=at, by=by)


async def push_files(
    store: Store, files: Files, *, at: datetime, by: str, based_on: int | None = None
) -> tuple[int, bool]:
    """Make a version of files; return its number, and False when the newest is the same.

    Raise RulesInvalid with every error, Overtaken where the newest version is another than `based_on`.
    """
    compiled = compile_files(files, 0)
    # The HTML is kept as it was compiled: no release of the compiler changes what a version says.
    html = {name: template.html for name, template in compiled.templates.items()}
    row = {"files": dict(files), "html": html, "at": at, "by": by}
    for _ in range(TRIES_MAX):
        newest = await _newest(store)
        number = int(newest["id"]) if newest is not None else 0
        if newest is not None and newest["files"] == row["files"]:
            return number, False
        if based_on is not None and based_on != number:
            raise Overtaken(number, "made")
        if await store.swap_document(VERSIONS, str(number + 1), row, None):
            return number + 1, True
    raise Overtaken(number, "made")


async def publish(
    store: Store,
    version: int,
    *,
    at: datetime,
    by: str,
    runs: str = STAY,
    instead_of: int | None = None,
) -> list[Group]:
    """Let visitors enter paths by this version from now on; return where the runs under way stood.

    Args:
        store: where versions are.
        version: the one to publish; an older one rolls back.
        at: world time.
        by: who does it.
        runs: what becomes of runs under way on other versions: `stay`, `migrate` or `exit`.
        instead_of: the version that was published when they looked; another one now is `Overtaken`.

    Raise ValueError for a `runs` that there is not, KeyError for a version that there is not.
    """
    if runs not in RUNS:
        raise ValueError(f"runs under way can {', '.join(RUNS)}, not {runs!r}")
    for _ in range(TRIES_MAX):
        before = await store.get_document(*PUBLISHED)
        present = int(before["version"]) if before is not None else 0
        if instead_of is not None and instead_of != present:
            raise Overtaken(present, "published")
        number = int(before["number"]) if before is not None else 0
        if before is not None:
            await store.put_document(PUBLICATIONS, str(number), before)
        groups = await impact(store, version)
        fields = {
            "number": number + 1,
            "version": version,
            "at": at,
            "by": by,
            "runs": runs,
            "impact": msgspec.to_builtins(groups),
        }
        expected = {"number": number} if before is not None else None
        if await store.swap_document(*PUBLISHED, fields, expected):
            return groups
    raise Overtaken(present, "published")


async def publications(store: Store) -> list[dict[str, Any]]:
    """Return every publication, the newest first: `number`, `version`, `at`, `by`, `runs`, `impact`."""
    rows = await store.rows(PUBLICATIONS, {}, limit=PUBLICATIONS_MAX)
    last = await store.get_document(*PUBLISHED)
    found = {int(each["number"]): each for each in [*rows, *([last] if last else [])]}
    return [_without_id(found[number]) for number in sorted(found, reverse=True)]


async def impact(store: Store, version: int) -> list[Group]:
    """Return where runs under way stand that are on another version than this one.

    Raise KeyError for a version that there is not.
    """
    found = await store.get_document(VERSIONS, str(version))
    if found is None:
        raise KeyError(version)
    rules = compile_files(found["files"], version, found.get("html"))
    standing = standing_in(await store.figures("rules"))
    return [
        Group(path, other, stage, runs, waiting, _has_place(rules, path, stage))
        for (path, other, stage), (runs, waiting) in sorted(standing.items())
        if other != version
    ]


def _has_place(rules: CompiledRules, path: str, stage: str) -> bool:
    rule = rules.paths.get(path)
    return rule is not None and rule.stage(stage) is not None


async def published(store: Store) -> int:
    """Return the version that is published, 0 if none is."""
    found = await store.get_document(*PUBLISHED)
    return int(found["version"]) if found else 0


async def files_of(store: Store, version: int) -> dict[str, str] | None:
    """Return a version's files, None if there is no such version."""
    found = await store.get_document(VERSIONS, str(version))
    return dict(found["files"]) if found else None


async def versions(store: Store) -> list[dict[str, Any]]:
    """Return every version, the newest first: `version`, `at`, `by`, `files` (how many)."""
    rows = await store.rows(VERSIONS, {}, limit=10_000)
    found = [
        {"version": int(r["id"]), "at": r["at"], "by": r["by"], "files": len(r["files"])}
        for r in rows
    ]
    return sorted(found, key=lambda each: -each["version"])


async def publish_when_empty(store: Store, folder: Path, at: datetime) -> int:
    """Publish a folder where no version is published yet; return the version, 0 if there was one."""
    if await published(store):
        return 0
    version, _ = await push(store, folder, at=at, by="up")
    await publish(store, version, at=at, by="up")
    return version


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}


async def _newest(store: Store) -> dict[str, Any] | None:
    rows = await store.rows(VERSIONS, {}, limit=10_000)
    return max(rows, key=lambda row: int(row["id"]), default=None)
