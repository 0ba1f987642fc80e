"""Wait until every actor is ready: as long as a start takes, and as long as an upgrade gets on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from scripts.folder import Refused

SECONDS_MAX = 120.0
"""Since the last sign of getting on."""

LOOK_SECONDS = 0.1
SAID_EVERY = 100_000
"""States kept between two lines."""

Metrics = dict[str, dict[str, float] | None]
"""Actor -> its numbers, None while it does not answer."""


async def until_ready(
    look: Callable[[], Awaitable[Metrics]],
    say: Callable[[str], None],
    logs: Path,
    seconds_max: float = SECONDS_MAX,
) -> None:
    """Look until all are ready.

    The first start of other code copies every state first (`agents.runtime.checkpoint`): while their number grows,
    nobody is late. Raise `Refused` with the names of those who are.
    """
    copied, said = 0.0, 0.0
    metrics: Metrics = {}
    try:
        async with asyncio.timeout(seconds_max) as limit:
            while not all(map(_is_ready, (metrics := await look()).values())):
                count = sum(each.get("checkpoint_states", 0.0) for each in metrics.values() if each)
                if count > copied:
                    copied = count
                    limit.reschedule(asyncio.get_running_loop().time() + seconds_max)
                if copied and copied >= said:
                    said = copied + SAID_EVERY
                    say(f"upgrading: {copied:,.0f} states of the version before are kept so far")
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        late = [name for name, each in metrics.items() if not _is_ready(each)]
        names = ", ".join(late)
        raise Refused(
            f"{names} did not get ready in {seconds_max:g} s: start again, or see {logs}"
        ) from None


def _is_ready(metrics: dict[str, float] | None) -> bool:
    return metrics is not None and metrics.get("ready", 1.0) > 0
