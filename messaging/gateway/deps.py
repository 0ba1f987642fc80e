"""Hold what the gateway is given, and what it makes of it: `GatewayDeps` in, `Gateway` behind every route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from aiohttp import web

from messaging.gateway.attention import Attention
from messaging.gateway.collect import Collector
from messaging.gateway.console.desk import Desk
from messaging.gateway.console.entrance import Entrance
from messaging.gateway.console.mailings import Mailings
from messaging.gateway.console.rulebook import Rulebook
from messaging.gateway.console.trials import Trials
from messaging.gateway.handover import HandOver
from messaging.gateway.hooks.waiting import WaitingRefunds
from messaging.gateway.keys import Keys
from messaging.gateway.limits import Limits
from messaging.gateway.lowwater import oldest
from messaging.gateway.metrics import GatewayMetrics
from messaging.gateway.problems import overloaded
from messaging.gateway.readers import NoOffers, OfferReader, ReplayQueue, VisitorReader
from messaging.gateway.replay import Feeder
from messaging.gateway.validate import Reader
from messaging.gateway.watch import Watch
from messaging.mail.tokens import verify_browser_tag
from messaging.ports import Clock, Journal, Peers, Store
from messaging.vocabulary.events import Fact, Record
from messaging.vocabulary.ids import partition_of


def _wall_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class GatewayDeps:
    """Give the gateway its ports and settings."""

    journal: Journal
    store: Store
    peers: Peers
    clock: Clock
    reader: VisitorReader
    replay: ReplayQueue
    secret: bytes
    """Signs and checks tokens (`MDMA_SECRET`)."""
    write_keys: frozenset[str]
    """At least one; no request without one of them is taken."""
    admin_token: str
    offers: OfferReader = field(default_factory=NoOffers)
    """Looks at what stands open on the site."""
    behavior_shards: int = 1
    bots: frozenset[str] = frozenset()
    """Those that run; empty: whichever is asked for."""
    name: str = "gateway-1"
    public_url: str = ""
    """Where people reach the gateway; https there makes its cookies secure ones."""
    desk: Desk | None = None
    """Tells the console what it shows; None: the console has nothing to show but its frame."""
    rulebook: Rulebook | None = None
    """Keeps the rules' versions for the console."""
    mailings: Mailings | None = None
    """Shows and tests templates for the console."""
    trials: Trials | None = None
    """Keeps trials of drafts, and has them carried out."""
    hook_secrets: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    """Source of webhooks -> the secrets that may sign them; without one the source's route is a 404."""
    limits: Limits = field(default_factory=Limits)
    mail_folder: Path | None = None
    """Where the built-in sink keeps e-mails; None where they go to another server."""
    more_metrics: Callable[[], str] | None = None
    """Gives more text in Prometheus' format for `/metrics`: the bots' series."""
    is_ready: Callable[[], Awaitable[bool]] | None = None
    """Says whether the rest of the system is ready for traffic (`/readyz`)."""
    wall_now: Callable[[], datetime] = _wall_now
    """The machine's own time: stands for a `sentAt` that a client did not send."""

    def is_secure(self, request: web.Request) -> bool:
        """Say whether a cookie may travel over TLS alone: people come by it, if perhaps only as far as a proxy."""
        return request.secure or self.public_url.startswith("https://")


class Gateway:
    """Run the parts behind the routes; one for each application."""

    def __init__(self, deps: GatewayDeps) -> None:
        assert all((deps.write_keys, deps.admin_token, deps.secret)), "`up` makes those not given"
        self.deps = deps
        self.keys = Keys(deps.write_keys, deps.admin_token)
        self.metrics = GatewayMetrics()
        self.room = Room(deps.limits.bodies_bytes_max)
        self.handover = HandOver(
            deps.peers, deps.clock, deps.behavior_shards, deps.limits, self.metrics
        )
        self.collector = Collector(
            deps.journal, self.handover, deps.clock, deps.name, deps.limits, self.metrics
        )
        self.refunds = WaitingRefunds(
            deps.store,
            self.collector.take,
            deps.secret,
            deps.clock,
            deps.limits.refunds_look_seconds,
        )
        self.reader = Reader(self._visitor_of_tag, deps.clock.now, deps.wall_now)
        self.feeder = Feeder(deps.replay, self.collector, self.reader, deps.clock)
        self.entrance = Entrance(deps.limits)
        self.watch = Watch(deps.offers, deps.clock, deps.limits)
        self.metrics.read(self._readings)
        self.attention = Attention(deps.store, deps.reader)

    async def start(self) -> None:
        """Begin to take, hand over and feed."""
        self.handover.start()
        await self.collector.start()
        self.feeder.start()
        self.watch.start()
        self.refunds.start()

    async def stop(self) -> None:
        """Feed no more, write what waits, hand over what is held; each within the drain time."""
        await self.refunds.stop()
        await self.watch.stop()
        await self.feeder.stop()
        await self.collector.stop()
        await self.handover.stop()

    async def journal_fact(self, fact: Fact, message_id: str = "") -> bool:
        """Write a fact of our own into the journal; True when durable and new, False for a repeat.

        Raise a 503 problem if it cannot be made durable now.
        """
        return (await self.journal_facts([(fact, message_id)]))[0]

    async def journal_facts(self, facts: list[tuple[Fact, str]]) -> list[bool]:
        """Write several facts, each with its message id, as one; see `journal_fact`."""
        now = self.deps.clock.now()
        records = [
            Record(
                position=0,
                message_id=message_id,
                partition=partition_of(fact.visitor),
                at=now,
                received_at=now,
                tagged="",
                raw=msgspec.json.encode(fact),
            )
            for fact, message_id in facts
        ]
        return await self.collector.take(records)

    def held_since(self) -> datetime | None:
        """Return the world time of the oldest thing taken and not handed over, at any time since the last call."""
        return self.collector.held_since()

    def next_due(self) -> datetime | None:
        """Return the oldest time of a replay call that was not fed, at any time since the last call."""
        return self.feeder.next_due()

    def low_water(self) -> datetime | None:
        """Return what the world clock's gate asks for: the older of `held_since` and `next_due`."""
        return oldest(self.held_since(), self.next_due())

    def _visitor_of_tag(self, text: str) -> str:
        return verify_browser_tag(self.deps.secret, text, self.deps.clock.now()) or ""

    def _readings(self) -> dict[str, dict[str, float]]:
        events, size = self.collector.waiting()
        return {
            "mdma_gateway_waiting": {"events": events, "bytes": size},
            "mdma_gateway_streams": {"open": float(len(self.watch))},
            "mdma_gateway_backlog_events": {
                shard: float(held) for shard, held in self.handover.backlog().items()
            },
        }


class Room:
    """Bound the bytes of all bodies that are being read and taken: connections × 500 KB would be a gigabyte."""

    __slots__ = ("_free",)

    def __init__(self, bytes_max: int) -> None:
        self._free = bytes_max

    def take(self, size: int) -> None:
        """Reserve room, or raise the 503 that there is none."""
        if size > self._free:
            raise overloaded("too many requests are being read")
        self._free -= size

    def give(self, size: int) -> None:
        """Give room back."""
        self._free += size


GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)
"""Finds the gateway of an application: `app[GATEWAY]`."""
