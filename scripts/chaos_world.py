"""Know a little late what time it is in the world of a system, also while parts of it are dead."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

from pymongo.errors import PyMongoError

from agents.cluster.keeper import CLOCK, CONTROL
from messaging.vocabulary.errors import WorldError
from scripts.bench_system import Running

LOOK_SECONDS = 0.25


class WorldTime:
    """Read the position that the keeper of the world clock writes down: it is never ahead of any part."""

    def __init__(self, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._look_seconds = look_seconds
        self.now = datetime.min.replace(tzinfo=UTC)
        self._turned = asyncio.Condition()

    async def follow(self, system: Running) -> None:
        """Read the clock until cancelled."""
        while True:
            with contextlib.suppress(WorldError, PyMongoError):
                kept = await system.store.get_document(CONTROL, CLOCK)
                if kept is not None:
                    async with self._turned:
                        self.now = kept["at"]
                        self._turned.notify_all()
            await asyncio.sleep(self._look_seconds)

    async def reached(self, at: datetime) -> None:
        """Wait until the world has come to a moment."""
        async with self._turned:
            await self._turned.wait_for(lambda: self.now >= at)
