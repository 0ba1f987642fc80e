"""Keep versions of the rules: push a folder as one, publish one, write one out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from agents.runtime.views import PUBLISHED, VERSIONS, VERSIONS_MAX
from config.load import compile_files, read_folder
from messaging.ports import Store

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
    store: Store, version: int, *, at: datetime, by: str, instead_of: int | None = None
) -> bool:
    """Let visitors enter paths by this version from now on, and say whether they do.

    `instead_of`: the version that must be published until now (0: none); where another one is, nothing is changed.
    """
    fields = {"version": version, "at": at, "by": by}
    if instead_of is None:
        await store.put_document(*PUBLISHED, fields)
        return True
    expected = {"version": instead_of} if instead_of else None
    return await store.swap_document(*PUBLISHED, fields, expected)


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
    found = await store.get_document(VERSIONS, str(version))
    return dict(found["files"]) if found else None


async def publish_when_empty(store: Store, folder: Path, at: datetime) -> int:
    """Publish a folder where no version is published yet; return the version, 0 if there was one."""
    if await published(store):
        return 0
    version, _ = await push(store, folder, at=at, by="up")
    await publish(store, version, at=at, by="up")
    return version
