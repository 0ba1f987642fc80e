"""Run the whole house in one loop: a gateway over real HTTP, and a real shard of each bot; no Ray, no SMTP.

With a transport its Email hands e-mails over to that; each is its send's id and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec

from agents.protocol.bot import View
from agents.runtime.limits import Limits as ShardLimits
from agents.runtime.offers import StoredOffers
from agents.runtime.postman import Letterpress, Postman
from agents.runtime.readers import StoreReader
from agents.runtime.registry import IDENTITY, WIRING, senders_of, shard_names
from agents.runtime.shard import Shard
from agents.runtime.spec import ShardSpec
from messaging.gateway.limits import Limits
from messaging.mail.memory import MemoryTransport
from messaging.ports import Chunk, Journal, Store
from messaging.vocabulary.effects import HandOver
from scripts.desk import ConsoleDesk
from tests.gateway_builders import KEY, a_site
from tests.on_site_builders import default_view
from tests.runtime_builders import Silent

SHARDS = {bot: 1 for bot in WIRING if bot != "social"}


BEGINS = datetime(2026, 12, 2, 9, tzinfo=UTC)
"""A Wednesday morning: at the best hour of a day the first e-mails would go out at once, and a jump of 30 hours must
not end in the night."""


class MovedClock:
    """Run as the machine's time does, from one moment on, and moved by what a test skips."""

    def __init__(self) -> None:
        self.moved = BEGINS - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.moved

    def catch_up(self, at: datetime) -> None:
        """Do nothing: there is one clock for all."""

    def seconds_until(self, at: datetime) -> float | None:
        return max(0.0, (at - self.now()).total_seconds())

    def seconds_since(self, at: datetime) -> float:
        return max(0.0, (self.now() - at).total_seconds())

    def machine(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def send_alone(_visitor: str, act: HandOver) -> Letterpress:
    """Compose an e-mail that only says which send it is."""
    return Letterpress("shop@shop.example", act.address, act.plan.send_id.encode())


class House:
    """Hold the parts, and be their way to each other."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        view: View,
        bots: Mapping[str, Any] | None = None,
        build: str = "",
        post: MemoryTransport | None = None,
    ) -> None:
        self.store = store
        self._build = build
        self.post = post
        self._bots = bots or {}
        self.clock = MovedClock()
        self.shards = {
            name: Shard(self._spec(name, store, journal, view)) for name in shard_names(SHARDS)
        }
        self.session: aiohttp.ClientSession
        self.gateway: Any

    def _spec(self, name: str, store: Store, journal: Journal, view: View) -> ShardSpec:
        bot = name.partition("-")[0]
        wiring = WIRING[bot]
        mails = self.post if wiring.hands_mail_over else None
        return ShardSpec(
            bot=self._bots.get(bot) or wiring.make(),
            index=0,
            of=1,
            shards=SHARDS,
            senders=senders_of(bot, SHARDS),
            store=store,
            peers=self,
            clock=self.clock,
            view=view,
            log=Silent(),
            jitter=lambda: 0.5,
            journal=journal if wiring.reads_journal else None,
            identity=IDENTITY if wiring.reads_journal else None,
            postman=Postman(mails, send_alone, self.clock) if mails is not None else None,
            limits=ShardLimits(sweep_seconds=0.2),
            build=self._build,
        )

    async def deliver(self, to: str, chunk: Chunk) -> bool:
        """Hand a chunk to a shard."""
        return self.shards[to].deliver(chunk)

    def skip(self, **times: float) -> None:
        """Let world time pass at once."""
        self.clock.moved += timedelta(**times)
        for shard in self.shards.values():
            shard.poke()

    async def call(self, kind: str, browser: str = "b1", **call: Any) -> None:
        """Send a call, as a browser does."""
        body = {"anonymousId": browser, "writeKey": KEY, **call}
        async with self.session.post(f"/v1/{kind}", json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def views(self, *paths: str, browser: str = "b1") -> None:
        """View pages."""
        for path in paths:
            await self.call("page", browser, context={"page": {"path": path}})

    async def poll(self, browser: str = "b1", after: str = "") -> dict[str, Any]:
        """Ask once what stands open."""
        asked = {"visitor": browser, "writeKey": KEY} | ({"after": after} if after else {})
        async with self.session.get("/v1/engagements", params=asked) as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    async def polled(self, *names: str, browser: str = "b1") -> dict[str, Any]:
        """Ask until exactly these interactions stand open."""
        found: dict[str, Any] = {}
        until = time.monotonic() + 10.0
        while time.monotonic() < until:
            found = await self.poll(browser)
            if {each["name"] for each in found["engagements"]} == set(names):
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"waited for {names}, found {found}")

    async def responds(
        self, id_: str, response: str, browser: str = "b1", tab: str = "t1", **more: Any
    ) -> int:
        """Tell a response; return the status."""
        body = {"visitor": browser, "writeKey": KEY, "messageId": "m", "tab": tab, **more}
        path = f"/v1/engagements/{id_}/{response}"
        async with self.session.post(path, json=body) as answer:
            return answer.status

    async def visitor(self, browser: str = "b1") -> dict[str, Any]:
        """Return what is known of a visitor, in the shape of the admin API."""
        found = await StoreReader(self.store).visitor(browser)
        assert found is not None
        return found

    async def until(self, true: Any, seconds: float = 10.0) -> None:
        """Wait until a condition of the visitor holds."""
        until = time.monotonic() + seconds
        while not true(await self.visitor()):
            assert time.monotonic() < until, await self.visitor()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def a_house(
    store: Store,
    journal: Journal,
    view: View | None = None,
    *,
    shop: bool = False,
    veil: Callable[[str], str] | None = None,
    bots: Mapping[str, Any] | None = None,
    build: str = "",
    post: MemoryTransport | None = None,
    **limits: Any,
) -> AsyncIterator[House]:
    """Run a house while a block lasts; `bots`: name -> what runs instead of the bot of this name; `build`: its code."""
    seen = view or default_view()
    if veil is not None:
        seen = msgspec.structs.replace(seen, veil=veil)
    house = House(store, journal, seen, bots, build, post)
    tasks = [asyncio.ensure_future(shard.run()) for shard in house.shards.values()]
    async with asyncio.timeout(60):
        while any(shard.report() is None for shard in house.shards.values()):
            await asyncio.sleep(0.005)
    deps: dict[str, Any] = {
        "store": store,
        "journal": journal,
        "desk": ConsoleDesk(store, dict, house.clock),
        "peers": house,
        "clock": house.clock,
        "reader": StoreReader(store),
        "offers": StoredOffers(store),
        "limits": Limits(look_seconds=0.02, drain_seconds_max=1.0, **limits),
        "wall_now": house.clock.now,
    }
    try:
        async with a_site(shop=shop, **deps) as (session, gateway):
            house.session, house.gateway = session, gateway
            yield house
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
