"""Compare the rows that people read with those that the record wants: none missing, none more, none altered.

Rules
1. What a shard's steps wanted is folded again (`agents.runtime.replay`); of each row the last one counts.
2. Of a row only a digest is kept: a ledger of millions fits into memory.
3. The store keeps milliseconds, so that is what times are compared by.
4. Where steps are repeated from a checkpoint on, rows of before it are only looked at where they were written again.
5. Of a table that several bots write a row too many is looked for at the end, when what all of them wanted is known.
6. Rows of tables that other parts go on writing (what a notifier told, say) are left to their own checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec

from messaging.ports import RowWrite, Store
from messaging.vocabulary.ids import policy_key

OWNERS = {
    "sends": "email",
    "decisions": "rules",
    "orders": "sales",
    "engagements": "engagement",
    "moments": "behavior",
}
"""Table -> the one bot that writes it: of these a row that no step wanted is found, too."""

SHARED = frozenset({"rewards", "alerts", "story"})
"""Tables that several bots write."""

MET = ("visitor", "at", "policy")
"""Fields that are read of a row of those, to say whether it is nobody's."""

ROWS_MAX = 5_000_000
NAMED_MAX = 20
"""So many of a kind are named; the others are a number."""

_encoder = msgspec.json.Encoder(order="deterministic")


class Rows:
    """Collect what one shard's record wants, and compare it with the store.

    Args:
        bot: whose rows they are.
        only: the only visitor looked at; None: all.
        mine: whether a visitor is of this shard.
        since: world time of the checkpoint from which steps are repeated; None: from the first on.
    """

    def __init__(
        self,
        bot: str,
        only: str | None,
        mine: Callable[[str], bool],
        since: datetime | None = None,
    ) -> None:
        self._bot = bot
        self._only = only
        self._mine = mine
        self._since = since
        self._wanted: dict[str, dict[str, bytes]] = {}
        self.seen = 0
        """Rows compared by the last `compare`."""

    def note(self, rows: Iterable[RowWrite]) -> None:
        """Take the rows that a batch wanted."""
        for row in rows:
            if row.table in OWNERS or row.table in SHARED:
                self._wanted.setdefault(row.table, {})[row.id] = _digest(row.fields)

    async def compare(self, store: Store) -> list[str]:
        """Return what differs, in words that name no person."""
        self.seen = 0
        findings: list[str] = []
        for table in sorted(OWNERS.keys() | SHARED):
            wanted = self._wanted.get(table, {})
            is_owner = OWNERS.get(table) == self._bot
            if not (wanted or is_owner):
                continue
            findings += await self._table(store, table, wanted, is_owner=is_owner)
        return findings

    async def _table(
        self, store: Store, table: str, wanted: dict[str, bytes], *, is_owner: bool
    ) -> list[str]:
        match = {"visitor": self._only} if self._only else {}
        missing, altered, more = set(wanted), [], []
        for row in await store.rows(table, match, limit=ROWS_MAX, newest=False):
            key = _key(table, row)
            if not key:
                continue  # its numbers are left of somebody who was erased
            name = row.pop("id")
            digest = wanted.get(name)
            if digest is not None:
                missing.discard(name)
                # A merge gives a row to a visitor who may be another shard's: that one wrote it last.
                if digest != _digest(row) and self._mine(key):
                    altered.append(name)
            elif is_owner and self._mine(key) and self._is_of_now(row):
                more.append(name)
        self.seen += len(wanted)
        return [
            *_said(table, sorted(missing), "is missing"),
            *_said(table, altered, "differs from what was recorded"),
            *_said(table, more, "is not in the record"),
        ]

    def _is_of_now(self, row: dict[str, Any]) -> bool:
        return self._since is None or row["at"] > self._since

    def shared(self) -> dict[str, set[str]]:
        """Return table -> ids of the rows wanted of tables that several bots write."""
        return {table: set(self._wanted.get(table, ())) for table in SHARED}


class SharedRows:
    """Find the rows of shared tables that no shard wanted.

    Shards are cut one after the other while the world goes on: what one of them may have written since it was cut is
    left to the next audit.
    """

    def __init__(self, since: datetime | None) -> None:
        self._since = since
        self.knows_all = True
        """False where a shard could not be folded: what it wanted is not known."""
        self._wanted: dict[str, set[str]] = {table: set() for table in SHARED}
        self._cuts: dict[str, tuple[int, datetime | None]] = {}

    def take(self, shard: str, rows: Rows, batch: int, last_at: datetime | None) -> None:
        """Take what a shard wanted up to the batch at which it was cut, and when that one was."""
        for table, ids in rows.shared().items():
            self._wanted[table] |= ids
        self._cuts[shard] = (batch, last_at)

    async def compare(self, store: Store, only: str | None) -> list[str]:
        """Return what nobody wanted."""
        if not self.knows_all:
            return []
        match = {"visitor": only} if only else {}
        more = {}
        for table, wanted in sorted(self._wanted.items()):
            found = await store.rows(table, match, limit=ROWS_MAX, newest=False, only=MET)
            more[table] = [
                row
                for row in found
                if row["id"] not in wanted
                and _key(table, row)
                and (self._since is None or row["at"] > self._since)
            ]
        until = await self._until(store)  # behind the rows: who wrote one of them has moved by now
        findings: list[str] = []
        for table, rows in more.items():
            names = [row["id"] for row in rows if until is None or row["at"] < until]
            findings += _said(table, names, "is not in the record")
        return findings

    async def _until(self, store: Store) -> datetime | None:
        """Return since when a shard may have written more than it was asked for; None: none of them has."""
        moved: list[datetime] = []
        for shard, (batch, last_at) in self._cuts.items():
            owner = await store.owner(shard)
            if owner is not None and owner.batch != batch:
                moved.append(last_at or datetime.min.replace(tzinfo=UTC))
        return min(moved, default=None)


def _key(table: str, row: dict[str, Any]) -> str:
    """Return by what a row's shard is found: whom it is about, or which policy; empty: who was erased."""
    if table == "alerts" and row.get("policy"):  # a decision has a policy, too, and is not about it
        return policy_key(row["policy"])
    return str(row["visitor"])


def _said(table: str, names: list[str], what: str) -> list[str]:
    said = [f"{table} row {name} {what}" for name in names[:NAMED_MAX]]
    if len(names) > NAMED_MAX:
        said.append(f"{len(names) - NAMED_MAX} more of {table}: {what}")
    return said


def _digest(fields: dict[str, Any]) -> bytes:
    return blake2b(_encoder.encode(_plain(fields)), digest_size=16).digest()


def _plain(value: Any) -> Any:
    """Return a value as it reads back from the store."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value
