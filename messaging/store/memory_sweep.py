"""Remove what is stored of visitors from a `MemoryDatabase`, behind the port `messaging.sweep.Sweep`."""

from __future__ import annotations

from typing import Any

import msgspec

from messaging.ports import BatchRecord, Chunk
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import ERASED_LATEST

_encoder = msgspec.msgpack.Encoder()


class MemorySweep:
    """Implement `Sweep` in memory.

    Parameters:
        database: what is swept.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def keys_of(self, visitors: list[str]) -> dict[str, str]:
        """Return identity key -> visitor."""
        who, own = set(visitors), {f"v:{visitor}" for visitor in visitors}
        identity = self._database.identity.items()
        return {key: row[0] for key, row in identity if row[0] in who or key in own}

    async def hide_keys(self, keys: list[str], notes: list[str], receipt: str, at: int) -> None:
        """Remove identity keys, and note when."""
        identity = self._database.identity
        for note in notes:
            identity[note] = (receipt, at)
        identity[ERASED_LATEST] = ("", max(at, identity.get(ERASED_LATEST, ("", 0))[1]))
        for key in keys:
            identity.pop(key, None)

    async def rewrite_batches(self, shard: str, records: dict[int, BatchRecord]) -> None:
        """Replace batch records."""
        batches = self._database.shards[shard].batches
        for number, record in records.items():
            batches[number - 1] = (batches[number - 1][0], _encoder.encode(record))

    async def rewrite_outbox(self, sender: str, to: str, bodies: dict[int, bytes]) -> None:
        """Replace letters."""
        box = self._database.outbox[sender, to]
        for number, body in bodies.items():
            box[number] = Chunk(sender, number, number, box[number].at, body)

    async def rewrite_journal(self, records: list[Record]) -> None:
        """Replace journaled records."""
        self._database.rewrite_journal(records)

    async def drop_states(self, bot: str, visitors: list[str]) -> int:
        """Remove states, also those of checkpoints."""
        for shard, kept in self._database.kept.items():
            if shard.rpartition("-")[0] == bot:
                for visitor in visitors:
                    kept.pop(visitor, None)
        states = self._database.states.get(bot)
        if states is None:
            return 0
        found = [visitor for visitor in visitors if visitor in states.bodies]
        for visitor in found:
            states.drop(visitor)
        return len(found)

    async def drop_rows(self, table: str, ids: list[str]) -> None:
        """Remove rows."""
        rows = self._database.tables.get(table, {})
        for id_ in ids:
            rows.pop(id_, None)

    async def replace_rows(self, table: str, rows: dict[str, tuple[str, dict[str, Any]]]) -> None:
        """Put rows in the place of others."""
        for new, fields in rows.values():
            self._database.tables[table][new] = dict(fields)
        await self.drop_rows(table, list(rows))

    async def drop_mailboxes(self, mailboxes: list[str]) -> int:
        """Remove mailboxes that are not suppressed."""
        self._database.touched.difference_update(mailboxes)
        return sum(box in self._database.suppressed for box in mailboxes)

    async def settle(self, tables: list[str]) -> None:
        """Do nothing: what is removed from a dict is gone."""
