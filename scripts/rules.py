"""Keep versions of the rules: push a folder as one, publish one, write one out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from agents.runtime.views import PUBLISHED, VERSIONS
from config.load import compile_files, read_folder
from messaging.ports import Store


async def push(store: Store, folder: Path, *, at: datetime, by: str) -> tuple[int, bool]:
    """Make a version of a folder's files; return its number, and False when the newest is the same.

    Raise RulesInvalid with every error.
    """
    files = read_folder(folder)
    compiled = compile_files(files, 0)
    newest = await _newest(store)
    if newest is not None and newest["files"] == files:
        return int(newest["id"]), False
    version = int(newest["id"]) + 1 if newest is not None else 1
    # The HTML is kept as it was compiled: no release of the compiler changes what a version says.
    html = {name: template.html for name, template in compiled.templates.items()}
    row = {"files": files, "html": html, "at": at, "by": by}
    await store.put_document(VERSIONS, str(version), row)
    return version, True


async def publish(store: Store, version: int, *, at: datetime, by: str) -> None:
    """Let visitors enter paths by this version from now on."""
    await store.put_document(*PUBLISHED, {"version": version, "at": at, "by": by})


async def published(store: Store) -> int:
    """Return the version that is published, 0 if none is."""
    found = await store.get_document(*PUBLISHED)
    return int(found["version"]) if found else 0


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


async def _newest(store: Store) -> dict[str, Any] | None:
    rows = await store.rows(VERSIONS, {}, limit=10_000)
    return max(rows, key=lambda row: int(row["id"]), default=None)
