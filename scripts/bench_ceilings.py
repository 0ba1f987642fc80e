"""Measure what MongoDB gives at best to the same client: the ceilings that intake and processing are held against.

Rules
1. A ceiling has the same collections, indexes, write concern, document bytes and client as what is held against
   it, and its best batch size. Its documents are made beforehand; only the driver's own work is in it.
2. It writes into a database of its own beside the system's, in the same server.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec
from bson import Binary, Int64
from pymongo import UpdateOne
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from messaging.store.connection import Connection, Session, connect
from messaging.store.mongo_layout import ensure_journal, ensure_store, states_of
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import derive, message_hash, partition_of, visitor_id_for
from scripts.bench_mix import VISITORS

BATCH_SIZES = (250, 500, 1000, 2000)
STATES_AN_EVENT = 300 / 500
STATE_BYTES = 500
LETTERS_BYTES = 12_000
"""The one message document of a batch of 500: what Behavior tells Rules of so many events of the mix."""

_encode = msgspec.msgpack.Encoder().encode


class Ceilings:
    """Write as fast as the server takes it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._database = connection.database
        self._position = 1
        self._batch = 0

    async def insert_many(self, records: list[Record]) -> dict[int, float]:
        """Return batch size -> events a second of plain inserts into a journal."""
        journal = self._database["journal"]
        rates = {}
        for size in BATCH_SIZES:
            documents = self._documents(records)
            began = time.perf_counter()
            for at in range(0, len(documents), size):
                await journal.insert_many(documents[at : at + size], ordered=False)
            rates[size] = len(documents) / (time.perf_counter() - began)
        return rates

    async def transactions(self, records: list[Record]) -> dict[int, float]:
        """Return batch size -> events a second of the raw transaction: events, states, message, owner, record."""
        rates = {}
        async with await self._connection.client.start_session() as session:
            for size in BATCH_SIZES:
                documents = self._documents(records)
                took = 0.0
                for at in range(0, len(documents), size):
                    part = documents[at : at + size]
                    updates, letters = self._updates(len(part)), os.urandom(_letters_size(part))
                    began = time.perf_counter()
                    await self._transaction(session, part, updates, letters)
                    took += time.perf_counter() - began
                rates[size] = len(documents) / took
        return rates

    def _documents(self, records: list[Record]) -> list[dict[str, Any]]:
        """Return the journal's documents of these records, under numbers and message ids of their own."""
        documents = []
        for record in records:
            self._position += 1
            documents.append(
                {
                    "_id": Int64(self._position),
                    "m": Binary(message_hash(f"{self._position}-{record.message_id}", b"")),
                    "p": record.partition,
                    "b": Binary(_encode(record)),
                }
            )
        return documents

    def _updates(self, events: int) -> list[UpdateOne]:
        updates = []
        for number in range(round(events * STATES_AN_EVENT)):
            visitor = visitor_id_for(f"u:{(self._position + number * 7) % VISITORS}")
            fields = {"p": partition_of(visitor), "s": Binary(os.urandom(STATE_BYTES))}
            updates.append(UpdateOne({"_id": visitor}, {"$set": fields}, upsert=True))
        return updates

    async def _transaction(
        self,
        session: Session,
        events: list[dict[str, Any]],
        updates: list[UpdateOne],
        letters: bytes,
    ) -> None:
        database, concern = self._database, WriteConcern("majority", j=True)
        self._batch += 1
        name = derive("batch", str(self._batch))
        async with session.start_transaction(ReadConcern("snapshot"), concern):
            await database["shards"].update_one(
                {"_id": "behavior-0"},
                {"$set": {"batch": self._batch}},
                upsert=True,
                session=session,
            )
            await database["journal"].insert_many(events, ordered=False, session=session)
            await database[states_of("behavior")].bulk_write(
                updates, ordered=False, session=session
            )
            letter = {"_id": name, "b": Binary(letters), "c": len(events)}
            await database["outbox"].insert_one(letter, session=session)
            record = {"_id": name, "e": 1, "b": Binary(letters[:64])}
            await database["batches"].insert_one(record, session=session)


def _letters_size(events: list[Any]) -> int:
    return max(64, LETTERS_BYTES * len(events) // 500)


@asynccontextmanager
async def ceilings(mongo_url: str) -> AsyncIterator[Ceilings]:
    """Open a database beside the system's for a while."""
    connection = connect(mongo_url)
    name = f"bench_{os.getpid()}"
    connection.database = connection.client[name]
    try:
        await ensure_store(connection.database, ("behavior",))
        await ensure_journal(connection.database)
        yield Ceilings(connection)
    finally:
        await connection.client.drop_database(name)
        await connection.close()


def journaled(records: list[Record], at: datetime) -> list[Record]:
    """Return the records as a gateway that took them now would write them."""
    return [msgspec.structs.replace(each, at=at, received_at=at) for each in records]
