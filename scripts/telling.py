"""Stand between the gateway and what it is given: tell shards of a pause, show how the parts fare."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from messaging.gateway.admin import PAUSE
from messaging.store.mongo import MongoStore

TOLD = {PAUSE, ("control", "published")}
"""Documents whose writing concerns every shard."""

Numbers = dict[str, dict[str, float]]


class Telling(MongoStore):
    """Be the store, and tell every shard when a document of concern was written.

    Parameters:
        store: what is stood in for; its connection is shared.
        peers: has `tell(name, order)`.
        names: the shards.
    """

    def __init__(self, store: MongoStore, peers: Any, names: list[str]) -> None:
        super().__init__(store._connection)  # noqa: SLF001 - the same store under another name
        self._peers = peers
        self._names = names

    async def put_document(self, collection: str, key: str, fields: dict[str, Any]) -> None:
        """Upsert a document; when it concerns the shards, return after each was told (or did not answer)."""
        await super().put_document(collection, key, fields)
        if (collection, key) in TOLD:
            await asyncio.gather(*(self._peers.tell(name, "refresh") for name in self._names))


class Reading:
    """Read visitors, and add to the system's counts how each part fares."""

    def __init__(self, reader: Any, parts: Callable[[], Numbers]) -> None:
        self._reader = reader
        self._parts = parts

    async def visitor(self, id_: str) -> dict[str, Any] | None:
        """Return one visitor."""
        found: dict[str, Any] | None = await self._reader.visitor(id_)
        return found

    async def timeline(self, id_: str) -> list[dict[str, Any]] | None:
        """Return one visitor's story."""
        found: list[dict[str, Any]] | None = await self._reader.timeline(id_)
        return found

    async def page(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Return a page of visitors."""
        found: list[dict[str, Any]] = await self._reader.page(after, limit)
        return found

    async def stages(self) -> dict[str, list[str]]:
        """Return path -> names of its stages."""
        found: dict[str, list[str]] = await self._reader.stages()
        return found

    async def stats(self) -> dict[str, Any]:
        """Return counts, with `parts`: name -> numbers."""
        return {**await self._reader.stats(), "parts": self._parts()}


def prometheus(parts: Numbers) -> str:
    """Return the parts' numbers in Prometheus' text format.

    >>> print(prometheus({"rules-0": {"rate": 2.0}}), end="")
    # TYPE mdma_rate gauge
    mdma_rate{bot="rules",shard="rules-0"} 2.0
    """
    keys = sorted({key for numbers in parts.values() for key in numbers})
    lines = []
    for key in keys:
        lines.append(f"# TYPE mdma_{key} gauge")
        for name in sorted(parts):
            if key in parts[name]:
                bot = name.rpartition("-")[0]
                lines.append(f'mdma_{key}{{bot="{bot}",shard="{name}"}} {parts[name][key]}')
    return "".join(f"{line}\n" for line in lines)
