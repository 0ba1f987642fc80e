"""Keep replay calls in MongoDB, collection `replay`: _id message id; at (microseconds), n order, b call."""

from __future__ import annotations

from bson import Binary, Int64
from pymongo import ASCENDING
from pymongo.errors import BulkWriteError

from messaging.gateway.readers import ReplayCall
from messaging.store.connection import Connection, duplicates, translated, world
from messaging.store.values import from_micros, to_micros

EXACT_MAX = 50_000
"""Calls counted one by one: about 20 ms."""

_ORDER = [("at", ASCENDING), ("n", ASCENDING)]


class MongoReplayQueue:
    """Implement `ReplayQueue` on MongoDB. One instance belongs to one event loop.

    Parameters:
        connection: from `messaging.store.connection.connect`; the caller closes it.
    """

    def __init__(self, connection: Connection) -> None:
        self._calls = connection.database["replay"]

    async def ensure_indexes(self) -> None:
        """Create the index by time; call it before the first `add`."""
        with world():
            await self._calls.create_index(_ORDER)

    async def add(self, calls: list[ReplayCall]) -> int:
        """Keep calls; those that wait already are left alone."""
        if not calls:
            return 0
        documents = [
            {
                "_id": call.id,
                "at": Int64(to_micros(call.at)),
                "n": Int64(call.order),
                "b": Binary(call.raw),
            }
            for call in calls
        ]
        with world():
            try:
                await self._calls.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                known = duplicates(error)
                if known is None:
                    raise translated(error) from error
                return len(calls) - len(known)
        return len(calls)

    async def first(self, limit: int) -> list[ReplayCall]:
        """Return the earliest calls."""
        with world():
            found = await self._calls.find({}).sort(_ORDER).limit(limit).to_list(None)
        return [
            ReplayCall(each["_id"], from_micros(int(each["at"])), int(each["n"]), bytes(each["b"]))
            for each in found
        ]

    async def done(self, ids: list[str]) -> None:
        """Forget calls."""
        with world():
            await self._calls.delete_many({"_id": {"$in": ids}})

    async def count(self) -> int:
        """Return how many calls wait: exactly up to `EXACT_MAX`, about how many beyond."""
        with world():
            # The server's estimate alone is wrong for good after a mongod was killed.
            found = await self._calls.count_documents({}, limit=EXACT_MAX)
            if found < EXACT_MAX:
                return found
            return max(found, await self._calls.estimated_document_count())
