"""Keep versions of the rules: push a folder as one, publish one, write one out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from agents.rules.compiled import CompiledRules
from agents.rules.ruleset import name_of
from agents.rules.source import parse
from agents.rules_manager.editing import RUNS, STAY
from agents.runtime.figures import standing_in
from agents.runtime.views import PUBLICATIONS, PUBLISHED, VERSIONS, VERSIONS_MAX
from config.load import compile_files, read_folder
from messaging.ports import Store

PUBLICATIONS_MAX = 1_000
"""Shown of all there were: the newest."""
TRIES_MAX = 100
"""Versions that others may push while we do."""


async def push(store: Store, folder: Path, *, at: datetime, by: str) -> tuple[int, bool]:
    """Make a version of a folder's files; return its number, and False when the newest is the same.

    Raise RulesInvalid with every error.
    """
    return await push_files(store, read_folder(folder), at=at, by=by)


async def push_files(
    store: Store, files: Mapping[str, str], *, at: datetime, by: str, base: int | None = None
) -> tuple[int, bool]:
    """Make a version of files; return its number, and False when the newest is the same.

    Raise RulesInvalid with every error. `base`: the version that must be the newest; where another one is, its number
    is returned with False, and nothing is written.
    """
    compiled = await asyncio.to_thread(compile_files, files, 0)
    # The HTML is kept as it was compiled: no release of the compiler changes what a version says.
    html = {name: template.html for name, template in compiled.templates.items()}
    for _ in range(TRIES_MAX):
        last = await newest(store)
        if base is not None and last != base:
            return last, False
        if last and await files_of(store, last) == dict(files):
            return last, False
        row = {"files": dict(files), "html": html, "at": at, "by": by}
        if await store.swap_document(VERSIONS, str(last + 1), row, None):
            return last + 1, True
    raise AssertionError("somebody pushes without an end")


async def publish(
    store: Store,
    version: int,
    *,
    at: datetime,
    by: str,
    instead_of: int | None = None,
    runs: str = STAY,
) -> bool:
    """Let visitors enter paths by this version from now on, and say whether they do. An older version rolls back.

    Args:
        store: where versions are.
        version: the one to publish.
        at: world time.
        by: who does it.
        instead_of: the version that must be published until now (0: none); where another one is, nothing is changed.
        runs: what becomes of the runs under way on other versions: `stay`, `migrate` or `exit`
            (`agents.runtime.mover`). Where they stood is kept with the publication.

    Raise ValueError for a `runs` that there is not, KeyError for a version that there is not.
    """
    if runs not in RUNS:
        raise ValueError(f"runs under way can {', '.join(RUNS)}, not {runs!r}")
    for _ in range(TRIES_MAX):
        before = await store.get_document(*PUBLISHED)
        if instead_of is not None and instead_of != (before["version"] if before else 0):
            return False
        number = before["number"] if before else 0
        if before is not None:
            await store.put_document(PUBLICATIONS, str(number), before)
        groups = await impact(store, version)
        fields = {"number": number + 1, "version": version, "at": at, "by": by, "runs": runs}
        fields["impact"] = msgspec.to_builtins(groups)
        # Whoever enters while this is published counts too: by the version before.
        others = {each.version for each in groups} | ({before["version"]} if before else set())
        fields["older_goals"] = await older_goals(store, version, others - {version})
        expected = {"number": number} if before is not None else None
        if await store.swap_document(*PUBLISHED, fields, expected):
            return True
    raise AssertionError("somebody publishes without an end")


async def publications(store: Store) -> list[dict[str, Any]]:
    """Return every publication, the newest first: `number`, `version`, `at`, `by`, `runs`, `impact`."""
    rows = await store.rows(PUBLICATIONS, {}, limit=PUBLICATIONS_MAX)
    last = await store.get_document(*PUBLISHED)
    found = {int(each["number"]): each for each in [*rows, *([last] if last else [])]}
    return [
        {name: value for name, value in found[number].items() if name != "id"}
        for number in sorted(found, reverse=True)
    ]


class Group(msgspec.Struct, frozen=True):
    """Count runs that stand at one place, and say what becomes of them by a publication."""

    path: str
    version: int
    stage: str
    runs: int
    """Under way."""
    waiting: int
    """Runs there that wait for a person; they go over, and do not end."""
    has_place: bool
    """Whether the version that would be published has this path and stage: only then can a run go over to it."""


async def impact(store: Store, version: int, rules: CompiledRules | None = None) -> list[Group]:
    """Return where runs stand that are on another version than this one, as of each shard's last commit.

    `rules`: the version compiled, where somebody has it. Raise KeyError for a version that there is not.
    """
    if rules is None:
        found = await store.get_document(VERSIONS, str(version))
        if found is None:
            raise KeyError(version)
        rules = await asyncio.to_thread(compile_files, found["files"], version, found.get("html"))
    standing = standing_in(await store.figures("rules"))
    others = {other for _, other, _ in standing if other != version}
    flows = {other: await _flows(store, other) for other in sorted(others)}
    return [
        Group(
            path,
            other,
            stage,
            runs,
            waiting,
            _has_place(rules, path, stage, is_flow=path in flows[other]),
        )
        for (path, other, stage), (runs, waiting) in sorted(standing.items())
        if other != version
    ]


async def older_goals(
    store: Store, version: int, others: Iterable[int]
) -> dict[str, dict[str, list[int]]]:
    """Return event -> path -> those of other versions whose goal it is, while it is none of this version's path."""
    present = await _goals(store, version)
    found: dict[str, dict[str, list[int]]] = {}
    for other in sorted(others):
        for path, goals in (await _goals(store, other)).items():
            for event in sorted(goals - present.get(path, set())):
                found.setdefault(event, {}).setdefault(path, []).append(other)
    return found


async def _goals(store: Store, version: int) -> dict[str, set[str]]:
    """Return path -> its goal, of a version."""
    return {
        path: set(data.get("goal", ())) for path, data in (await _paths(store, version)).items()
    }


async def _flows(store: Store, version: int) -> set[str]:
    """Return the paths of a version that are flows: none of their runs can go over to a loop, nor the reverse."""
    return {path for path, data in (await _paths(store, version)).items() if "steps" in data}


async def _paths(store: Store, version: int) -> dict[str, dict[str, Any]]:
    """Return path -> what its file says, of a version that was checked when it was made."""
    found = await store.get_document(VERSIONS, str(version))
    files = found["files"] if found is not None else {}
    return {
        name_of(file): parse(file, text).data
        for file, text in files.items()
        if file.startswith("paths/")
    }


def _has_place(rules: CompiledRules, path: str, stage: str, *, is_flow: bool) -> bool:
    rule = rules.paths.get(path)
    return rule is not None and stage in rule.places and bool(rule.steps) == is_flow


async def published(store: Store) -> int:
    """Return the version that is published, 0 if none is."""
    found = await store.get_document(*PUBLISHED)
    return int(found["version"]) if found else 0


async def newest(store: Store) -> int:
    """Return the newest version, 0 if there is none."""
    rows = await store.rows(VERSIONS, {}, limit=VERSIONS_MAX, only=())
    return max((int(row["id"]) for row in rows), default=0)


async def files_of(store: Store, version: int) -> dict[str, str] | None:
    """Return a version's files, None if there is no such version."""
    found = await version_of(store, version)
    return found[0] if found else None


async def version_of(
    store: Store, version: int
) -> tuple[dict[str, str], dict[str, str] | None] | None:
    """Return a version's files and the HTML of its e-mails, where that was kept; None if there is no such version."""
    found = await store.get_document(VERSIONS, str(version))
    return (dict(found["files"]), found.get("html")) if found else None


async def publish_when_empty(store: Store, folder: Path, at: datetime) -> int:
    """Publish a folder where no version is published yet; return the version, 0 if there was one."""
    if await published(store):
        return 0
    version, _ = await push(store, folder, at=at, by="up")
    await publish(store, version, at=at, by="up")
    return version
