"""Run asyncio code on virtual time: when nothing is ready, time jumps to the next timer.

Rules
1. Time is a whole number of microseconds, so that the world clock made of it is exact.
2. Nothing outside can make a callback ready: there are no sockets, signals or threads in here.
3. The order of callbacks is asyncio's own, so one seed gives one history. Chance comes in by the ports.
"""

from __future__ import annotations

import asyncio
import math
from asyncio import base_events
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any


class Deadlock(Exception):  # noqa: N818
    """Say that everybody waits and no timer is set."""


class _Selector:
    """Stand where asyncio asks for sockets: nothing ever comes in, time passes instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Deadlock("nothing is ready and nothing is due")
        if timeout > 0:
            self._loop.jump()
        return []


class VirtualLoop(base_events.BaseEventLoop):
    """Be an event loop whose time costs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.micros = 0
        self._selector = _Selector(self)
        self._clock_resolution = 1e-6
        self.set_task_factory(_quiet_task)

    def time(self) -> float:
        return self.micros / 1e6

    def jump(self) -> None:
        """Go to the next timer."""
        when = self._scheduled[0]._when
        self.micros = max(self.micros, math.ceil(when * 1e6 - 1e-3))

    def _process_events(self, event_list: list[Any]) -> None:
        """Take what the selector found: nothing, always."""

    def _write_to_self(self) -> None:
        """Wake nobody: there is no other thread."""


def _quiet_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **keys: Any
) -> asyncio.Task[Any]:
    """Make a task that may stay pending for good: a killed process never goes on."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **keys)
    task._log_destroy_pending = False
    return task


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on a loop of its own."""
    loop = VirtualLoop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(coroutine)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


class SimClock:
    """Tell world time as the start plus virtual time (`messaging.ports.Clock`)."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._loop = asyncio.get_running_loop()
        assert isinstance(self._loop, VirtualLoop)

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self._loop.micros)

    def seconds_until(self, at: datetime) -> float | None:
        return max(0.0, (at - self.now()).total_seconds())

    def machine(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
