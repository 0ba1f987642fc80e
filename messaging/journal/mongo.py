"""Keep the journal in MongoDB: one document for each event, behind the port `Journal`.

Rules
1. One insert is in flight for each stream: the server numbers a command's documents in their order, so a reader
   never sees a later position before an earlier one. Who writes a stream (the gateway) keeps to it.
2. A message id stands once, by a unique index, for good: clients repeat for days. What stands there is a keyed
   hash, so that a repeat is still known when the event itself was erased.
3. The insert is not ordered: a repeat is refused by itself and the others go in.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
from bson import Binary, Int64
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.read_concern import ReadConcern

from messaging.ports import Appended, Filed
from messaging.store.connection import Connection, duplicates, translated, world
from messaging.store.mongo_layout import ensure_journal
from messaging.store.values import partition_bounds
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import message_hash, position, stream_of

SETTLED_SECONDS = 600.0
"""How long the last position of a stream whose writer is long gone is believed."""

OVER_MS = 60_000
"""Server time after which a stream counts as left by its writer: ten times what an insert under way may take."""

_SPAN = Int64(position(1, 0))
_BETWEEN = {"$and": [{"$gt": ["$_id", "$$low"]}, {"$lt": ["$_id", "$$high"]}]}
_LAST_OF_EACH: list[dict[str, Any]] = [
    {
        "$lookup": {
            "from": "journal",
            "let": {
                "low": {"$multiply": ["$_id", _SPAN]},
                "high": {"$multiply": [{"$add": ["$_id", 1]}, _SPAN]},
            },
            "pipeline": [
                {"$match": {"$expr": _BETWEEN}},
                {"$sort": {"_id": DESCENDING}},
                {"$limit": 1},
                {"$project": {"_id": 1}},
            ],
            "as": "last",
        }
    },
    {
        "$project": {
            "last": 1,
            "over": {"$lt": [{"$ifNull": ["$left", "$$NOW"]}, {"$subtract": ["$$NOW", OVER_MS]}]},
        }
    },
]
"""Of each stream: its last record, by the index of `_id`, and whether its writer is long gone."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class MongoJournal:
    """Implement `messaging.ports.Journal` on MongoDB. One instance belongs to one event loop.

    Parameters:
        connection: from `messaging.store.connection.connect`; the caller closes it.
        key: of the hashes of message ids. Who appends gives the system's own; who reads needs none.
    """

    def __init__(self, connection: Connection, key: bytes = b"") -> None:
        self._key = key
        self._database = connection.database
        self._journal = connection.database["journal"]
        # A repeat is found where it stands, majority or not: our own insert waits for both.
        self._latest = self._journal.with_options(read_concern=ReadConcern("local"))
        self._settled: dict[int, int] = {}
        self._settled_until = 0.0

    async def ensure_indexes(self) -> None:
        """Create collections and the unique index; call it before the first append."""
        await ensure_journal(self._database)

    async def open_stream(self, writer: str) -> int:
        """Return a new stream number; one that is lost with its answer is a gap and harms nobody."""
        streams = self._database["journal_streams"]
        while True:
            with world():
                last = await streams.find_one({}, {"_id": 1}, sort=[("_id", DESCENDING)])
                number = int(last["_id"]) + 1 if last else 1
                try:
                    await streams.insert_one({"_id": Int64(number), "w": writer})
                except DuplicateKeyError:
                    await asyncio.sleep(0)  # another writer took it
                    continue
                await streams.update_many(
                    {"w": writer, "_id": {"$lt": Int64(number)}, "left": None},
                    {"$currentDate": {"left": True}},
                )
            return number

    async def append(self, records: list[Record]) -> Appended:
        """Insert records of one stream in one command; see the port."""
        if not records:
            return Appended([])
        assert len({stream_of(record.position) for record in records}) == 1
        fresh = [True] * len(records)
        with world():
            try:
                await self._journal.insert_many(
                    [self._document(record) for record in records], ordered=False
                )
            except BulkWriteError as error:
                refused = duplicates(error)
                if refused is None:
                    raise translated(error) from error
                for index in await self._repeats(records, refused):
                    fresh[index] = False
        return Appended(fresh)

    async def _repeats(self, records: list[Record], refused: list[int]) -> list[int]:
        """Return which of the refused are repeats; the others stand where an earlier try put them."""
        hashes = {index: message_hash(records[index].message_id, self._key) for index in refused}
        cursor = self._latest.find(
            {"m": {"$in": [Binary(each) for each in hashes.values()]}}, {"m": 1}
        )
        stands = {bytes(document["m"]): document["_id"] for document in await cursor.to_list(None)}
        for index in refused:
            taken = hashes[index] not in stands
            assert not taken, f"position {records[index].position} holds another event"
        return [i for i in refused if stands[hashes[i]] != records[i].position]

    async def read(
        self, stream: int, after: int, limit: int, shard: tuple[int, int]
    ) -> tuple[list[Record], int]:
        """Return a shard's records among the next `limit` of a stream, and the position reached."""
        lowest = max(after, position(stream, 0))
        match: dict[str, Any] = {
            "_id": {"$gt": Int64(lowest), "$lt": Int64(position(stream + 1, 0))}
        }
        if partition_bounds(shard) == partition_bounds((0, 1)):
            with world():
                found = await self._records(match, limit)
            return found, found[-1].position if found else after
        with world():
            # The index of `_id` alone says how far `limit` records reach, whosever they are.
            cursor = self._journal.find(match, {"_id": 1}).sort("_id", ASCENDING)
            seen = await cursor.limit(limit).to_list(None)
            if not seen:
                return [], after
            reached = int(seen[-1]["_id"])
            first, last = partition_bounds(shard)
            mine = {
                "_id": {"$gt": Int64(lowest), "$lte": Int64(reached)},
                "p": {"$gte": first, "$lte": last},
            }
            return await self._records(mine, limit), reached

    async def _records(self, match: dict[str, Any], limit: int) -> list[Record]:
        # All in one answer: the server's first has 101 documents otherwise.
        cursor = self._journal.find(match, {"b": 1}).sort("_id", ASCENDING).limit(limit)
        found = await cursor.batch_size(limit + 1).to_list(None)
        return [_decoder.decode(each["b"]) for each in found]

    async def filed(self, after: int, limit: int) -> list[Filed]:
        """Look at the next events by position, with all that stands beside them."""
        with world():
            cursor = self._journal.find({"_id": {"$gt": Int64(after)}}).sort("_id", ASCENDING)
            found = await cursor.limit(limit).batch_size(limit + 1).to_list(None)
        return [self._filed(document) for document in found]

    def _filed(self, document: dict[str, Any]) -> Filed:
        place = int(document["_id"])
        try:
            record = _decoder.decode(document["b"])
        except msgspec.DecodeError:
            return Filed(place, is_in_place=False, is_known=False)
        is_own = (record.position, record.partition) == (place, document.get("p"))
        if record.is_erased:
            return Filed(place, is_own, None)
        known_by = message_hash(record.message_id, self._key)
        return Filed(place, is_own, document.get("m") == known_by)

    async def tails(self) -> dict[int, int]:
        """Return stream -> last position, in one query; streams without a record are left out.

        A stream whose writer has had a successor for a minute is asked once, and again now and then: there are
        hundreds of them after a while, and only a writer that hung for so long can still add to one.
        """
        if time.monotonic() >= self._settled_until:
            self._settled = {}
            self._settled_until = time.monotonic() + SETTLED_SECONDS
        asked = {"$match": {"_id": {"$nin": list(self._settled)}}}
        with world():
            cursor = self._database["journal_streams"].aggregate([asked, *_LAST_OF_EACH])
            found = await cursor.to_list(None)
        tails = {}
        for each in found:
            stream, last = int(each["_id"]), int(each["last"][0]["_id"]) if each["last"] else 0
            tails[stream] = last
            if each["over"]:
                self._settled[stream] = last
        return {stream: last for stream, last in (self._settled | tails).items() if last}

    def _document(self, record: Record) -> dict[str, Any]:
        return {
            "_id": Int64(record.position),
            "m": Binary(message_hash(record.message_id, self._key)),
            "p": record.partition,
            "b": Binary(_encoder.encode(record)),
        }
