"""Build a tiny bot and a shard around it, so that the runtime's promises can be tried without any real bot."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from agents.protocol.bot import View
from agents.runtime.held import Codec
from agents.runtime.limits import Limits
from agents.runtime.registry import IDENTITY
from agents.runtime.shard import Shard
from agents.runtime.spec import ShardSpec
from messaging.ports import Chunk, Clock
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.effects import LogStory, Tell, WakeAt
from messaging.vocabulary.ids import visitor_id_for
from messaging.vocabulary.letters import Letter, encode_letters
from messaging.vocabulary.messages import (
    Arrived,
    CohortEntered,
    CohortLeft,
    ScoreCrossed,
    Woke,
)

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Count(msgspec.Struct, array_like=True):
    """Count what came."""

    seen: list[str] = []
    woken: int = 0


class CountingBot:
    """Keep the cohorts, and the ids of events, in the order they came; tells `sales` of each cohort.

    `CohortLeft` asks for a wake-up in an hour, and the wake-up `a puts off b` moves `b` on by another one.
    """

    name = "rules"
    version = 1
    state_type = Count

    def fresh(self, visitor: str) -> Count:
        return Count()

    def upgrade(self, version: int, body: bytes) -> Count:
        raise ValueError((version, body))

    def step(self, state: Count, message: Any, now: datetime, view: View, draw: Any) -> list[Any]:
        match message:
            case CohortEntered(cohort="poison"):
                state.seen.append("half done")
                raise ValueError("poison")
            case CohortEntered(cohort=cohort):
                state.seen.append(cohort)
                return [Tell("sales", message), LogStory("seen", {"cohort": cohort})]
            case CohortLeft(cohort=cohort):
                return [WakeAt(cohort, now + timedelta(hours=1))]
            case Arrived(record=record):
                state.seen.append(record.message_id)
            case Woke(key=key):
                state.woken += 1
                other = key.partition(" puts off ")[2]
                if other:
                    return [WakeAt(other, now + timedelta(hours=1))]
            case ScoreCrossed():
                return [Tell("rules", message)]
        return []


class FakeClock:
    """Tell a world time that the test moves; machine time is the loop's."""

    def __init__(self, now: datetime = START) -> None:
        self.world = now

    def now(self) -> datetime:
        return self.world

    def catch_up(self, at: datetime) -> None:
        """Do nothing: there is one clock for all."""

    def seconds_until(self, at: datetime) -> float | None:
        return 0.0 if at <= self.world else None

    def seconds_since(self, at: datetime) -> float:
        return max(0.0, (self.world - at).total_seconds())

    def machine(self) -> float:
        return asyncio.get_event_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.001))


class Silent:
    """Keep the log's lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, event: str, **keys: Any) -> None:
        self.lines.append(("info", event, keys))

    def warning(self, event: str, **keys: Any) -> None:
        self.lines.append(("warning", event, keys))

    def error(self, event: str, **keys: Any) -> None:
        self.lines.append(("error", event, keys))


class Peer:
    """Take what is delivered, or refuse it."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Chunk]] = []
        self.open = True

    async def deliver(self, to: str, chunk: Chunk) -> bool:
        if self.open:
            self.got.append((to, chunk))
        return self.open


def a_shard(
    store: Any,
    *,
    peer: Peer | None = None,
    clock: Clock | None = None,
    journal: Any = None,
    **limits: Any,
) -> Shard:
    """Return a shard of the counting bot that hears `behavior-0` and itself, and the journal if there is one."""
    spec = ShardSpec(
        bot=CountingBot(),
        index=0,
        of=1,
        shards={"behavior": 1, "rules": 1, "sales": 1},
        senders=["behavior-0", "rules-0"],
        store=store,
        peers=peer or Peer(),
        clock=clock or FakeClock(),
        view=View(None, 0, {}, {}),
        log=Silent(),
        jitter=lambda: 0.5,
        journal=journal,
        identity=IDENTITY if journal is not None else None,
        limits=Limits(sweep_seconds=0.05, **limits),
    )
    return Shard(spec)


def a_database() -> MemoryDatabase:
    """Return an empty database."""
    return MemoryDatabase()


def a_store(database: MemoryDatabase) -> MemoryStore:
    """Return a handle on a database."""
    return MemoryStore(database)


def visitor(number: int) -> str:
    """Return a visitor's id."""
    return visitor_id_for(f"u:{number}")


def entered(number: int, cohort: str) -> CohortEntered:
    """Return a message for a visitor."""
    return CohortEntered(visitor=visitor(number), at=START, cohort=cohort)


def a_chunk(number: int, *messages: Any, sender: str = "behavior-0", depth: int = 0) -> Chunk:
    """Return chunk `number` of a sender's outbox."""
    letters = [Letter(depth, message) for message in messages]
    return Chunk(sender, number, number, START, encode_letters(letters))


class Running:
    """Run a shard while a block lasts; leaving it kills the shard as a crash would."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Shard:
        self.task = asyncio.ensure_future(self.shard.run())
        while self.shard.report() is None and not self.task.done():
            await asyncio.sleep(0)
        return self.shard

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait([self.task])


async def settle(shard: Shard, batches: int, seconds: float = 2.0) -> None:
    """Wait until a shard has committed so many batches, or fail."""
    until = asyncio.get_event_loop().time() + seconds
    while shard.metrics()["batches_total"] < batches:
        assert asyncio.get_event_loop().time() < until, shard.metrics()
        await asyncio.sleep(0.001)


async def state_of(store: MemoryStore, number: int) -> Count:
    """Return a visitor's stored state."""
    body = (await store.load("rules", [visitor(number)]))[visitor(number)]
    state: Count = Codec(CountingBot()).decode(body).state
    return state
