"""Build gateways for tests: every port in memory, the clock at rest unless a test moves it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp

from messaging.gateway.app import build_app, serve
from messaging.gateway.deps import GATEWAY, Gateway, GatewayDeps
from messaging.gateway.limits import Limits
from messaging.gateway.readers import MemoryReplayQueue
from messaging.gateway.shop import add_shop
from messaging.journal.memory import MemoryJournal
from messaging.ports import Appended, Chunk
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.events import Record
from messaging.vocabulary.letters import decode_records

SECRET = b"a secret of the tests"
NOON = datetime(2017, 6, 1, 12, tzinfo=UTC)
ADMIN = {"Authorization": "Bearer the-token"}
KEY = "a-key"


class StillClock:
    """Tell the world time it was set to; machine time is real."""

    def __init__(self, now: datetime = NOON) -> None:
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
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


class FakePeers:
    """Hold chunks; `refusals` says how often to say no first, `gate` holds every delivery back."""

    def __init__(self, refusals: int = 0) -> None:
        self.chunks: dict[str, list[Chunk]] = {}
        self.refusals = refusals
        self.gate = asyncio.Event()
        self.gate.set()

    async def deliver(self, to: str, chunk: Chunk) -> bool:
        await self.gate.wait()
        if self.refusals:
            self.refusals -= 1
            if self.refusals % 2:
                raise Unavailable("not now")
            return False
        self.chunks.setdefault(to, []).append(chunk)
        return True

    def records(self, to: str = "behavior-0") -> list[Record]:
        return [
            record
            for chunk in self.chunks.get(to, [])
            if chunk.body
            for record in decode_records(chunk.body)
        ]


class FailingJournal(MemoryJournal):
    """Fail as told: `before` appends that do nothing, `after` appends that write and do not answer."""

    def __init__(self, database: MemoryDatabase, before: int = 0, after: int = 0) -> None:
        super().__init__(database)
        self.before = before
        self.after = after
        self.openings_failing = 0
        self.under_way = 0
        self.sizes: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def open_stream(self, writer: str) -> int:
        if self.openings_failing:
            self.openings_failing -= 1
            raise Unavailable("no journal")
        return await super().open_stream(writer)

    async def append(self, records: list[Record]) -> Appended:
        assert not self.under_way, "one insert under way"
        self.under_way += 1
        try:
            await self.gate.wait()
            if self.before:
                self.before -= 1
                raise Unavailable("no journal")
            # As bytes of their own: what the gateway changes later must not reach the journal.
            appended = await super().append([Record(*_fields(record)) for record in records])
            if self.after:
                self.after -= 1
                raise Unavailable("no answer")
            self.sizes.append(len(records))
            return appended
        finally:
            self.under_way -= 1


def _fields(record: Record) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in record.__struct_fields__)


A_TEST = {
    "name": "words",
    "policy": "x",
    "path": "x",
    "verdict": "x",
    "published": True,
    "as_of": NOON,
}


class FakeReader:
    """Know one visitor.

    `why`: why nobody may be written to; empty: they may.
    """

    def __init__(self, why: str = "") -> None:
        self.why = why

    async def visitor(self, id_: str) -> dict[str, object] | None:
        if id_ not in ("ann", "0a" * 12):
            return None
        return {"visitor_id": "0a" * 12, "at": NOON, "user_ids": ["u-ann"], "email": None}

    async def find(self, id_: str) -> str | None:
        return "0a" * 12 if id_ in ("ann", "ann@example.com") else None

    async def people(self, id_: str) -> list[str]:
        return ["0a" * 12, "0b" * 12] if id_ in ("ann", "0a" * 12, "0b" * 12) else []

    async def timeline(self, id_: str) -> list[dict[str, object]] | None:
        return [{"kind": "run.entered", "at": NOON}] if id_ == "ann" else None

    async def page(self, after: str, limit: int) -> list[dict[str, object]]:
        return [] if after else [{"visitor_id": "0a" * 12}][:limit]

    async def of_cohort(self, cohort: str, after: str, limit: int) -> list[dict[str, object]]:
        return await self.page(after, limit) if cohort == "leads" else []

    async def at_stage(
        self, path: str, stage: str, after: str, limit: int
    ) -> list[dict[str, object]]:
        return await self.page(after, limit) if stage == "invited" else []

    async def counted(self, *, cohort: str = "", path: str = "", stage: str = "") -> int:
        return 1

    async def unwritable(self, id_: str) -> str:
        return self.why

    async def stages(self, version: int | None = None) -> dict[str, list[str]]:
        return {"a": ["first", "second"], "b": ["first"], "lead": ["invited", "opened"]}

    async def paths(self) -> list[str]:
        return ["a", "b", "lead"]

    async def stats(self) -> dict[str, object]:
        return {"visitors": 1}

    async def policies_held(self) -> int:
        return 1

    async def experiments(self) -> list[dict[str, object]]:
        return [A_TEST]


def some_deps(**changes: object) -> GatewayDeps:
    """Return deps in memory; `database` and any field may be given."""
    database = changes.pop("database", None) or MemoryDatabase()
    given: dict[str, object] = {
        "journal": MemoryJournal(database),
        "store": MemoryStore(database),
        "peers": FakePeers(),
        "clock": StillClock(),
        "reader": FakeReader(),
        "replay": MemoryReplayQueue(),
        "secret": SECRET,
        "write_keys": frozenset({KEY}),
        "admin_token": "the-token",
        "limits": Limits(append_seconds_max=0.3, drain_seconds_max=1.0, settle_seconds_max=0.1),
        "wall_now": lambda: NOON,
        **changes,
    }
    return GatewayDeps(**given)


@asynccontextmanager
async def a_site(*, shop: bool = False, **changes: object):
    """Serve a gateway on a free port of loopback; give a session bound to it and the gateway behind."""
    app = build_app(some_deps(**changes))
    if shop:
        add_shop(app, KEY)
    runner = await serve(app, "127.0.0.1", 0)
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession(
            f"http://127.0.0.1:{port}", auto_decompress=False
        ) as session:
            yield session, app[GATEWAY]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def a_gateway(**changes: object):
    """Run a gateway without HTTP."""
    gateway = Gateway(some_deps(**changes))
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


async def until(true, seconds: float = 5.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.002)


def a_record(number: int, *, partition: int = 0, at: datetime = NOON, size: int = 20) -> Record:
    """Return a record as the routes make them: without a position."""
    return Record(0, f"m{number}", partition, at, at, "", b"{" + b" " * (size - 2) + b"}")
