"""Keep versions of the rules: push a folder as one, publish one, write one out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agents.rules_manager.editing import STAY
from agents.runtime.mover import DONE, MOVES, REPLACED, moves_any
from agents.runtime.views import PUBLICATIONS, PUBLISHED, VERSIONS, VERSIONS_MAX
from config.load import compile_files, read_folder
from messaging.gateway.console.publications import decided, published_change, saved_change
from messaging.ports import Store
from messaging.store.audit_log import note
from scripts.impact import check_choice, check_groups, impact, in_all, paths_of

UP = "up"
"""Stands for a start that published what it found."""
PUBLICATIONS_MAX = 1_000
OF_MOVES = ("status", "action", "told", "left", "stay")
"""Shown of all there were: the newest."""
TRIES_MAX = 100
"""Versions that others may push while we do."""


class PublishedAlreadyError(ValueError):
    """A version is published already, and nothing is chosen for the runs under way; the text says so, and what to do.

    Publishing it once more would do nothing, but end the moving of runs that its publication began.
    """


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
    groups: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any] | None:
    """Let visitors enter paths by this version from now on. An older version rolls back.

    Return what is kept of the publication (`publications`), None where another version is published than `instead_of`.

    Args:
        store: where versions are.
        version: the one to publish.
        at: world time.
        by: who does it.
        instead_of: the version that must be published until now (0: none); where another one is, nothing is changed.
        runs: what becomes of the runs under way on other versions: `stay`, `migrate` or `exit`
            (`agents.runtime.mover`).
        groups: group (`path/version/stage`) -> what becomes of those who stand there, where that is something else.

    Raise ImpossibleError for what cannot become of them, KeyError for a version that there is not,
    PublishedAlreadyError for the one that is published where `runs` and `groups` move nobody.
    """
    check_choice(runs)
    await check_groups(store, version, groups)
    for _ in range(TRIES_MAX):
        before = await store.get_document(*PUBLISHED)
        if instead_of is not None and instead_of != (before["version"] if before else 0):
            return None
        if (
            before is not None
            and before["version"] == version
            and not moves_any({"runs": runs, "groups": groups})
        ):
            raise PublishedAlreadyError(
                f"version {version} is published already: choose what becomes of those who are on a path by another "
                f"one (runs, groups), or publish another version"
            )
        number = before["number"] if before else 0
        if before is not None:
            await store.put_document(PUBLICATIONS, str(number), before)
        standing = await impact(store, version)
        fields = {"number": number + 1, "version": version, "at": at, "by": by, "runs": runs}
        fields["groups"] = dict(groups)
        fields["impact"] = [each.kept(groups.get(each.name, runs)) for each in standing]
        # Whoever enters while this is published counts too: by the version before.
        others = {each.version for each in standing} | ({before["version"]} if before else set())
        fields["older_goals"] = await older_goals(store, version, others - {version})
        expected = {"number": number} if before is not None else None
        if await store.swap_document(*PUBLISHED, fields, expected):
            return fields
    raise AssertionError("somebody publishes without an end")


async def publish_noted(
    store: Store,
    version: int,
    *,
    at: datetime,
    by: str,
    runs: str = STAY,
    groups: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Publish a version and write that into the audit log; return and raise as `publish` does."""
    before = await published(store)
    row = await publish(store, version, at=at, by=by, runs=runs, groups=groups)
    assert row is not None, "it takes the place of whatever is published"
    said = decided(in_all(row["impact"], runs))
    await note(store, published_change(version, before, said, by=by), at)
    return row


async def publications(store: Store) -> list[dict[str, Any]]:
    """Return every publication, the newest first: `number`, `version`, `at`, `by`, `runs`, `groups`, `impact`, `move`.

    `move`: how far the mover has come with the runs under way; None where it has not begun, or has nothing to do.
    """
    rows = await store.rows(PUBLICATIONS, {}, limit=PUBLICATIONS_MAX)
    last = await store.get_document(*PUBLISHED)
    found = {int(each["number"]): each for each in [*rows, *([last] if last else [])]}
    listed = await store.rows(MOVES, {}, limit=PUBLICATIONS_MAX, only=OF_MOVES)
    moves = {int(each.pop("id")): each for each in listed}
    newest_first = sorted(found, reverse=True)
    return [
        {name: value for name, value in found[number].items() if name != "id"}
        | {"move": _move(moves.get(number), found[number], is_newest=number == newest_first[0])}
        for number in newest_first
    ]


def _move(
    move: dict[str, Any] | None, row: dict[str, Any], *, is_newest: bool
) -> dict[str, Any] | None:
    """Return how a publication's move stands: one that was not done when another came is worked off no more."""
    if is_newest or not moves_any(row) or (move is not None and move["status"] == DONE):
        return move
    return {"told": {}, **(move or {}), "status": REPLACED}


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
        path: set(data.get("goal", ())) for path, data in (await paths_of(store, version)).items()
    }


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
    version, is_new = await push(store, folder, at=at, by=UP)
    if is_new:
        await note(store, saved_change(version, by=UP), at)
    await publish_noted(store, version, at=at, by=UP)
    return version
