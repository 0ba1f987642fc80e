"""Keep everything in dicts, behind the port `Store`: for the simulator and for tests, with Mongo's semantics.

Rules
1. A call does its work before it first gives way: whatever else runs sees all of a batch, or nothing.
2. Everything is checked before anything is written.
3. State lives in a `MemoryDatabase`; stores are handles on it, and hold nothing. There is no chance in here:
   faults are put around a store by whoever simulates them.
"""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Any

import msgspec

from messaging.ports import (
    BatchRecord,
    Checkpoint,
    Chunk,
    Commit,
    IdentityWrite,
    Ownership,
    RowWrite,
    StateRead,
)
from messaging.store.guards import mailbox_in, refused_by
from messaging.store.tables import BOTS, ROW_INDEXES
from messaging.vocabulary.errors import Conflict, Fenced, Suppressed
from messaging.vocabulary.events import Record
from messaging.vocabulary.figures import summed
from messaging.vocabulary.ids import PARTITIONS, partition_of, stream_of

_encoder = msgspec.msgpack.Encoder()
_record_decoder = msgspec.msgpack.Decoder(BatchRecord)

_STALE_MAX = 1000
"""Entries a heap may hold beyond twice what is due, before it is built anew."""


class _Shard:
    """Hold one owner document, and the batches written under it."""

    __slots__ = ("batch", "batches", "bot", "epoch", "figures", "positions", "sent")

    def __init__(self) -> None:
        self.epoch = 0
        self.batch = 0
        self.positions: dict[str, int] = {}
        self.sent: dict[str, int] = {}
        self.bot = ""
        self.figures: dict[str, float] = {}
        self.batches: list[tuple[int, bytes]] = []  # (epoch, record), batch 1 first


class _States:
    """Hold one bot's states, and for each way of cutting them into shards the wake-ups in order.

    A heap entry is stale once its visitor's due time is another one; it is dropped when it comes up.
    """

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.dues: dict[str, datetime] = {}
        self.groups: dict[str, list[str]] = {}
        self._heaps: dict[int, list[list[tuple[datetime, str]]]] = {}

    def drop(self, visitor: str) -> None:
        """Remove a state; its entry in the heaps is stale from now on."""
        self.bodies.pop(visitor, None)
        self.dues.pop(visitor, None)
        self.groups.pop(visitor, None)

    def put(self, visitor: str, body: bytes, due: datetime | None) -> None:
        """Replace a state and its due time."""
        self.bodies[visitor] = body
        if due is None:
            self.dues.pop(visitor, None)
        elif self.dues.get(visitor) != due:
            self.dues[visitor] = due
            for shards, heaps in self._heaps.items():
                heap = heaps[partition_of(visitor) * shards // PARTITIONS]
                heappush(heap, (due, visitor))
                if len(heap) > 2 * len(self.dues) + _STALE_MAX:
                    heap[:] = {entry for entry in heap if self._holds(entry)}
                    heapify(heap)

    def first_due(
        self, shard: tuple[int, int], until: datetime | None, limit: int
    ) -> list[tuple[str, datetime]]:
        """Return (visitor, due), earliest first; of one moment, by visitor id."""
        heap = self._heap(shard)
        found: list[tuple[datetime, str]] = []
        while heap and len(found) < limit and (until is None or heap[0][0] <= until):
            entry = heappop(heap)
            # Equal entries come up one after the other: a due time that went and came back stands twice.
            if self._holds(entry) and not (found and found[-1] == entry):
                found.append(entry)
        for entry in found:
            heappush(heap, entry)
        return [(visitor, due) for due, visitor in found]

    def _heap(self, shard: tuple[int, int]) -> list[tuple[datetime, str]]:
        index, shards = shard
        heaps = self._heaps.get(shards)
        if heaps is None:
            heaps = self._heaps[shards] = [[] for _ in range(shards)]
            for visitor, due in self.dues.items():
                heaps[partition_of(visitor) * shards // PARTITIONS].append((due, visitor))
            for heap in heaps:
                heapify(heap)
        return heaps[index]

    def _holds(self, entry: tuple[datetime, str]) -> bool:
        return self.dues.get(entry[1]) == entry[0]


class MemoryDatabase:
    """Hold what outlives every actor: several stores and journals share one."""

    def __init__(self) -> None:
        self.shards: dict[str, _Shard] = {}
        self.states: dict[str, _States] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        self.kept: dict[str, dict[str, tuple[int, bytes]]] = {}
        """Shard -> visitor -> (batch, state) of its checkpoint."""
        self.outbox: dict[tuple[str, str], dict[int, Chunk]] = {}
        self.identity: dict[str, tuple[str, int]] = {}
        self.suppressed: dict[str, tuple[str, datetime]] = {}
        self.touched: set[str] = set()
        """Mailboxes that a commit guarded."""
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.streams: list[list[Record]] = []
        """Journal: stream 1 first, each in the order of positions."""
        self.message_ids: dict[bytes, int] = {}
        """Journal: hash of a message id -> position."""

    def rewrite_journal(self, records: list[Record]) -> None:
        """Replace journaled records by what is to be kept of them; those that are not there are left out."""
        for record in records:
            stream = self.streams[stream_of(record.position) - 1]
            at = bisect_left(stream, record.position, key=lambda each: each.position)
            if at < len(stream) and stream[at].position == record.position:
                stream[at] = record


class MemoryStore:
    """Implement `messaging.ports.Store` in memory.

    Parameters:
        database: what this store is a handle on.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def ensure_indexes(self, bots: tuple[str, ...] = BOTS) -> None:
        """Do nothing: dicts need no preparation."""

    async def close(self) -> None:
        """Do nothing: the database outlives its stores."""

    @asynccontextmanager
    async def standing_still(self) -> AsyncIterator[MemoryStore]:
        """Give a store on a copy of the database."""
        yield MemoryStore(deepcopy(self._database))

    # ------------------------------------------------------------------ shards and batches

    async def acquire(self, shard: str) -> Ownership:
        """Become the owner: raise the epoch by one."""
        owner = self._database.shards.setdefault(shard, _Shard())
        owner.epoch += 1
        return _ownership(owner)

    async def owner(self, shard: str) -> Ownership | None:
        """Return how far a shard has come, without becoming its owner."""
        found = self._database.shards.get(shard)
        if found is None:
            return None
        return _ownership(found)

    async def commit(self, commit: Commit) -> None:
        """Write a batch: check everything, then write everything."""
        database = self._database
        owner = database.shards.get(commit.shard)
        if owner is None or owner.epoch != commit.epoch:
            found = owner.epoch if owner else "none"
            raise Fenced(f"shard {commit.shard}: epoch {commit.epoch} is over (now {found})")
        if owner.batch != commit.batch - 1:
            written = 0 < commit.batch <= owner.batch
            ours = written and owner.batches[commit.batch - 1][0] == commit.epoch
            assert ours, f"batch {commit.shard}:{commit.batch} skips one ({owner.batch})"
            return
        reasons = {each.mailbox: each.reason for each in commit.suppress}
        for mailbox in map(mailbox_in, commit.guards):
            if mailbox in database.suppressed:
                reasons[mailbox], _ = database.suppressed[mailbox]
        refused = refused_by(reasons, commit.guards)
        if refused:
            raise Suppressed(refused)
        given = self._identities_after(commit.identities)
        self._check_rows(commit.rows)

        owner.batch = commit.batch
        owner.positions = dict(commit.positions)
        owner.sent = dict(commit.sent)
        owner.bot, owner.figures = commit.bot, dict(commit.figures)
        owner.batches.append((commit.epoch, _encoder.encode(commit.record)))
        database.touched.update(map(mailbox_in, commit.guards))
        for each in commit.suppress:
            database.suppressed.setdefault(each.mailbox, (each.reason, each.at))
        database.identity.update(given)
        states = self._states(commit.bot)
        for state in commit.states:
            states.put(state.visitor, state.body, state.due)
            if state.groups is not None:
                states.groups[state.visitor] = state.groups
        for write in commit.outbox:
            box = database.outbox.setdefault((commit.shard, write.to), {})
            assert write.number not in box, f"{commit.shard}>{write.to}: {write.number} stands"
            box[write.number] = Chunk(
                commit.shard, write.number, write.number, write.at, write.body
            )
        database.rewrite_journal(commit.rewritten)
        for row in commit.rows:
            table = database.tables.setdefault(row.table, {})
            if row.mode != "set":
                table[row.id] = row.fields.copy()
            elif row.id in table:
                table[row.id] |= row.fields

    def _identities_after(self, writes: list[IdentityWrite]) -> dict[str, tuple[str, int]]:
        """Return the keys a batch gives away. Raise `Conflict` where a row is not the one expected."""
        given: dict[str, tuple[str, int]] = {}
        for write in writes:
            row = given.get(write.key) or self._database.identity.get(write.key)
            if row != write.expected:
                raise Conflict("an identity key's row is another one by now")
            given[write.key] = (write.visitor, write.born)
        return given

    def _check_rows(self, rows: list[RowWrite]) -> None:
        inserted: set[tuple[str, str]] = set()
        for row in rows:
            assert row.table in ROW_INDEXES, row.table
            if row.mode == "insert":
                again = (row.table, row.id) in inserted
                stands = again or row.id in self._database.tables.get(row.table, {})
                assert not stands, f"{row.table}: a row was inserted twice"
                inserted.add((row.table, row.id))

    async def batches(self, shard: str, after: int, limit: int) -> list[tuple[int, BatchRecord]]:
        """Return (number, record) of a shard's batches after a number, in order."""
        owner = self._database.shards.get(shard)
        written = owner.batches[after : after + limit] if owner else []
        return [
            (number, _record_decoder.decode(body))
            for number, (_, body) in enumerate(written, after + 1)
        ]

    # ------------------------------------------------------------------ checkpoints

    async def checkpoint(self, shard: str) -> Checkpoint | None:
        """Return the checkpoint of a shard."""
        return self._database.checkpoints.get(shard)

    async def put_checkpoint(self, shard: str, head: Checkpoint) -> None:
        """Say that the states of a checkpoint were copied."""
        self._database.checkpoints[shard] = head

    async def remove_checkpoint(self, shard: str) -> None:
        """Take back that there is a checkpoint."""
        self._database.checkpoints.pop(shard, None)

    async def copy_states(
        self, shard: str, bot: str, of: tuple[int, int], batch: int, after: str, limit: int
    ) -> tuple[int, str]:
        """Copy stored states into the checkpoint of a batch."""
        index, shards = of
        some = await self.visitors(bot, after, limit)
        bodies = self._states(bot).bodies
        mine = [each for each in some if partition_of(each) * shards // PARTITIONS == index]
        kept = self._database.kept.setdefault(shard, {})
        kept.update((each, (batch, bodies[each])) for each in mine)
        return len(mine), some[-1] if len(some) == limit else ""

    async def kept_visitors(self, shard: str, after: str, limit: int) -> list[str]:
        """Return the ids of visitors that a shard's checkpoint has a state of, those after `after`."""
        return sorted(each for each in self._kept(shard) if each > after)[:limit]

    async def kept_states(self, shard: str, visitors: list[str]) -> dict[str, bytes]:
        """Return the states of these visitors in a shard's checkpoint."""
        kept = self._kept(shard)
        return {each: kept[each] for each in visitors if each in kept}

    def _kept(self, shard: str) -> dict[str, bytes]:
        head, kept = self._database.checkpoints.get(shard), self._database.kept.get(shard, {})
        if head is None:
            return {}
        return {each: body for each, (batch, body) in kept.items() if batch == head.batch}

    # ------------------------------------------------------------------ states and wake-ups

    async def visitors(self, bot: str, after: str, limit: int) -> list[str]:
        """Return the ids of visitors that a bot has a state of, those after `after`."""
        if bot not in self._database.states:
            return []
        return sorted(v for v in self._states(bot).bodies if v > after)[:limit]

    async def members(self, bot: str, groups: list[str], after: str, limit: int) -> list[str]:
        """Return the ids of visitors that are in any of these groups, those after `after`."""
        wanted, found = set(groups), self._states(bot).groups
        return sorted(v for v in found if v > after and not wanted.isdisjoint(found[v]))[:limit]

    async def load(self, bot: str, visitors: list[str]) -> dict[str, bytes]:
        """Return the stored states of these visitors."""
        bodies = self._states(bot).bodies
        return {visitor: bodies[visitor] for visitor in visitors if visitor in bodies}

    async def states(self, bot: str, visitors: list[str]) -> dict[str, StateRead]:
        """Return the stored states of these visitors, with the fields they are searched by."""
        groups = self._states(bot).groups
        return {
            visitor: StateRead(body, partition_of(visitor), groups.get(visitor, []))
            for visitor, body in (await self.load(bot, visitors)).items()
        }

    async def due(
        self, bot: str, shard: tuple[int, int], until: datetime, limit: int
    ) -> list[tuple[str, datetime]]:
        """Return (visitor, earliest due), earliest first; of one moment, by visitor id."""
        return self._states(bot).first_due(shard, until, limit)

    async def next_due(self, bot: str, shard: tuple[int, int]) -> datetime | None:
        """Return the earliest wake-up of a shard's visitors."""
        found = self._states(bot).first_due(shard, None, 1)
        return found[0][1] if found else None

    def _states(self, bot: str) -> _States:
        states = self._database.states.get(bot)
        if states is None:
            states = self._database.states[bot] = _States()
        return states

    # ------------------------------------------------------------------ identities and mailboxes

    async def identities(self, keys: list[str]) -> dict[str, tuple[str, int]]:
        """Return key -> (visitor, born) for those known."""
        identity = self._database.identity
        return {key: identity[key] for key in keys if key in identity}

    async def suppress(self, mailbox: str, reason: str, at: datetime) -> None:
        """Suppress a mailbox for good."""
        self._database.suppressed[mailbox] = (reason, at)

    async def suppressed(self, mailboxes: list[str]) -> set[str]:
        """Return which of these mailboxes are suppressed."""
        return {box for box in mailboxes if box in self._database.suppressed}

    async def mailboxes(self, mailboxes: list[str]) -> set[str]:
        """Return which of these mailboxes have a row."""
        return self._database.touched.intersection(mailboxes) | await self.suppressed(mailboxes)

    async def suppressions(
        self, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[dict[str, Any]]:
        """Return suppressed mailboxes, the newest first."""
        found = [(at, box, reason) for box, (reason, at) in self._database.suppressed.items()]
        wanted = [each for each in found if after is None or each[:2] < after]
        wanted.sort(reverse=True)
        return [{"id": box, "at": at, "reason": reason} for at, box, reason in wanted[:limit]]

    async def suppression_reasons(self) -> dict[str, int]:
        """Return reason -> how many mailboxes are suppressed for it."""
        return dict(Counter(reason for reason, _ in self._database.suppressed.values()))

    # ------------------------------------------------------------------ outbox

    async def read_outbox(self, sender: str, to: str, after: int, limit: int) -> list[Chunk]:
        """Return the next chunks from one shard to another, in order."""
        box = self._database.outbox.get((sender, to), {})
        # Numbers follow one another, so a read costs what it returns.
        return [box[number] for number in range(after + 1, after + 1 + limit) if number in box]

    async def outbox_tails(self, senders: list[str], to: str) -> dict[str, int]:
        """Return sender -> last sequence number written for a shard."""
        shards = self._database.shards
        return {each: shards[each].sent.get(to, 0) if each in shards else 0 for each in senders}

    # ------------------------------------------------------------------ rows and documents

    async def rows(
        self,
        table: str,
        match: dict[str, Any],
        *,
        limit: int = 100,
        newest: bool = True,
        after: tuple[datetime, str] | None = None,
        only: tuple[str, ...] | None = None,
    ) -> list[dict[str, Any]]:
        """Return rows whose fields equal `match`, by `at` and then id."""
        found = self._matching(table, match)
        found.sort(key=lambda row: (row["at"], row["id"]), reverse=newest)
        if after is not None:
            past = operator.lt if newest else operator.gt
            found = [row for row in found if past((row["at"], row["id"]), after)]
        if only is not None:
            return [{n: row[n] for n in ("id", *only) if n in row} for row in found[:limit]]
        return found[:limit]

    async def count(self, table: str, match: dict[str, Any], at_most: int | None = None) -> int:
        """Return how many rows have fields equal to `match`."""
        found = len(self._matching(table, match))
        return found if at_most is None else min(found, at_most)

    async def latest(self, table: str, limit: int) -> list[dict[str, Any]]:
        """Return the rows first written last: a dict keeps that order."""
        rows = self._database.tables.get(table, {})
        newest = islice(reversed(rows.items()), limit)
        return [{**_as_read(fields), "id": key} for key, fields in newest]

    async def tally(self, table: str, field: str) -> dict[Any, int]:
        """Return value of a field -> how many rows have it."""
        rows = self._database.tables.get(table, {}).values()
        return dict(Counter(row.get(field) for row in rows))

    async def tallies(
        self, table: str, fields: tuple[str, ...], least: str
    ) -> dict[tuple[Any, ...], int]:
        """Return values of some fields -> how many rows have them."""
        rows = self._database.tables.get(table, {}).values()
        wanted = [row for row in rows if str(row.get(fields[0], "")) >= least]
        return dict(Counter(tuple(row.get(field) for field in fields) for row in wanted))

    async def refusals(self, since: datetime) -> list[tuple[str, str, int, datetime, str]]:
        """Return which sends were refused since a moment."""
        found: dict[tuple[str, str], tuple[int, datetime, str]] = {}
        for row in self._matching("sends", {"status": "refused"}):
            if row["at"] >= since:
                of = row["template"], row["reason"]
                count, *newest = found.get(of, (0, since, ""))
                at, visitor = max((row["at"], row["visitor"]), (newest[0], newest[1]))
                found[of] = count + 1, at, visitor
        return [(*of, *counted) for of, counted in found.items()]

    async def figures(self, bot: str) -> dict[str, float]:
        """Return what all visitors of a bot count as."""
        owners = self._database.shards.values()
        return summed(owner.figures.items() for owner in owners if owner.bot == bot)

    def _matching(self, table: str, match: dict[str, Any]) -> list[dict[str, Any]]:
        rows = self._database.tables.get(table, {}).items()
        return [
            {**_as_read(fields), "id": key}
            for key, fields in rows
            if all(_is_wanted(key if n == "id" else fields.get(n), match[n]) for n in match)
        ]

    async def put_document(self, collection: str, key: str, fields: dict[str, Any]) -> None:
        """Replace a document outside any batch, or create it."""
        self._database.tables.setdefault(collection, {})[key] = _as_read(fields)

    async def swap_document(
        self, collection: str, key: str, fields: dict[str, Any], expected: dict[str, Any] | None
    ) -> bool:
        """Write a document where it stands as expected."""
        stands = self._database.tables.get(collection, {}).get(key)
        if (stands is None) != (expected is None):
            return False
        if stands is not None and any(stands.get(n) != v for n, v in (expected or {}).items()):
            return False
        await self.put_document(collection, key, fields)
        return True

    async def remove_document(self, collection: str, key: str) -> None:
        """Remove a document."""
        self._database.tables.get(collection, {}).pop(key, None)

    async def get_document(self, collection: str, key: str) -> dict[str, Any] | None:
        """Return a document with its `id`, or None."""
        fields = self._database.tables.get(collection, {}).get(key)
        return None if fields is None else {**_as_read(fields), "id": key}


def _ownership(owner: _Shard) -> Ownership:
    return Ownership(
        owner.epoch, owner.batch, dict(owner.positions), dict(owner.sent), dict(owner.figures)
    )


def _is_wanted(value: Any, wanted: Any) -> bool:
    """Say whether a field is equal to what is wanted, or to one of a tuple."""
    return value in wanted if isinstance(wanted, tuple) else bool(value == wanted)


def _as_read(value: Any) -> Any:
    """Return a copy as BSON would give it back: milliseconds, and lists for tuples."""
    if isinstance(value, dict):
        return {key: _as_read(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_read(each) for each in value]
    if isinstance(value, datetime):
        return value - timedelta(microseconds=value.microsecond % 1000)
    return value
