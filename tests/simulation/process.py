"""Be one incarnation of an actor or a gateway: it can be killed at any of its port calls.

Rules
1. A dead process never goes on: each of its port calls waits for good, the one under way included.
2. A kill is aimed at the n-th port call from now, before or after the call took effect: most calls come in
   bursts around a commit, and that is where a kill hurts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Process:
    """Hold whether an incarnation lives, and what belongs to it."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.alive = True
        self.inside: Any = None
        """The shard or gateway that runs in it."""
        self.tasks: list[asyncio.Task[Any]] = []
        self.is_slow = False
        """A zombie: its commits take long, so that its successor is there before they are."""
        self._calls_left = -1
        self._effect_first = False
        self._is_fatal = True
        self._only = ""
        self._then: Callable[[Process], None] = lambda _: None

    def aim(
        self,
        calls: int,
        *,
        effect_first: bool,
        then: Callable[[Process], None],
        fatal: bool = True,
        only: str = "",
    ) -> None:
        """At the `calls`-th port call (of one kind) from now on: die, unless not `fatal`, and call `then`."""
        self._only = only
        self._calls_left = calls
        self._effect_first = effect_first
        self._is_fatal = fatal
        self._then = then

    def disarm(self) -> None:
        """Forget a kill that was aimed and has not happened."""
        self._calls_left = -1

    def kill(self) -> None:
        """Die now."""
        self.alive = False

    async def enter(self, kind: str = "") -> None:
        """Begin a port call: a dead process never gets through."""
        if not self.enters(kind):
            await forever()

    async def leave(self) -> None:
        """End a port call: its effect stands, its answer may never come."""
        if not self.leaves():
            await forever()

    def enters(self, kind: str = "") -> bool:
        """Begin a port call; False: the process is dead, and whoever calls must wait `forever`.

        What is asked so often is asked without a coroutine.
        """
        if self._calls_left > 0 and (not self._only or kind == self._only):
            self._calls_left -= 1
            if self._calls_left == 0 and not self._effect_first:
                self._hit()
        return self.alive

    def leaves(self) -> bool:
        """End a port call; False: the process is dead, as in `enters`."""
        if self._calls_left == 0 and self._effect_first and self.alive:
            self._hit()
        return self.alive

    def _hit(self) -> None:
        self._calls_left = -1
        if self._is_fatal:
            self.alive = False
        self._then(self)


async def forever() -> None:
    """Never come back."""
    await asyncio.get_running_loop().create_future()
