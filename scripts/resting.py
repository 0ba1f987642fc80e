"""Hold what costs something to sum up: it is made at most a tenth of the time, however many look at it.

Whoever comes meanwhile gets what was made last, with the moment it is of; who comes first waits, and who comes when
nobody has looked for long: what stood at the last look is no news then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from messaging.ports import Clock
from messaging.vocabulary.errors import WorldError

REST_SECONDS, REST_SHARE = 5.0, 10.0
OLD_SECONDS = 60.0
"""What was made so long ago is waited for anew, where it may be made."""

Made = TypeVar("Made")


class Resting(Generic[Made]):
    """Make something now and then. Parameters: how, and the clock whose machine time counts."""

    def __init__(self, make: Callable[[], Awaitable[Made]], clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._turn = asyncio.Lock()
        self._held: tuple[Made] | None = None
        self._made_at = self._rests_until = 0.0
        self._work: asyncio.Task[None] | None = None

    async def now(self) -> Made:
        """Return it as it was a moment ago."""
        if self._held is None:
            await self._make_it()
        elif (now := self._clock.machine()) >= self._rests_until:
            if now - self._made_at > OLD_SECONDS:
                await self._anew()
            elif not self._turn.locked():
                self._work = asyncio.create_task(self._anew())
        assert self._held is not None, "it was made"
        return self._held[0]

    async def _anew(self) -> None:
        try:
            await self._make_it()
        except WorldError:
            self._rests_until = self._clock.machine() + REST_SECONDS

    async def _make_it(self) -> None:
        async with self._turn:
            began = self._clock.machine()
            if self._held is not None and began < self._rests_until:
                return  # whoever came at the same time did it
            self._held = (await self._make(),)
            self._made_at = ended = self._clock.machine()
            self._rests_until = ended + max(REST_SECONDS, REST_SHARE * (ended - began))
