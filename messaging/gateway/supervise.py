"""Keep a background task alive: log what it died of, wait a moment, start it again.

This is the gateway's supervisor, the one place besides the request guard where every exception is caught:
a hand-over that ended silently would leave events to the sweeper for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

RESTART_SECONDS = 0.5


def supervise(name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    """Return a task that runs `work` and starts it again whenever it fails."""

    async def run() -> None:
        while True:
            try:
                await work()
                return
            except Exception as error:  # noqa: BLE001 - see above
                log.error(  # noqa: TRY400 - the text of an error may hold an address
                    "task.failed", task=name, error=type(error).__name__, place=place_of(error)
                )
            await asyncio.sleep(RESTART_SECONDS)

    return asyncio.create_task(run(), name=f"gateway.{name}")


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it is over."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def place_of(error: BaseException) -> str:
    """Return `file:line` where an error was raised; its text may hold somebody's data and is not logged."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
