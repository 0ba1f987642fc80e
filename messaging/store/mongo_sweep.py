"""Remove what is stored of visitors from MongoDB, behind the port `messaging.sweep.Sweep`.

Rules
1. Writes are majority writes, one collection after the other; no transaction spans them, since each may be repeated.
2. What stands for a removed key is written before the key goes: no reader finds neither.
3. Deleting frees a document's room in the data files, and its bytes stay there until they are written over.
   `compact` gives back what it can; the oplog keeps the deleted documents' last versions until it has gone round.
"""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
from bson import Binary, Int64
from pymongo import ReplaceOne, UpdateOne
from pymongo.errors import PyMongoError

from messaging.ports import BatchRecord
from messaging.store.connection import Connection, world
from messaging.store.mongo_checkpoints import COPIES, copy_key
from messaging.store.mongo_layout import states_of
from messaging.store.mongo_transaction import journal_updates
from messaging.store.values import numbered, outbox_prefix
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import ERASED_LATEST

WRITES_MAX = 500
"""Operations in one command, and ids in one condition."""

_encoder = msgspec.msgpack.Encoder()


class MongoSweep:
    """Implement `Sweep` on MongoDB. One instance belongs to one event loop.

    Parameters:
        connection: from `messaging.store.connection.connect`; the caller closes it.
    """

    def __init__(self, connection: Connection) -> None:
        self._database = connection.database

    async def keys_of(self, visitors: list[str]) -> dict[str, str]:
        """Return identity key -> visitor."""
        own = [f"v:{visitor}" for visitor in visitors]
        match = {"$or": [{"v": {"$in": visitors}}, {"_id": {"$in": own}}]}
        with world():
            found = await self._database["identity"].find(match).to_list(None)
        return {document["_id"]: document["v"] for document in found}

    async def hide_keys(self, keys: list[str], notes: list[str], receipt: str, at: int) -> None:
        """Remove identity keys, once it is noted when."""
        identity = self._database["identity"]
        noted: dict[str, Any] = {"v": receipt, "n": Int64(at)}
        with world():
            latest = {"$max": {"n": Int64(at)}, "$setOnInsert": {"v": ""}}
            await identity.update_one({"_id": ERASED_LATEST}, latest, upsert=True)
            for some in _slices(notes):
                writes = [ReplaceOne({"_id": note}, noted, upsert=True) for note in some]
                await identity.bulk_write(writes)
            for some in _slices(keys):
                await identity.delete_many({"_id": {"$in": some}})

    async def rewrite_batches(self, shard: str, records: dict[int, BatchRecord]) -> None:
        """Replace batch records."""
        bodies = {
            numbered(shard, number): _encoder.encode(each) for number, each in records.items()
        }
        await self._put_bodies("batches", bodies)

    async def rewrite_outbox(self, sender: str, to: str, bodies: dict[int, bytes]) -> None:
        """Replace letters."""
        prefix = outbox_prefix(sender, to)
        await self._put_bodies("outbox", {numbered(prefix, n): body for n, body in bodies.items()})

    async def _put_bodies(self, collection: str, bodies: dict[str, bytes]) -> None:
        with world():
            for some in _slices(sorted(bodies)):
                writes = [
                    UpdateOne({"_id": key}, {"$set": {"b": Binary(bodies[key])}}) for key in some
                ]
                await self._database[collection].bulk_write(writes)

    async def rewrite_journal(self, records: list[Record]) -> None:
        """Replace journaled records."""
        with world():
            for first in range(0, len(records), WRITES_MAX):
                writes = journal_updates(records[first : first + WRITES_MAX])
                await self._database["journal"].bulk_write(writes)

    async def drop_states(self, bot: str, visitors: list[str]) -> int:
        """Remove states, also those of checkpoints: of whatever shards there were."""
        with world():
            found = await self._database["shards"].find({"bot": bot}, {"_id": 1}).to_list(None)
        shards = [each["_id"] for each in found]
        await self._delete(COPIES, [copy_key(shard, each) for shard in shards for each in visitors])
        return await self._delete(states_of(bot), visitors)

    async def drop_rows(self, table: str, ids: list[str]) -> None:
        """Remove rows."""
        await self._delete(table, ids)

    async def replace_rows(self, table: str, rows: dict[str, tuple[str, dict[str, Any]]]) -> None:
        """Put rows in the place of others."""
        with world():
            for some in _slices(sorted(rows)):
                writes = []
                for id_ in some:
                    new, fields = rows[id_]
                    writes.append(ReplaceOne({"_id": new}, {**fields, "_id": new}, upsert=True))
                await self._database[table].bulk_write(writes)
        await self._delete(table, list(rows))

    async def drop_mailboxes(self, mailboxes: list[str]) -> int:
        """Remove mailboxes that are not suppressed."""
        match = {"_id": {"$in": mailboxes}}
        with world():
            await self._database["mailboxes"].delete_many({**match, "suppressed": {"$ne": True}})
            return await self._database["mailboxes"].count_documents(match)

    async def _delete(self, collection: str, ids: list[str]) -> int:
        count = 0
        with world():
            for some in _slices(ids):
                deleted = await self._database[collection].delete_many({"_id": {"$in": some}})
                count += deleted.deleted_count
        return count

    async def settle(self, tables: list[str]) -> None:
        """Compact collections; where the server refuses or takes too long, it reuses the room by itself."""
        for table in tables:
            with contextlib.suppress(PyMongoError):
                await self._database.command("compact", table, force=True)


def _slices(ids: list[str]) -> list[list[str]]:
    return [ids[first : first + WRITES_MAX] for first in range(0, len(ids), WRITES_MAX)]
