"""Put faults around the store and the journal: slow, unavailable before or after the fact, restarted.

Rules
1. What is asked of the database happens at one moment, or not at all; only the answer may lie about it.
2. `Watch` sees each commit at the moment it is applied, and each event that becomes durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar

from messaging.journal.memory import MemoryJournal
from messaging.ports import (
    Appended,
    BatchRecord,
    Checkpoint,
    Chunk,
    Commit,
    Ownership,
    StateRead,
    Store,
)
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.store.memory_sweep import MemorySweep
from messaging.vocabulary.errors import CommitUnknown, Conflict, Unavailable
from messaging.vocabulary.events import Record
from tests.simulation.chaos import JOURNAL, STORE, Chaos
from tests.simulation.process import Process, forever

T = TypeVar("T")

READS = {kind: share for kind, share in STORE.items() if kind.startswith("store.")}
COMMITS = {kind: share for kind, share in STORE.items() if kind.startswith("commit.")}


class Watch(Protocol):
    """See what the database takes."""

    def committed(self, commit: Commit) -> None:
        """Look at a batch that was written just now."""
        ...


class FaultyStore:
    """Be one process' handle on the store (`messaging.ports.Store`)."""

    def __init__(
        self, database: MemoryDatabase, process: Process, chaos: Chaos, watch: Watch
    ) -> None:
        self._inner = MemoryStore(database)
        self._database = database
        self._process = process
        self._chaos = chaos
        self._watch = watch
        self._loop = asyncio.get_running_loop()

    async def _call(self, ask: Callable[[], Awaitable[T]]) -> T:
        if not self._process.enters():
            await forever()
        self._raise_while_down()
        struck = self._chaos.strikes("store", READS)
        if struck == "store.slow":
            await self._chaos.pause("store", 5.0)
            await self._process.enter()
            self._raise_while_down()
        elif struck == "store.unavailable":
            await self._chaos.pause("store", 2.0)
            raise Unavailable("the store does not answer")
        answer = await ask()
        if not self._process.leaves():
            await forever()
        return answer

    async def called(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Make a call of another port of the same database."""
        return await self._call(ask)

    def _raise_while_down(self) -> None:
        if self._loop.time() < self._chaos.down_until:
            raise Unavailable("the database starts again")

    async def commit(self, commit: Commit) -> None:
        if not self._process.enters("commit"):
            await forever()
        self._raise_while_down()
        struck = self._chaos.strikes("commit", COMMITS)
        if struck == "commit.slow" or self._process.is_slow:
            await self._chaos.pause("commit", 8.0)
            await self._process.enter()
            self._raise_while_down()
        elif struck == "commit.unavailable_before":
            raise Unavailable("the store does not answer")
        elif struck == "commit.unknown_before":
            await self._chaos.pause("commit", 3.0)
            raise CommitUnknown("no answer to the commit")
        elif struck == "commit.conflict":
            raise Conflict("another transaction held a document")
        await self._write(commit)
        if not self._process.leaves():
            await forever()
        if struck == "commit.unavailable_after":
            raise Unavailable("the store does not answer")
        if struck == "commit.unknown_after":
            raise CommitUnknown("no answer to the commit")

    async def _write(self, commit: Commit) -> None:
        owner = self._database.shards.get(commit.shard)
        batch = owner.batch if owner else 0
        await self._inner.commit(commit)
        if batch < commit.batch:
            self._watch.committed(commit)

    async def acquire(self, shard: str) -> Ownership:
        return await self._call(lambda: self._inner.acquire(shard))

    async def owner(self, shard: str) -> Ownership | None:
        return await self._call(lambda: self._inner.owner(shard))

    async def load(self, bot: str, visitors: list[str]) -> dict[str, bytes]:
        return await self._call(lambda: self._inner.load(bot, visitors))

    async def states(self, bot: str, visitors: list[str]) -> dict[str, StateRead]:
        return await self._call(lambda: self._inner.states(bot, visitors))

    async def due(
        self, bot: str, shard: tuple[int, int], until: datetime, limit: int
    ) -> list[tuple[str, datetime]]:
        return await self._call(lambda: self._inner.due(bot, shard, until, limit))

    async def next_due(self, bot: str, shard: tuple[int, int]) -> datetime | None:
        return await self._call(lambda: self._inner.next_due(bot, shard))

    async def identities(self, keys: list[str]) -> dict[str, tuple[str, int]]:
        return await self._call(lambda: self._inner.identities(keys))

    async def read_outbox(self, sender: str, to: str, after: int, limit: int) -> list[Chunk]:
        return await self._call(lambda: self._inner.read_outbox(sender, to, after, limit))

    async def outbox_tails(self, senders: list[str], to: str) -> dict[str, int]:
        return await self._call(lambda: self._inner.outbox_tails(senders, to))

    def standing_still(self) -> AbstractAsyncContextManager[Store]:
        return self._inner.standing_still()

    async def batches(self, shard: str, after: int, limit: int) -> list[tuple[int, BatchRecord]]:
        return await self._call(lambda: self._inner.batches(shard, after, limit))

    async def checkpoint(self, shard: str) -> Checkpoint | None:
        return await self._call(lambda: self._inner.checkpoint(shard))

    async def put_checkpoint(self, shard: str, head: Checkpoint) -> None:
        await self._call(lambda: self._inner.put_checkpoint(shard, head))

    async def remove_checkpoint(self, shard: str) -> None:
        await self._call(lambda: self._inner.remove_checkpoint(shard))

    async def copy_states(self, *which: Any) -> tuple[int, str]:
        return await self._call(lambda: self._inner.copy_states(*which))

    async def suppress(self, mailbox: str, reason: str, at: datetime) -> None:
        await self._call(lambda: self._inner.suppress(mailbox, reason, at))

    async def suppressed(self, mailboxes: list[str]) -> set[str]:
        return await self._call(lambda: self._inner.suppressed(mailboxes))

    async def mailboxes(self, mailboxes: list[str]) -> set[str]:
        return await self._call(lambda: self._inner.mailboxes(mailboxes))

    async def rows(self, table: str, match: dict[str, Any], **how: Any) -> list[dict[str, Any]]:
        return await self._call(lambda: self._inner.rows(table, match, **how))

    async def count(self, table: str, match: dict[str, Any]) -> int:
        return await self._call(lambda: self._inner.count(table, match))

    async def put_document(self, collection: str, key: str, fields: dict[str, Any]) -> None:
        await self._call(lambda: self._inner.put_document(collection, key, fields))

    async def visitors(self, bot: str, after: str, limit: int) -> list[str]:
        return await self._call(lambda: self._inner.visitors(bot, after, limit))

    async def swap_document(
        self, collection: str, key: str, fields: dict[str, Any], expected: dict[str, Any] | None
    ) -> bool:
        swap = self._inner.swap_document
        return await self._call(lambda: swap(collection, key, fields, expected))

    async def get_document(self, collection: str, key: str) -> dict[str, Any] | None:
        return await self._call(lambda: self._inner.get_document(collection, key))


class FaultySweep:
    """Be one process' handle on what removes (`messaging.sweep.Sweep`): each call may fail, or be its last."""

    def __init__(self, database: MemoryDatabase, store: FaultyStore) -> None:
        self._inner = MemorySweep(database)
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        sweep = getattr(self._inner, name)

        async def call(*arguments: Any) -> Any:
            return await self._store.called(lambda: sweep(*arguments))

        return call


class FaultyJournal:
    """Be one process' handle on the journal (`messaging.ports.Journal`)."""

    def __init__(self, database: MemoryDatabase, process: Process, chaos: Chaos) -> None:
        self._inner = MemoryJournal(database)
        self._process = process
        self._chaos = chaos
        self._loop = asyncio.get_running_loop()

    def _raise_while_down(self) -> None:
        if self._loop.time() < self._chaos.down_until:
            raise Unavailable("the database starts again")

    async def open_stream(self, writer: str) -> int:
        await self._process.enter()
        self._raise_while_down()
        number = await self._inner.open_stream(writer)
        await self._process.leave()
        return number

    async def append(self, records: list[Record]) -> Appended:
        await self._process.enter()
        self._raise_while_down()
        struck = self._chaos.strikes("journal", JOURNAL)
        if struck == "journal.slow":
            await self._chaos.pause("journal", 6.0)
            await self._process.enter()
            self._raise_while_down()
        elif struck == "journal.unavailable_before":
            raise Unavailable("the journal does not answer")
        elif struck == "journal.late":
            # The answer does not come, and the insert is carried out some time after we stopped waiting.
            copies = [_copy(record) for record in records]
            asyncio.ensure_future(self._append_late(copies))  # noqa: RUF006 - the loop's end is its end
            raise Unavailable("the journal does not answer")
        answer = await self._inner.append(records)
        await self._process.leave()
        if struck == "journal.unavailable_after":
            raise Unavailable("the journal does not answer")
        return answer

    async def _append_late(self, records: list[Record]) -> None:
        await self._chaos.pause("journal", 20.0)
        await self._inner.append(records)

    async def read(
        self, stream: int, after: int, limit: int, shard: tuple[int, int]
    ) -> tuple[list[Record], int]:
        await self._process.enter()
        self._raise_while_down()
        answer = await self._inner.read(stream, after, limit, shard)
        await self._process.leave()
        return answer

    async def tails(self) -> dict[int, int]:
        await self._process.enter()
        self._raise_while_down()
        answer = await self._inner.tails()
        await self._process.leave()
        return answer


def _copy(record: Record) -> Record:
    return Record(
        record.position,
        record.message_id,
        record.partition,
        record.at,
        record.received_at,
        record.tagged,
        record.raw,
    )
