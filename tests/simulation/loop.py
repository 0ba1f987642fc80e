"""Run asyncio code on virtual time: when nothing is ready, time jumps to the next timer.

Rules
1. Time is a whole number of microseconds, so that the world clock made of it is exact.
2. Nothing outside can make a callback ready: there are no sockets, signals or threads in here.
3. The order of callbacks is asyncio's own, and timers of one moment fire in the order in which they were set:
   so one seed gives one history. Chance comes in by the ports.
"""

from __future__ import annotations

import asyncio
import math
from asyncio import base_events
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

RESOLUTION = 1e-6
"""Seconds: a timer that is due within this is due now."""


class Deadlock(Exception):  # noqa: N818
    """Say that everybody waits and no timer is set."""


class VirtualLoop(base_events.BaseEventLoop):
    """Be an event loop whose time costs nothing.

    What asyncio does in each round for sockets, signals, threads and debugging is left out: of a simulated
    month it was a tenth. Rounds, and the order of callbacks in them, are asyncio's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.micros = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbered = 0

    def time(self) -> float:
        return self.micros / 1e6

    def _run_once(self) -> None:
        """Go to the next timer if nothing is ready, then run what is ready now, in order."""
        ready, timers = self._ready, self._timers
        while timers and timers[0][2]._cancelled:
            heappop(timers)
        if not ready and not self._stopping:
            self._jump()
        end = self.micros / 1e6 + RESOLUTION
        while timers and timers[0][0] < end:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                # Not `handle._run`, which tells a handler of what a callback raised: here it ends the run.
                handle._context.run(handle._callback, *handle._args)

    def _jump(self) -> None:
        if not self._timers:
            raise Deadlock("nothing is ready and nothing is due")
        self.micros = max(self.micros, math.ceil(self._timers[0][0] * 1e6 - 1e-3))

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.micros / 1e6 + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbered += 1
        heappush(self._timers, (when, self._numbered, handle))
        return handle

    def create_task(self, coroutine: Coroutine[Any, Any, Any], **keys: Any) -> asyncio.Task[Any]:
        """Make a task that may stay pending for good: a killed process never goes on."""
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=self, **keys)
        task._log_destroy_pending = False
        return task

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it in the heap: it is dropped when its time comes."""


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
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self._start = start
        self._loop = loop
        self._told = (-1, start)
        """Virtual time -> the world time that was told for it last: most ask several times at one moment."""

    def now(self) -> datetime:
        micros, told = self._told
        if micros != self._loop.micros:
            micros = self._loop.micros
            told = self._start + timedelta(microseconds=micros)
            self._told = (micros, told)
        return told

    def catch_up(self, at: datetime) -> None:
        """Do nothing: there is one clock for all."""

    def seconds_until(self, at: datetime) -> float | None:
        return max(0.0, (at - self.now()).total_seconds())

    def seconds_since(self, at: datetime) -> float:
        return max(0.0, (self.now() - at).total_seconds())

    def machine(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
