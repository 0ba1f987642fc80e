"""Be the part that a gateway's actor runs: the site, and what it shows of the others.

Rules
1. What is shown of the others is what the supervisor told last.
2. A pause and a publication that come in here are told to every shard at once.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from agents.runtime.broadcaster import Broadcaster
from agents.runtime.eraser import Eraser
from agents.runtime.filler import Filler
from agents.runtime.gate import GateReport
from agents.runtime.looking import Looking
from agents.runtime.mover import Mover
from agents.runtime.offers import StoredOffers
from agents.runtime.readers import StoreReader
from messaging.clock import GatedClock, RealClock
from messaging.gateway.app import build_app, serve
from messaging.gateway.console.desk import Desk
from messaging.gateway.console.mailings import Mailings
from messaging.gateway.deps import GATEWAY, Gateway, GatewayDeps
from messaging.gateway.limits import Limits
from messaging.gateway.lowwater import oldest
from messaging.gateway.replay_mongo import MongoReplayQueue
from messaging.gateway.shop import add_shop
from messaging.gateway.supervise import end, supervise
from messaging.journal.mongo import MongoJournal
from messaging.mail.asking import LinkAsker
from messaging.mail.pool import SmtpPool
from messaging.mail.target import parse_smtp_url
from messaging.ports import Chunk, Peers, Store
from messaging.store.connection import Connection
from messaging.store.mongo import MongoStore
from messaging.vocabulary.events import Fact
from scripts.alerting import Alerting
from scripts.calling import Calling
from scripts.compose import Wiring, connected
from scripts.demo_company import Company
from scripts.desk import ConsoleDesk
from scripts.erasing import broadcaster_of, eraser_of, filler_of, mover_of
from scripts.folder import RUN
from scripts.mailings import Post, StoredMailings
from scripts.published import PublishedScores
from scripts.rulebook import StoredRulebook
from scripts.telling import Reading, Telling, prometheus
from scripts.trial_process import TrialProcess
from scripts.trials import StoredTrials, TrialWork

SWITCH_SECONDS = 0.0002
"""How long a thread that wants the interpreter waits for it. An insert is the work of the driver's thread, and a busy
loop lets it in only then: at Python's 5 ms that was much of what an insert took. Measured with a gateway alone,
median of three: 6,400 -> 8,000 single requests a second."""

EXPORT_SECONDS_MAX = 120.0
EXPORT_BYTES_MAX = 32 * 1024 * 1024
"""One person's data, from a page; what takes longer or is more `mdma export` writes out."""

DEMO = "demo-1"
"""Under this name the supervisor tells how a demo fares (`scripts.demo.PART`)."""

ALERTING = "gateway-1"
"""The gateway that tells people of alerts, erases people, and carries trials out: one is enough, and more would take
the work from each other."""

log = structlog.get_logger()


async def build_gateway(name: str, wiring: Wiring, clock: RealClock, peers: Peers) -> GatewayPart:
    """Return the part of a gateway, ready to run."""
    sys.setswitchinterval(SWITCH_SECONDS)
    connection = connected(wiring)
    store = MongoStore(connection)
    replay = MongoReplayQueue(connection)
    await replay.ensure_indexes()
    part = GatewayPart(wiring.host, wiring.port, connection, store)
    part.run_file = Path(wiring.log_folder).parent / RUN
    part.shop_key = wiring.write_keys[0] if wiring.demo else ""
    telling = part.telling(store, peers, list(_names(wiring.shards)))
    trials = StoredTrials(store)
    deps = GatewayDeps(
        journal=MongoJournal(connection, wiring.key),
        store=telling,
        rulebook=StoredRulebook(telling, clock, wiring.consent),
        mailings=part.mailings(wiring, store, clock),
        trials=trials,
        peers=peers,
        clock=clock,
        reader=part.reading(
            StoreReader(
                store,
                MongoJournal(connection),
                now=clock.now,
                consent=wiring.consent,
                scores=PublishedScores(store),
            ),
            store,
            clock,
        ),
        replay=replay,
        desk=part.desk(wiring, store, clock),
        offers=StoredOffers(store),
        public_url=wiring.public_url,
        mail_folder=Path(wiring.mail_folder) if wiring.mail_folder else None,
        secret=wiring.key,
        write_keys=frozenset(wiring.write_keys),
        admin_token=wiring.admin_token,
        behavior_shards=wiring.shards["behavior"],
        bots=frozenset(bot for bot, count in wiring.shards.items() if count),
        hook_secrets=_hook_secrets(wiring),
        name=name,
        limits=Limits(linger_seconds_max=0.0) if isinstance(clock, GatedClock) else Limits(),
        more_metrics=part.others_text,
        is_ready=part.is_ready,
    )
    part.take(deps)
    if name == ALERTING:
        part.take_on(wiring, peers, clock, trials)
    return part


def _hook_secrets(wiring: Wiring) -> dict[str, tuple[bytes, ...]]:
    held = wiring.hook_secrets.items()
    return {source: tuple(each.encode() for each in secrets) for source, secrets in held}


def _names(shards: dict[str, int]) -> list[str]:
    return [f"{bot}-{index}" for bot, of in shards.items() for index in range(of)]


class GatewayPart:
    """Run one gateway (`agents.cluster.part.Part`)."""

    def __init__(self, host: str, port: int, connection: Connection, store: MongoStore) -> None:
        self._address = (host, port)
        self._connection = connection
        self._store = store
        self._deps: GatewayDeps | None = None
        self._gateway: Gateway | None = None
        self._alerting: Alerting | None = None
        self._eraser: Eraser | None = None
        self._mover: Mover | None = None
        self._trial_work: TrialWork | None = None
        self._filler: Filler | None = None
        self._broadcaster: Broadcaster | None = None
        self._calling: Calling | None = None
        self._mailings: StoredMailings | None = None
        self._stop = asyncio.Event()
        self.shop_key = ""
        """The write key of the demo shop; empty: there is no shop."""
        self.run_file: Path | None = None
        """Where `up` writes how the system is reached: nobody is told that it is ready before."""
        self._company = Company()
        self._others: dict[str, dict[str, float]] = {}

    def take(self, deps: GatewayDeps) -> None:
        """Take what the site is built from."""
        self._deps = deps

    def take_on(self, wiring: Wiring, peers: Peers, clock: RealClock, trials: StoredTrials) -> None:
        """Take on what one gateway does for the whole system."""
        connection, store = self._connection, self._store
        self.alert(Alerting(wiring, store, clock))
        self.erase(eraser_of(wiring, connection, store, peers=peers, clock=clock))
        self.move(mover_of(wiring, connection, store, peers=peers, clock=clock))
        self.carry_out(TrialWork(trials, store, TrialProcess(wiring), clock))
        self.fill(filler_of(wiring, connection, store, peers=peers, clock=clock))
        self.call(Calling(wiring, store, clock, self.journal_fact))
        self.broadcast(broadcaster_of(wiring, connection, store, peers=peers, clock=clock))

    def alert(self, alerting: Alerting) -> None:
        """Take who tells people of alerts."""
        self._alerting = alerting

    def erase(self, eraser: Eraser) -> None:
        """Take who erases people."""
        self._eraser = eraser

    def move(self, mover: Mover) -> None:
        """Take who moves runs to a version that was published."""
        self._mover = mover

    def carry_out(self, work: TrialWork) -> None:
        """Take who carries trials out."""
        self._trial_work = work

    def fill(self, filler: Filler) -> None:
        """Take who back-fills the cohorts of a version that was published."""
        self._filler = filler

    def broadcast(self, broadcaster: Broadcaster) -> None:
        """Take who passes over all visitors with a broadcast."""
        self._broadcaster = broadcaster

    def call(self, calling: Calling) -> None:
        """Take who calls the webhooks of paths."""
        self._calling = calling

    async def journal_fact(self, fact: Fact, message_id: str) -> bool:
        """Write a fact into the journal, through the gateway."""
        assert self._gateway is not None, "who calls begins after the gateway"
        return await self._gateway.journal_fact(fact, message_id)

    def telling(self, store: MongoStore, peers: Any, names: list[str]) -> Store:
        """Return the store as the site sees it: what is paused there is told to the shards at once."""
        return Telling(store, peers, names)

    def reading(self, reader: StoreReader, store: MongoStore, clock: RealClock) -> Any:
        """Return a reader that also knows how the parts fare."""
        return Reading(reader, Looking(store, reader), lambda: self._others, clock)

    def desk(self, wiring: Wiring, store: MongoStore, clock: RealClock) -> Desk:
        """Return who tells the console what it shows."""
        exporter = TrialProcess(wiring, EXPORT_SECONDS_MAX, EXPORT_BYTES_MAX)
        return ConsoleDesk(store, lambda: self._others, clock, self.run_file, exporter)

    def mailings(self, wiring: Wiring, store: MongoStore, clock: RealClock) -> Mailings:
        """Return who shows and tests templates."""
        post = Post(
            key=wiring.key,
            public_url=wiring.public_url,
            sender=wiring.sender,
            postal_address=wiring.postal_address,
            shop_url=wiring.public_url if wiring.demo else "",
        )
        is_real = not (wiring.demo or isinstance(clock, GatedClock))
        asks = LinkAsker(is_outside_open=is_real)
        made = StoredMailings(
            store, clock, post, lambda: SmtpPool(parse_smtp_url(wiring.smtp_url)), asks
        )
        self._mailings = made
        return made

    async def run(self) -> None:
        """Serve until drained."""
        assert self._deps is not None, "a gateway is given its ports first"
        app = build_app(self._deps)
        if self.shop_key:
            add_shop(app, self.shop_key, self._opened)
        runner = await serve(app, *self._address)
        self._gateway = app[GATEWAY]
        log.info("gateway.listening", host=self._address[0], port=self._address[1])
        works = {
            "alerts": self._alerting,
            "erasures": self._eraser,
            "moves": self._mover,
            "trials": self._trial_work,
            "fillings": self._filler,
            "broadcasts": self._broadcaster,
            "webhooks": self._calling,
        }
        tasks = [supervise(name, each.run) for name, each in works.items() if each is not None]
        try:
            await self._stop.wait()
        finally:
            for task in tasks:
                await end(task)
            await runner.cleanup()

    async def drain(self) -> None:
        """Take nothing new; `run` hands over what is held."""
        self._stop.set()

    async def close(self) -> None:
        """Close every connection."""
        if self._alerting is not None:
            await self._alerting.close()
        if self._calling is not None:
            await self._calling.close()
        if self._mailings is not None:
            await self._mailings.close()
        await self._store.close()
        await self._connection.close()

    def deliver(self, chunk: Chunk) -> bool:  # noqa: ARG002 - nobody sends a gateway anything
        """Refuse: a gateway is nobody's peer."""
        return False

    def report(self) -> GateReport | None:
        """Return what the world clock must wait for."""
        gateway = self._gateway
        if gateway is None:
            return None
        company = self._held_by_company(gateway)
        return GateReport(oldest(gateway.held_since(), company), gateway.next_due())

    def _held_by_company(self, gateway: Gateway) -> datetime | None:
        clock, demo = gateway.deps.clock, self._others.get(DEMO, {})
        watched = len(gateway.watch) > 0
        return self._company.held(clock.now(), clock.machine(), demo, watched=watched)

    def _opened(self) -> None:
        """Take note that somebody opened a page of the demo's shop."""
        assert self._gateway is not None, "pages are served once it runs"
        self._company.seen(self._gateway.deps.clock.machine())

    def metrics(self) -> dict[str, float]:
        """Return how it fares."""
        gateway = self._gateway
        if gateway is None:
            return {"ready": 0.0}
        events, size = gateway.collector.waiting()
        taken = gateway.metrics.taken._value.get()  # noqa: SLF001 - prometheus_client shows it no other way
        return {
            "ready": 1.0,
            "processed_total": float(taken),
            "waiting_events": float(events),
            "waiting_bytes": float(size),
            "backlog_events": float(sum(gateway.handover.backlog().values())),
        }

    def poke(self) -> None:
        """Look for work: the feeder asks the clock by itself."""

    def set_paused(self, paths: frozenset[str] | None) -> None:
        """Hold nothing: a gateway hands no mail over."""

    def tell_others(self, metrics: dict[str, dict[str, float]]) -> None:
        """Hear how the others fare."""
        self._others = metrics

    async def refresh(self) -> None:
        """See nothing: a gateway has no view."""

    def others_text(self) -> str:
        """Return the others' numbers in Prometheus' format."""
        return prometheus(self._others)

    async def is_ready(self) -> bool:
        """Say whether the parts behind are there, and `up` has said how they are reached."""
        if self.run_file is not None and not self.run_file.exists():
            return False
        return bool(self._others) and all(m.get("ready", 1.0) for m in self._others.values())
