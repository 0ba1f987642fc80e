"""Run the demo beside the system: an audience that lives, a world that goes fast, and a word about what has happened.

Rules
1. A demo has data of its own: it never begins on those of a system, whose leads are real.
2. The world goes fast until every row of the routine has been taken, then calmly, so that it can run for hours.
3. What is told of progress is read from what the bots wrote, never from what the audience meant to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from agents.cluster.keeper import CONTROL, Keeper
from agents.runtime.gate import GateReport
from config.settings import Settings
from learning.audience.cast import GONE
from learning.audience.crowd import Crowd
from messaging.mail.sink import Sink
from messaging.ports import Store
from scripts.demo_browser import CALL_SECONDS_MAX, Browser
from scripts.demo_colleague import Desk
from scripts.demo_driver import AT_ONCE_MAX, Driver
from scripts.demo_rows import Progress, Row
from scripts.demo_web import MadeUpWeb
from scripts.folder import Refused
from scripts.watching import always, end

SPEED = 3_600.0
"""A world-day in 24 seconds, until every row was taken: the slowest takes up to 17 days."""
HURRY = 7_200.0
"""While the world has to make up for somebody who slowed it by being in the shop."""
CALM = 1_440.0
"""A world-day in a minute afterwards."""
ROWS_SECONDS = 540.0
"""By then every row is to be taken: a minute before what is promised."""
ROWS_TAKE = timedelta(days=12)
"""So much world time every row takes at most: measured 10 to 11 days."""
BEHIND_SECONDS = 15.0
SEED = 1
NUMBERS_APART = 1_000
"""A demo that goes on makes new people: their numbers begin at the next of these."""
DEMO, PART = "demo", "demo-1"
LOOK_SECONDS = 2.0
NEWEST = 500
"""So many rows of a table are looked at for what is missing."""
SENDER = "Plain Things <hello@shop.example>"
POSTAL_ADDRESS = "7 Workshop Lane, Exampleton"


def with_demo(settings: Settings, now: datetime) -> Settings:
    """Return the settings of a demo: what nobody has set is made for it.

    Args:
        settings: as read.
        now: UTC; the world starts on the Monday before, in the morning.
    """
    monday = (now - timedelta(days=now.weekday())).replace(
        hour=6, minute=0, second=0, microsecond=0
    )
    wanted = {
        "speed": SPEED,
        "clock_start": monday,
        "sender": SENDER,
        "postal_address": POSTAL_ADDRESS,
    }
    given = settings.model_fields_set
    return settings.model_copy(update={k: v for k, v in wanted.items() if k not in given})


class Demo:
    """Hold the demo of one system.

    Parameters:
        settings: as `with_demo` returned them.
        say: tells the person at the console.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._say = say
        self._reads_mail = settings.smtp_url is None
        # Who names a speed gets it throughout.
        self._is_promised = settings.speed == SPEED
        self._calm = CALM if self._is_promised else settings.speed
        self._driver: Driver | None = None
        self._crowd: Crowd | None = None
        self._browser: Browser | None = None
        self._desk: Desk | None = None
        self._web = MadeUpWeb(SEED)
        self._tasks: list[asyncio.Task[None]] = []
        self._began = 0.0
        self._began_at: datetime

    def sink(self) -> Sink:
        """Return the sink: it refuses addresses that nobody has, and the audience reads the rest."""
        return Sink(answer=_refusal, told=self._arrived)

    async def weave(self, stack: AsyncExitStack, settings: Settings) -> Settings:
        """Serve a social web, and return the settings by which Social asks there.

        Who said whether Social runs is left alone, and so is a Ray of their own, whose actors may be elsewhere.
        """
        if "social" in settings.model_fields_set or settings.ray_address is not None:
            return settings
        await self._web.start()
        stack.push_async_callback(self._web.stop)
        return self._web.settings(settings)

    async def begin(self, store: Store, *, is_new: bool) -> None:
        """Find out where the audience goes on. Raise Refused on data that are no demo's."""
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._progress = Progress(self._rows, self._say, self._seconds)
        kept = await store.get_document(CONTROL, DEMO)
        if kept is None and not is_new:
            raise Refused("these data are not a demo's: name an empty folder with --data", 2)
        self._first = 0 if kept is None else -(-kept["next"] // NUMBERS_APART) * NUMBERS_APART
        await self._keep(self._first)

    async def start(
        self,
        stack: AsyncExitStack,
        keeper: Keeper,
        *,
        extras: dict[str, dict[str, float]],
        local_url: str,
        public_url: str,
        write_key: str,
        admin_token: str,
    ) -> None:
        """Let the audience live and tell what comes of it, until the stack is closed.

        Args:
            stack: ends it.
            keeper: of the world clock.
            extras: where its numbers stand for `mdma status`.
            local_url: where the gateway is reached from here.
            public_url: where links lead.
            write_key: the shop's.
            admin_token: the colleague's, who answers alerts.
        """
        self._keeper = keeper
        self._extras = extras
        self._crowd = Crowd(SEED, keeper.clock.now() + timedelta(minutes=10), self._first)
        self._web.live(self._crowd)
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
        connector = aiohttp.TCPConnector(limit=AT_ONCE_MAX)
        session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        stack.push_async_callback(session.close)
        self._browser = Browser(
            session,
            local_url=local_url,
            public_url=public_url,
            write_key=write_key,
            answers=self._crowd.answer,
        )
        self._driver = Driver(self._crowd, self._browser, keeper.clock)
        self._began, self._began_at = self._loop.time(), keeper.clock.now()
        self._tasks.append(asyncio.create_task(always("demo", self._driver.run)))
        stack.push_async_callback(self.end)
        self._desk = Desk(session, keeper.clock, SEED, local_url=local_url, admin_token=admin_token)
        self._tasks.append(asyncio.create_task(always("demo colleague", self._desk.run)))
        progress = asyncio.create_task(always("demo progress", self._follow))
        stack.push_async_callback(end, progress)

    def tell(self, url: str) -> None:
        """Say where to look."""
        self._say(f"shop       {url}/   (look around; an audience does so too)")
        if not self._reads_mail:
            self._say(
                "demo       mail goes to MDMA_SMTP_URL: nobody in the audience reads it there"
            )

    async def end(self) -> None:
        """Let nobody act any more. A second call does nothing."""
        if self._driver is not None:
            self._driver.end()
        for task in self._tasks:
            await end(task)

    def report(self) -> GateReport:
        """Return what the world clock must wait for."""
        return GateReport(None, None) if self._driver is None else self._driver.report()

    def numbers(self) -> dict[str, float]:
        """Return how the demo fares."""
        if self._crowd is None or self._browser is None or self._desk is None:
            return {}
        spare = {"spare_seconds": self._spare()} if self._is_promised else {}
        return {
            **self._progress.numbers(),
            **spare,
            "people": float(len(self._crowd)),
            "acts_total": float(self._browser.done),
            "refused_total": float(self._browser.refused),
            "alerts_answered_total": float(self._desk.answered),
        }

    def _arrived(self, path: Path) -> None:
        if self._driver is not None:
            self._loop.call_soon_threadsafe(self._driver.deliver, path)

    async def _follow(self) -> None:
        """Look now and then what has been taken, and let the world go calmly once all was."""
        assert self._crowd is not None, "an audience is followed once it lives"
        while True:
            is_over = await self._progress.look()
            if is_over or self._is_promised:
                self._keeper.pace(self._calm if is_over else pace(self._spare()))
            self._extras[PART] = self.numbers()
            await self._keep(self._crowd.next_number)
            await asyncio.sleep(LOOK_SECONDS)

    def _spare(self) -> float:
        return spare_seconds(self._seconds(), self._keeper.clock.now() - self._began_at)

    def _seconds(self) -> float:
        return self._loop.time() - self._began

    async def _rows(self, table: str, match: dict[str, Any]) -> list[Row]:
        return await self._store.rows(table, match, limit=NEWEST)

    async def _keep(self, number: int) -> None:
        await self._store.put_document(CONTROL, DEMO, {"next": number, "seed": SEED})


def spare_seconds(machine: float, world: timedelta) -> float:
    """Return for how many seconds the world may stand still, so that every row is taken in time all the same.

    Args:
        machine: seconds since the demo began.
        world: what has passed in the world since then.

    >>> spare_seconds(0.0, timedelta(0)), spare_seconds(100.0, timedelta(seconds=100 * SPEED))
    (252.0, 252.0)
    >>> spare_seconds(100.0, timedelta(0))
    152.0
    """
    left = max(timedelta(0), ROWS_TAKE - world)
    return ROWS_SECONDS - machine - left.total_seconds() / SPEED


def pace(spare: float) -> float:
    """Return the speed of a world that has so many seconds to spare, until every row was taken.

    >>> pace(252.0), pace(200.0)
    (3600.0, 7200.0)
    """
    is_behind = spare < spare_seconds(0.0, timedelta(0)) - BEHIND_SECONDS
    return HURRY if is_behind else SPEED


def _refusal(address: str) -> str | None:
    return "550 5.1.1 no such mailbox" if address.endswith(f"@{GONE}") else None
