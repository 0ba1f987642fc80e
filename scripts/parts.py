"""Be the part that most actors run: a shard with its view and its connections.

Rules
1. A part looks for a new view by itself now and then, and at once when it is told (`refresh`).
2. Whether hand-overs are paused stands in the store: a part that starts again finds it there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

import structlog

from agents.protocol.bot import View
from agents.runtime.gate import GateReport
from agents.runtime.shard import Shard
from agents.runtime.views import PAUSE, ViewLoader
from messaging.ports import Chunk, Store
from messaging.store.connection import Connection
from messaging.store.mongo import MongoStore
from messaging.vocabulary.errors import WorldError

REFRESH_SECONDS = 20.0
"""A part is told of what is new; this is for the case that nobody did."""

log = structlog.get_logger()


class Closing(Protocol):
    """Have connections that must be closed."""

    async def close(self) -> None:
        """Close every connection."""
        ...


class ViewBox:
    """Hold the view of one process, and load it again."""

    def __init__(self, loader: ViewLoader, store: Store) -> None:
        self._loader = loader
        self._store = store
        self.view: View

    async def first(self) -> None:
        """Load the view for the first time."""
        self.view = await self._loader.load()

    async def newer(self) -> View | None:
        """Return a newer view, if there is one, and keep it."""
        found = await self._loader.changed()
        if found is not None:
            self.view = found
            log.info("view.loaded", rules=found.rules_version, policies=len(found.snapshots))
        return found

    async def paused(self) -> frozenset[str] | None:
        """Return the paths whose hand-overs are held; None: all of them."""
        found = await self._store.get_document(*PAUSE)
        paths = found["paths"] if found else []
        return None if paths == "all" else frozenset(paths)


class ShardPart:
    """Run one shard (`agents.cluster.part.Part`)."""

    def __init__(
        self,
        shard: Shard,
        views: ViewBox,
        connection: Connection,
        store: MongoStore,
        used: Sequence[Closing],
    ) -> None:
        self._shard = shard
        self._views = views
        self._connection = connection
        self._store = store
        self._used = used
        self._draining = False

    async def run(self) -> None:
        """Work until drained."""
        self._shard.set_paused(await self._views.paused())
        refreshing = asyncio.create_task(self._refresh_always())
        try:
            await self._shard.run()
        finally:
            refreshing.cancel()
            await asyncio.gather(refreshing, return_exceptions=True)

    async def drain(self) -> None:
        """Take nothing new from the sources and finish what has arrived."""
        self._draining = True
        await self._shard.drain()

    async def close(self) -> None:
        """Close every connection."""
        for each in self._used:
            await each.close()
        await self._store.close()
        await self._connection.close()

    def deliver(self, chunk: Chunk) -> bool:
        """Take a chunk."""
        return self._shard.deliver(chunk)

    def report(self) -> GateReport | None:
        """Return what the world clock must wait for."""
        return self._shard.report()

    def metrics(self) -> dict[str, float]:
        """Return how it fares."""
        return self._shard.metrics()

    def poke(self) -> None:
        """Look for work."""
        self._shard.poke()

    def set_paused(self, paths: frozenset[str] | None) -> None:
        """Hold the hand-overs of these paths."""
        self._shard.set_paused(paths)

    def tell_others(self, metrics: dict[str, dict[str, float]]) -> None:
        """Hear how the others fare: a shard shows nobody."""

    async def refresh(self) -> None:
        """Look for a newer view, and for what is paused."""
        view = await self._views.newer()
        if view is not None:
            self._shard.set_view(view)
        if not self._draining:
            self._shard.set_paused(await self._views.paused())

    async def _refresh_always(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with contextlib.suppress(WorldError):  # the store is away: the view stays as it is
                await self.refresh()
