"""Name the seams at which I/O enters: Store, Journal, Peers, MailTransport, LookUps, Clock.

Fakes stand beside the real ones.

Rules
1. A batch is committed by one call, `Store.commit`, which does all of it or nothing.
2. Every call has a time-out inside; it raises an error of `vocabulary.errors`, never a driver's own.
3. Input streams are read by position: `Journal` streams are named `journal:<number>`, a shard's outbox
   by the shard's name (`behavior-0`). For both, positions grow and gaps are normal.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

import msgspec

from messaging.vocabulary.effects import Suppress
from messaging.vocabulary.events import Record
from messaging.vocabulary.plans import Finding
from messaging.vocabulary.records import (
    IdentityWrite as IdentityWrite,  # noqa: PLC0414 - the store's port speaks of it
)


class Ownership(msgspec.Struct):
    """Say what the owner of a shard starts from: its fence and how far everything had come."""

    epoch: int
    batch: int
    """Number of the last committed batch; 0 before the first."""
    positions: dict[str, int]
    """Input stream -> last position taken."""
    sent: dict[str, int]
    """Receiving shard -> last sequence number written for it."""
    figures: dict[str, float] = {}
    """What the shard's visitors count as, summed: name -> number."""


class Checkpoint(msgspec.Struct):
    """Say from where on a shard's batches are folded: with the states that were kept then."""

    batch: int
    """Number of the last batch that is in these states."""
    positions: dict[str, int]
    """`Ownership.positions` after it."""
    at: datetime
    """World time of that batch."""
    code: str
    """`BatchRecord.code` of that batch."""
    figures: dict[str, float] | None = None
    """`Ownership.figures` after it; None: written by a version that did not keep them."""


class StateWrite(msgspec.Struct):
    """Replace one visitor's state of one bot."""

    visitor: str
    body: bytes
    due: datetime | None
    """Earliest wake-up within the body, or None; it is searched, as are the groups."""
    groups: list[str] | None = None
    """What the visitor is found by in lists (cohorts, places on paths), sorted; None: the same as before."""


class StateRead(msgspec.Struct):
    """Show one stored state, and what stands beside it for searches: whoever audits compares them."""

    body: bytes
    partition: int
    groups: list[str]


class OutboxWrite(msgspec.Struct):
    """Add one document for one receiving shard: the letters of this batch."""

    to: str
    number: int
    """1, 2, 3, … for each (from, to)."""
    at: datetime
    """World time of the batch that wrote it."""
    body: bytes
    count: int


class RowWrite(msgspec.Struct):
    """Insert (`insert`) or upsert (`put`) a row that people read, or set fields of one that is there (`set`)."""

    table: str
    """A name of `messaging.store.tables`: `decisions`, `sends`, `alerts`, `quarantine` and the like."""
    id: str
    fields: dict[str, Any]
    mode: str = "put"


class BatchRecord(msgspec.Struct, array_like=True):
    """Record what a batch took, in order, so that it can be folded again."""

    at: datetime
    """World time (`now`) of the batch."""
    code: str
    rules_version: int
    snapshots: dict[str, int]
    """Policy -> version held."""
    wakes: list[tuple[str, str]]
    """(visitor, wake-up key) in the order fired."""
    inputs: list[tuple[str, int, int]]
    """(stream, first, last position taken)."""
    visitors: list[str]
    """For a bot with identities: the visitor each journaled record was resolved to, in order."""
    local: bytes
    """Letters that came from this shard's own hands (mail outcomes)."""
    suppressed: list[str]
    """Mailboxes known to be suppressed during the batch."""
    skipped: list[tuple[str, int, int]]
    """(stream, position, index) of letters put in quarantine."""


class Commit(msgspec.Struct):
    """Hold everything one batch writes. All of it happens, or nothing."""

    shard: str
    bot: str
    epoch: int
    batch: int
    positions: dict[str, int]
    sent: dict[str, int]
    record: BatchRecord
    states: list[StateWrite]
    outbox: list[OutboxWrite]
    rows: list[RowWrite]
    identities: list[IdentityWrite]
    guards: list[str]
    """Mailboxes (keyed hashes) that mail is handed over to in this batch; behind `UNLESS_BOUNCED`, that of thanks."""
    figures: dict[str, float] = {}
    """`Ownership.figures` as they stand after this batch."""
    rewritten: list[Record] = []
    """Journaled records of which less is kept than came: their visitor was erased before."""
    suppress: list[Suppress] = []
    """Mailboxes that are written to no more: none of them may be among the guarded ones."""


class Chunk(msgspec.Struct, array_like=True):
    """Hand part of an input stream to a shard: everything for it in (first..last), which follows what came before."""

    stream: str
    first: int
    last: int
    at: datetime
    """World time of the oldest thing in it."""
    body: bytes
    """`encode_records` for a journal stream, `encode_letters` for an outbox; empty: a hint, read it yourself."""
    records: list[Record] | None = None
    """Of a journal stream that its shard has read itself, instead of the body: nobody writes what it reads again."""


class Store(Protocol):
    """Keep states, outboxes, rows, identities, suppression, rules and snapshots."""

    def standing_still(self) -> AbstractAsyncContextManager[Store]:
        """Give a store to read from: all it shows is of one moment, whatever is committed meanwhile.

        A read raises Unavailable once that moment is longer ago than the server keeps (minutes).
        """
        ...

    async def acquire(self, shard: str) -> Ownership:
        """Become the owner: raise the epoch by one, so that every older owner's commit is `Fenced`."""
        ...

    async def owner(self, shard: str) -> Ownership | None:
        """Return how far a shard has come, without becoming its owner; None if it never ran."""
        ...

    async def visitors(self, bot: str, after: str, limit: int) -> list[str]:
        """Return the ids of visitors that a bot has a state of, in their order, those after `after`."""
        ...

    async def members(self, bot: str, groups: list[str], after: str, limit: int) -> list[str]:
        """Return the ids of visitors that are in any of these groups, in their order, those after `after`."""
        ...

    async def load(self, bot: str, visitors: list[str]) -> dict[str, bytes]:
        """Return the stored states of these visitors, in one query; those unknown are left out."""
        ...

    async def states(self, bot: str, visitors: list[str]) -> dict[str, StateRead]:
        """Return the stored states of these visitors as `load` does, with the fields they are searched by."""
        ...

    async def due(
        self, bot: str, shard: tuple[int, int], until: datetime, limit: int
    ) -> list[tuple[str, datetime]]:
        """Return (visitor, earliest due) with due <= until, earliest first, for shard (index, of how many)."""
        ...

    async def next_due(self, bot: str, shard: tuple[int, int]) -> datetime | None:
        """Return the earliest wake-up of a shard's visitors."""
        ...

    async def identities(self, keys: list[str]) -> dict[str, tuple[str, int]]:
        """Return key -> (visitor, born) for those known, in one query."""
        ...

    async def commit(self, commit: Commit) -> None:
        """Write a batch. Raise Fenced, Conflict, Suppressed, Unavailable or CommitUnknown.

        A repeat of a commit that did happen (same shard, epoch and batch) returns without writing.
        """
        ...

    async def read_outbox(self, sender: str, to: str, after: int, limit: int) -> list[Chunk]:
        """Return the next chunks from one shard to another, in order; each is one document."""
        ...

    async def outbox_tails(self, senders: list[str], to: str) -> dict[str, int]:
        """Return sender -> the last sequence number that it has written for a shard, in one query; 0 if none."""
        ...

    async def batches(self, shard: str, after: int, limit: int) -> list[tuple[int, BatchRecord]]:
        """Return (number, record) of a shard's batches after a number, in order."""
        ...

    async def checkpoint(self, shard: str) -> Checkpoint | None:
        """Return the checkpoint of a shard, None where its batches are folded from the first on."""
        ...

    async def put_checkpoint(self, shard: str, head: Checkpoint) -> None:
        """Say that the states of a checkpoint were copied."""
        ...

    async def remove_checkpoint(self, shard: str) -> None:
        """Take back that there is a checkpoint; its states stay until they are replaced."""
        ...

    async def copy_states(
        self, shard: str, bot: str, of: tuple[int, int], batch: int, after: str, limit: int
    ) -> tuple[int, str]:
        """Copy stored states into the checkpoint of a batch: up to `limit` visitors of the bot, those after `after`.

        Of these the states of shard `of` (index, of how many) are copied. Return how many that were, and the last
        visitor looked at; an empty text when there is nobody further.
        """
        ...

    async def kept_visitors(self, shard: str, after: str, limit: int) -> list[str]:
        """Return the ids of visitors that a shard's checkpoint has a state of, in their order, those after `after`."""
        ...

    async def kept_states(self, shard: str, visitors: list[str]) -> dict[str, bytes]:
        """Return the states of these visitors in a shard's checkpoint; those it does not have are left out."""
        ...

    async def suppress(self, mailbox: str, reason: str, at: datetime) -> None:
        """Suppress a mailbox for good; conflicts with any hand-over to it that is under way."""
        ...

    async def suppressed(self, mailboxes: list[str]) -> set[str]:
        """Return which of these mailboxes are suppressed."""
        ...

    async def mailboxes(self, mailboxes: list[str]) -> set[str]:
        """Return which of these mailboxes have a row: they are suppressed, or a commit guarded them."""
        ...

    async def suppressions(
        self, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[dict[str, Any]]:
        """Return suppressed mailboxes, the newest first: `id` (keyed hash), `at`, `reason`; `after` as in `rows`."""
        ...

    async def suppression_reasons(self) -> dict[str, int]:
        """Return reason -> how many mailboxes are suppressed for it."""
        ...

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
        """Return rows whose fields equal `match`, by their `at` (newest or oldest first); `_id` is `id`.

        A tuple in `match`: the field equals one of these.
        `after`: (`at`, `id`) of the row that the next page follows, in the same order. `only`: fields that are
        returned besides the id; None: all.
        """
        ...

    async def count(self, table: str, match: dict[str, Any], at_most: int | None = None) -> int:
        """Return how many rows of a table have fields equal to `match`, as in `rows`; counting ends at `at_most`."""
        ...

    async def latest(self, table: str, limit: int) -> list[dict[str, Any]]:
        """Return the rows that were first written last, newest first; what it costs does not grow with the table."""
        ...

    async def tally(self, table: str, field: str) -> dict[Any, int]:
        """Return value of a field -> how many rows of a table have it."""
        ...

    async def tallies(
        self, table: str, fields: tuple[str, ...], least: str
    ) -> dict[tuple[Any, ...], int]:
        """Return values of some fields -> how many rows have them, where the first is a text and at least `least`."""
        ...

    async def refusals(self, since: datetime) -> list[tuple[str, str, int, datetime, str]]:
        """Return which sends were refused since a moment: template, reason, how many, when the newest, and whose."""
        ...

    async def figures(self, bot: str) -> dict[str, float]:
        """Return what all visitors of a bot count as, summed over its shards' last commits."""
        ...

    async def put_document(self, collection: str, key: str, fields: dict[str, Any]) -> None:
        """Upsert a document outside any batch: rules versions, control flags, the clock's position."""
        ...

    async def swap_document(
        self, collection: str, key: str, fields: dict[str, Any], expected: dict[str, Any] | None
    ) -> bool:
        """Write a document where it stands as expected, and say whether it did: of two who write at once, one does.

        `expected`: fields that must be equal; None: there must be no such document.
        """
        ...

    async def remove_document(self, collection: str, key: str) -> None:
        """Remove a document written by `put_document`; it may be gone already."""
        ...

    async def get_document(self, collection: str, key: str) -> dict[str, Any] | None:
        """Return a document written by `put_document` (or a row), with `id`, or None."""
        ...


class Appended(msgspec.Struct):
    """Say what became of an append: which of the records were new (True) and which repeats (False)."""

    fresh: list[bool]


class Filed(msgspec.Struct):
    """Say of a journaled event whether what stands beside it, for searches, is what it holds itself."""

    position: int
    """Where it stands."""
    is_in_place: bool
    """Whether it belongs to this position, and to the partition by which its shard finds it."""
    is_known: bool | None
    """Whether it would be a repeat if it came again; None: it was erased, and nobody can say."""


class Journal(Protocol):
    """Keep every acknowledged event once, by streams with one writer and one insert in flight each."""

    async def open_stream(self, writer: str) -> int:
        """Return a new stream number for this incarnation of a writer."""
        ...

    async def append(self, records: list[Record]) -> Appended:
        """Insert records of one stream (positions set), durable when it returns (majority, journaled).

        A message id that stands in the journal already is a repeat. A repeat of the same append (same
        positions) after `Unavailable` is harmless and reports what the first try did.
        """
        ...

    async def read(
        self, stream: int, after: int, limit: int, shard: tuple[int, int]
    ) -> tuple[list[Record], int]:
        """Return a stream's next records, only those of the shard's partitions, and the position reached."""
        ...

    async def filed(self, after: int, limit: int) -> list[Filed]:
        """Look at the next events by position, of whatever stream and shard: for whoever audits.

        Whether one is known is only said by a journal that has the key of its writers.
        """
        ...

    async def tails(self) -> dict[int, int]:
        """Return stream -> last position, for every stream that may still hold something unread."""
        ...


class Peers(Protocol):
    """Reach other shards. A failure is harmless: the receiver finds the chunk in the outbox."""

    async def deliver(self, to: str, chunk: Chunk) -> bool:
        """Hand a chunk to a shard; True when it holds it (or knows of it), False to try again later."""
        ...


class MailOutcomeCode(msgspec.Struct):
    """Say what a hand-over came to: see `MailTransport.send`."""

    outcome: str
    code: int
    reason: str


class MailTransport(Protocol):
    """Hand e-mails over to SMTP."""

    sessions: int

    async def send(self, sender: str, recipient: str, message: bytes) -> MailOutcomeCode:
        """Hand one message over within a time-out; never raises for what the world does.

        `handed over`: 250 after the final dot. `deferred`: 4xx, or no connection, before the final dot.
        `bounced`: 5xx. `uncertain`: the final dot may have been sent and no answer came.
        """
        ...


IsWanted = Callable[[], bool]
"""Says whether others may still be asked."""


def always() -> bool:
    """Say that others may still be asked."""
    return True


class LookUps(Protocol):
    """Ask others about an address."""

    async def look_up(
        self, address: str, sources: list[str], is_wanted: IsWanted = always
    ) -> list[Finding]:
        """Return one finding for each source, within a time-out; never raises for what the world does.

        `is_wanted` is asked right before each host is: once it says no, nobody else is asked (`withdrawn`).
        """
        ...


class Clock(Protocol):
    """Tell world time, and let machine time pass."""

    def now(self) -> datetime:
        """Return world time, aware UTC."""
        ...

    def seconds_until(self, at: datetime) -> float | None:
        """Return machine seconds until world time `at` (0 when reached), None when it cannot be known yet."""
        ...

    def seconds_since(self, at: datetime) -> float:
        """Return about how many machine seconds ago world time was `at`; 0 where it is to come."""
        ...

    def catch_up(self, at: datetime) -> None:
        """Be at world time `at` at least, where the clock is gated: what is taken now was done then."""
        ...

    def machine(self) -> float:
        """Return machine time in seconds: monotone, its zero means nothing."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let machine time pass."""
        ...
