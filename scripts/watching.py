"""Watch a running system: its actors, its mongod, its disk, and what was published for them.

Nothing here is needed for a crash of an actor to heal; mongod is started again when it dies. Ray's own processes are
not: without them no actor that dies comes back, so that the system ends, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from agents.cluster.keeper import Keeper
from agents.cluster.supervisor import Supervisor
from agents.runtime.views import ViewLoader
from messaging.store.embedded import EmbeddedMongo
from messaging.vocabulary.errors import WorldError, raised_at

MONGO_LOOK_SECONDS = 0.5
RAY_LOOK_SECONDS = 1.0
NEWS_SECONDS = 5.0
"""For what nobody told: whoever publishes through a gateway or the command line tells at once."""
DISK_LOOK_SECONDS = 5.0
PULSE_SECONDS = 3.0
"""Ray tells by itself when a process dies; the pulse finds what hangs, and feeds /metrics."""
QUIET_PULSE_SECONDS = 10.0
"""While nothing happens: a pulse is a call to every actor, and was a fifth of what an idle system used."""

log = structlog.get_logger()


async def always(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run a watcher, and again when it fails: the one place where every exception is caught."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - see above
            log.error("watch.failed", of=name, error=type(error).__name__, at=raised_at(error))  # noqa: TRY400 - one line
        await asyncio.sleep(1.0)


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Watchers:
    """Hold what is watched.

    Parameters:
        supervisor: of the actors.
        loader: says when rules or policies changed.
        mongo: the embedded server, None where one was given.
        keeper: of the world clock, None where world time is real time.
        ray_ended: says which process of Ray has ended that nobody starts again, empty if none.
        look_at_disk: says aloud when the disk fills.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        loader: ViewLoader,
        *,
        mongo: EmbeddedMongo | None,
        keeper: Keeper | None,
        ray_ended: Callable[[], str] = str,
        look_at_disk: Callable[[], None] = lambda: None,
    ) -> None:
        self._supervisor = supervisor
        self._loader = loader
        self._mongo = mongo
        self._keeper = keeper
        self._ray_ended = ray_ended
        self._look_at_disk = look_at_disk
        self._done = 0.0

    async def watch(self, stop: asyncio.Event) -> str:
        """Watch until asked to stop, or until a process of Ray has ended that nobody starts again: return its name."""
        lost: list[str] = []
        tasks = [
            asyncio.create_task(always("ray", lambda: self._watch_ray(stop, lost))),
            asyncio.create_task(always("supervisor", self._pulse)),
            asyncio.create_task(always("mongo", self._watch_mongo)),
            asyncio.create_task(always("news", self._watch_news)),
            asyncio.create_task(always("disk", self._watch_disk)),
        ]
        await stop.wait()
        for task in tasks:
            await end(task)
        return "".join(lost[:1])

    async def _watch_ray(self, stop: asyncio.Event, lost: list[str]) -> None:
        while not stop.is_set():
            await asyncio.sleep(RAY_LOOK_SECONDS)
            if name := self._ray_ended():
                lost.append(name)
                stop.set()
        await asyncio.Event().wait()

    async def _pulse(self) -> None:
        keeper = self._keeper
        if keeper is not None:
            self._supervisor.extras["clock-1"] = {
                "world_seconds": keeper.clock.now().timestamp(),
                "speed_reached": keeper.reached(),
            }
        metrics = await self._supervisor.look()
        done = _done(metrics)
        # A gated world's time is told with the pulse, too.
        is_quiet = keeper is None and done == self._done and None not in metrics.values()
        self._done = done
        await asyncio.sleep((QUIET_PULSE_SECONDS if is_quiet else PULSE_SECONDS) - 1.0)

    async def _watch_mongo(self) -> None:
        mongo = self._mongo
        if mongo is None:
            await asyncio.Event().wait()
            return
        while True:
            await asyncio.sleep(MONGO_LOOK_SECONDS)
            if not mongo.alive():
                log.warning("mongo.restarting")
                await mongo.start()
                log.info("mongo.restarted")

    async def _watch_disk(self) -> None:
        while True:
            self._look_at_disk()
            await asyncio.sleep(DISK_LOOK_SECONDS)

    async def _watch_news(self) -> None:
        """Tell the parts when rules or policies changed and nobody else told them."""
        seen: Any = None
        while True:
            with contextlib.suppress(WorldError):
                news = await self._loader.stamp()
                if seen is not None and news != seen:
                    await self._supervisor.refresh()
                seen = news
            await asyncio.sleep(NEWS_SECONDS)


def _done(metrics: dict[str, dict[str, float] | None]) -> float:
    """Return how much all parts together have done: their counters, added."""
    parts = [each for each in metrics.values() if each is not None]
    return sum(n for each in parts for name, n in each.items() if name.endswith("_total"))
