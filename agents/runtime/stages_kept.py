"""Tell the names of the stages that paths have, over the versions of the rules that are kept."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import yaml

from agents.runtime.views import PUBLICATIONS, PUBLISHED, VERSIONS, VERSIONS_MAX
from messaging.ports import Store

PUBLICATIONS_READ_MAX = 1_000
"""The newest publications: who is on a path only by an older one is on none of a version that is kept."""


class StagesKept:
    """Read which stages the paths of each kept version have.

    Parameters:
        store: where the versions of the rules are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._versions: dict[str, dict[str, list[str]]] = {}
        """Version -> path -> names of its stages: a version never changes, so each is read once."""

    async def names(self, version: int | None = None) -> dict[str, list[str]]:
        """Return path -> names of its stages, over all versions that are kept.

        With a version, over that one and the one that is published: where a run of it may go on.
        """
        await self._read()
        wanted = set(self._versions)
        if version is not None:
            published = await self._store.get_document(*PUBLISHED) or {}
            wanted &= {str(version), str(published.get("version"))}
        found: dict[str, list[str]] = {}
        for each in sorted(wanted, key=int, reverse=True):
            for path, names in self._versions[each].items():
                known = found.setdefault(path, [])
                known += [name for name in names if name not in known]
        return found

    async def versions_with(self, path: str) -> list[int]:
        """Return the versions that have a path, the newest first."""
        await self._read()
        return sorted((int(key) for key, of in self._versions.items() if path in of), reverse=True)

    async def paths(self) -> list[str]:
        """Return the paths of every version that is or was published, by name: somebody may be on them."""
        await self._read()
        rows = await self._store.rows(
            PUBLICATIONS, {}, limit=PUBLICATIONS_READ_MAX, only=("version",)
        )
        last = await self._store.get_document(*PUBLISHED)
        versions = {str(row["version"]) for row in [*rows, *([last] if last else [])]}
        return sorted({path for each in versions for path in self._versions.get(each, ())})

    async def _read(self) -> None:
        rows = await self._store.rows(VERSIONS, {}, limit=VERSIONS_MAX, only=())
        for key in sorted({row["id"] for row in rows} - self._versions.keys(), key=int):
            row = await self._store.get_document(VERSIONS, key)
            if row is not None:
                self._versions[key] = stages_of([row])


def stages_of(versions: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return path -> names of its stages, over these versions of the rules."""
    found: dict[str, list[str]] = {}
    for row in versions:
        for name, text in row["files"].items():
            if name.startswith("paths/"):
                names = found.setdefault(PurePosixPath(name).stem, [])
                names += [each for each in places_of(yaml.safe_load(text)) if each not in names]
    return found


def places_of(path: dict[str, Any]) -> list[str]:
    """Return the names of a path's stages, or of its flow's steps, in the order of the file."""
    if "stages" in path:
        return [stage["name"] for stage in path["stages"]]
    names: list[str] = []
    waiting = list(path.get("steps", []))
    while waiting:
        step = waiting.pop(0)
        names.append(step["name"])
        branches = [step.get("then", []), step.get("else", [])]
        branches += [way.get("steps", []) for way in step.get("split", {}).get("ways", [])]
        waiting = [*(each for branch in branches for each in branch), *waiting]
    return names
