"""Walk through every place where something of a person is stored: count it, or remove it.

Rules
1. A place that leads to another is emptied last: events go before the batches that say whose they were, files
   before the ledger that names the e-mails. So a walk that was cut off is repeated from its start and misses nothing.
2. What others share (a batch, a document of letters) keeps its place and loses this person's part.
3. Every collection is declared in `messaging.store.tables`; one that is not fails a test.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from agents.runtime.registry import IDENTITY, WIRING, senders_of
from agents.runtime.rereading import events_between, events_of
from agents.runtime.scrub import batch_without, letters_without, numbers_of
from agents.runtime.their_orders import refunds_waiting_for
from messaging.gateway.readers import ReplayCall
from messaging.ports import BatchRecord, Journal, Store
from messaging.store.tables import ROW_HOLDS
from messaging.sweep import Sweep
from messaging.vocabulary.events import Record, VisitorErased, decode_event, erased_record

READ_MAX = 2_000
ROWS_MAX = 1_000_000

VISITOR_BOTS = tuple(bot for bot in WIRING if bot != "learner")
"""Bots whose states are visitors'; the learner's are policies, and name nobody."""


class Person(msgspec.Struct):
    """Name one person: every visitor they were, and the identity keys that led to those."""

    visitors: list[str]
    keys: list[str] = []

    @property
    def who(self) -> frozenset[str]:
        """Return the visitors as a set."""
        return frozenset(self.visitors)

    @property
    def addresses(self) -> list[str]:
        """Return the e-mail addresses, as they are compared."""
        return [key[2:] for key in self.keys if key.startswith("e:")]


class Names(msgspec.Struct):
    """Hold by what a person can be found in files."""

    ids: list[str]
    """Visitor ids and send ids: nobody else has them."""
    addresses: list[str]


class Files(Protocol):
    """Sweep what stands in files."""

    async def sweep(self, names: Names, *, remove: bool) -> dict[str, int]:
        """Return place -> how much of the person there was; remove it if asked to."""
        ...


class Waiting(Protocol):
    """Hold calls that wait for the world clock (`messaging.gateway.readers.ReplayQueue`)."""

    async def first(self, limit: int) -> list[ReplayCall]:
        """Return the earliest calls."""
        ...

    async def done(self, ids: list[str]) -> None:
        """Forget calls."""
        ...


async def person_of(sweep: Sweep, visitors: Iterable[str]) -> Person:
    """Return the person these visitors are: with everybody who was merged with them, in whatever way round."""
    found = sorted(set(visitors))
    while True:
        rows = await sweep.keys_of(found)
        merged = {key[2:] for key in rows if key.startswith("v:")} | set(rows.values())
        everybody = sorted({*found, *merged})
        if everybody == found:
            return Person(found, sorted(rows))
        found = everybody


class Sweeper:
    """Walk for one person.

    Parameters:
        store, sweep, journal: where to look, and what removes.
        shards: bot -> number of shards.
        veil, mailbox: keyed hashes of a key and of an address.
        files, waiting: further places, where there are any.
    """

    def __init__(
        self,
        store: Store,
        sweep: Sweep,
        journal: Journal,
        shards: dict[str, int],
        *,
        veil: Callable[[str], str],
        mailbox: Callable[[str], str],
        files: Files | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self._store = store
        self._sweep = sweep
        self._journal = journal
        self._shards = shards
        self._veil = veil
        self._mailbox = mailbox
        self._files = files
        self._waiting = waiting

    async def walk(self, person: Person, *, remove: bool) -> dict[str, int]:
        """Return place -> how much there is of a person; with `remove` it is gone afterwards."""
        found: Counter[str] = Counter()
        for bot, count in self._shards.items():
            for index in range(count):
                found += await self._batches(person, bot, (index, count), remove=remove)
                found += await self._letters(person, bot, index, remove=remove)
        found += await self._unreadable(person, remove=remove)
        found += await self._calls(person, remove=remove)
        if self._files is not None:
            found.update(await self._files.sweep(await self._names(person), remove=remove))
        for table in ROW_HOLDS:
            found[table] += await self._rows(person, table, remove=remove)
        for bot in VISITOR_BOTS:
            found["states"] += await self._states(person, bot, remove=remove)
        found["keys"] += len(person.keys)
        return {place: count for place, count in sorted(found.items()) if count}

    # The record

    async def _batches(
        self, person: Person, bot: str, shard: tuple[int, int], *, remove: bool
    ) -> Counter[str]:
        found: Counter[str] = Counter()
        name = f"{bot}-{shard[0]}"
        after = 0
        while some := await self._store.batches(name, after, READ_MAX):
            after = some[-1][0]
            events: list[Record] = []
            changed: dict[int, BatchRecord] = {}
            for number, record in some:
                kept = batch_without(record, person.who)
                if kept is not None:
                    changed[number] = kept
                    events += await events_of(self._journal, record, person.who, shard)
            found["events"] += sum(not each.is_erased and not _is_ours(each) for each in events)
            found["batches"] += len(changed)
            if remove and changed:
                await self._sweep.rewrite_journal([erased_record(each) for each in events])
                await self._sweep.rewrite_batches(name, changed)
        return found

    async def _letters(self, person: Person, bot: str, index: int, *, remove: bool) -> Counter[str]:
        count, to = 0, f"{bot}-{index}"
        for sender in senders_of(bot, self._shards):
            after = 0
            while chunks := await self._store.read_outbox(sender, to, after, READ_MAX):
                after = chunks[-1].last
                changed: dict[int, bytes] = {}
                for chunk in chunks:
                    body, theirs = letters_without(chunk.body, person.who)
                    if theirs:
                        changed[chunk.last] = body
                        count += theirs
                if remove and changed:
                    await self._sweep.rewrite_outbox(sender, to, changed)
        return Counter({"letters": count})

    async def _unreadable(self, person: Person, *, remove: bool) -> Counter[str]:
        """Sweep events that nobody could read and that name the person, and those quarantined as theirs."""
        found: Counter[str] = Counter()
        words = [json.dumps(key[2:]).encode() for key in person.keys]
        for row in await self._store.rows("quarantine", {}, limit=ROWS_MAX, newest=False):
            is_unread = not row["visitor"] and any(word in row["body"] for word in words)
            if row["visitor"] not in person.who and not is_unread:
                continue
            if row["stream"].startswith("journal:"):
                number = int(row["stream"].removeprefix("journal:"))
                position = row["position"]
                events = await events_between(self._journal, number, position, position, (0, 1))
                found["events"] += len(events)
                if remove:
                    await self._sweep.rewrite_journal([erased_record(each) for each in events])
            if is_unread:
                found["quarantine"] += 1
                if remove:
                    await self._sweep.drop_rows("quarantine", [row["id"]])
        return found

    # What is kept by visitor or key

    async def _rows(self, person: Person, table: str, *, remove: bool) -> int:
        holds = ROW_HOLDS[table]
        rows: list[dict[str, Any]] = []
        if holds == "orders":
            rows = await refunds_waiting_for(self._store, person.visitors, person.keys, self._veil)
        for visitor in person.visitors if holds in ("visitor", "numbers") else ():
            match = {"visitor": visitor}
            rows += await self._store.rows(table, match, limit=ROWS_MAX, newest=False)
        if remove and holds in ("visitor", "orders"):
            await self._sweep.drop_rows(table, [row["id"] for row in rows])
        elif remove and rows:
            kept = {row["id"]: numbers_of(table, row, self._row_veil(table, row)) for row in rows}
            await self._sweep.replace_rows(table, kept)
        return len(rows)

    async def rows_of(self, person: Person, tables: Iterable[str]) -> int:
        """Remove what there is in some tables; return how much that was."""
        return sum([await self._rows(person, table, remove=True) for table in tables])

    def _row_veil(self, table: str, row: dict[str, Any]) -> str:
        """Return the keyed hash that a row with numbers is known by: a reward still finds its decision."""
        id_ = row["decision_id"] if table == "rewards" else row["id"]
        return self._veil(f"row:{id_}")

    async def _states(self, person: Person, bot: str, *, remove: bool) -> int:
        if remove:
            return await self._sweep.drop_states(bot, person.visitors)
        return len(await self._store.load(bot, person.visitors))

    async def _calls(self, person: Person, *, remove: bool) -> Counter[str]:
        """Sweep calls of an import that wait for the world clock."""
        if self._waiting is None:
            return Counter()
        keys = set(person.keys)
        calls = await self._waiting.first(ROWS_MAX)
        theirs = [call.id for call in calls if keys & _keys_of(call)]
        if remove and theirs:
            await self._waiting.done(theirs)
        return Counter({"waiting calls": len(theirs)})

    async def _names(self, person: Person) -> Names:
        ids = list(person.visitors)
        for visitor in person.visitors:
            sends = await self._store.rows("sends", {"visitor": visitor}, limit=ROWS_MAX)
            ids += [row["id"] for row in sends]
        return Names(ids, person.addresses)

    async def kept(self, person: Person, *, remove: bool) -> int:
        """Return how many of a person's mailboxes are suppressed, and forget the others if asked to."""
        boxes = [self._mailbox(address) for address in person.addresses]
        if remove:
            return await self._sweep.drop_mailboxes(boxes)
        return len(await self._store.suppressed(boxes))


def _is_ours(record: Record) -> bool:
    """Say whether an event is the erasure's own."""
    return isinstance(record.event, VisitorErased)


def _keys_of(call: ReplayCall) -> set[str]:
    try:
        event = decode_event(call.raw)
    except (msgspec.DecodeError, ValueError):
        return set()
    return set(IDENTITY.keys_of(Record(0, call.id, 0, call.at, call.at, "", call.raw), event))
