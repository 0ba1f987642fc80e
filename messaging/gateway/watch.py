"""Look at the engagements of all connected browsers in one go, and wake those for whom something changed.

Rules
1. Nothing is promised in memory: what stands open is what the store says. A look that fails is made again.
2. A stream holds the last look and no queue: a slow browser costs nothing but its connection.
3. Nobody connected, nothing asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import structlog

from messaging.gateway.limits import Limits
from messaging.gateway.problems import overloaded
from messaging.gateway.readers import OfferReader, Offers
from messaging.gateway.supervise import end, supervise
from messaging.ports import Clock
from messaging.vocabulary.errors import WorldError

log = structlog.get_logger()


class Stream:
    """Stand for one connected browser."""

    def __init__(self, anonymous_id: str) -> None:
        self.anonymous_id = anonymous_id
        self.offers: Offers | None = None
        """What the last look found; None as long as nothing is known."""
        self._changed = asyncio.Event()

    def take(self, offers: Offers | None) -> None:
        """Take what a look found."""
        if offers is not None and (self.offers is None or _stamp(offers) != _stamp(self.offers)):
            self.offers = offers
            self._changed.set()

    def wake(self) -> None:
        """Let `changed` return."""
        self._changed.set()

    async def changed(self, seconds: float) -> bool:
        """Wait until there is something new; False if there was nothing for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Watch:
    """Know the connected browsers of one gateway.

    Parameters:
        reader: looks at what stands open.
        clock: machine time passes between looks.
        limits: how many browsers, how often.
    """

    def __init__(self, reader: OfferReader, clock: Clock, limits: Limits) -> None:
        self._reader = reader
        self._clock = clock
        self._limits = limits
        self._streams: set[Stream] = set()
        self._somebody = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.ending = False
        """True once the streams have to end."""

    def __len__(self) -> int:
        """Return how many browsers are connected."""
        return len(self._streams)

    def start(self) -> None:
        """Begin to look."""
        self._task = supervise("watch", self._look_on)

    async def stop(self) -> None:
        """Look no more."""
        self.end()
        if self._task is not None:
            await end(self._task)

    def end(self) -> None:
        """Let every stream end: their browsers come back to whoever listens then."""
        self.ending = True
        for stream in self._streams:
            stream.wake()

    @contextmanager
    def stream(self, anonymous_id: str) -> Iterator[Stream]:
        """Hold a browser's stream while it is connected. Raise the 503 that there are too many."""
        if self.ending or len(self._streams) >= self._limits.streams_max:
            raise overloaded("too many browsers are connected; ask for JSON instead")
        stream = Stream(anonymous_id)
        self._streams.add(stream)
        self._somebody.set()
        try:
            yield stream
        finally:
            self._streams.discard(stream)
            if not self._streams:
                self._somebody.clear()

    async def _look_on(self) -> None:
        while True:
            await self._somebody.wait()
            try:
                await self._look()
            except WorldError as error:
                log.warning("watch.unavailable", error=type(error).__name__)
            await self._clock.sleep(self._limits.look_seconds)

    async def _look(self) -> None:
        by_browser: dict[str, list[Stream]] = {}
        for stream in self._streams:
            by_browser.setdefault(stream.anonymous_id, []).append(stream)
        waiting = iter(by_browser)
        while some := list(islice(waiting, self._limits.look_visitors_max)):
            found = await self._reader.offers(some)
            for anonymous_id in some:
                for stream in by_browser[anonymous_id]:
                    stream.take(found.get(anonymous_id))


def _stamp(offers: Offers) -> tuple[str, int]:
    return offers.visitor, offers.number
