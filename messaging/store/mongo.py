"""Keep everything in MongoDB, behind the port `Store`.

Rules
1. Reads are majority reads: nothing is seen that a crash could take back. What a batch needs comes in one answer:
   the server's first answer has 101 documents unless it is told how many.
2. What people ask for (`rows`, `count`) is matched by equality only; a value is never read as an operator.
3. A commit once begun runs to its end even if whoever asked for it is cancelled: a session serves one
   operation at a time, and an abandoned one would meet its successor inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec
from bson import Int64
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from messaging.ports import BatchRecord, Chunk, Commit, Ownership, StateRead
from messaging.store import mongo_refusals
from messaging.store.connection import (
    Connection,
    Session,
    blocking_database,
    blocking_session,
    session_key,
    world,
)
from messaging.store.mongo_checkpoints import MongoCheckpoints
from messaging.store.mongo_layout import GROUPS_INDEX, ensure_store, states_of
from messaging.store.mongo_transaction import run_commit
from messaging.store.still import snapshot_session
from messaging.store.tables import BOTS
from messaging.store.values import (
    from_micros,
    last_of,
    number_in,
    numbered,
    outbox_prefix,
    partition_bounds,
    to_micros,
)
from messaging.vocabulary.figures import summed

_record_decoder = msgspec.msgpack.Decoder(BatchRecord)

NOWHERE = -1
"""Stands for the partition of a state that lacks it: no shard finds it."""


class MongoStore(MongoCheckpoints):
    """Implement `messaging.ports.Store` on MongoDB. One instance belongs to one event loop.

    Parameters:
        connection: from `messaging.store.connection.connect`; the caller closes it.
        reading_in: the session in which everything is read; None: each read in one of its own.
    """

    def __init__(self, connection: Connection, *, reading_in: Session | None = None) -> None:
        self._connection = connection
        self._reading_in = reading_in
        self._database = connection.database
        self._sessions: dict[str, Session] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._commits: set[asyncio.Task[None]] = set()

    async def ensure_indexes(self, bots: tuple[str, ...] = BOTS) -> None:
        """Create collections and indexes that are missing; call it before the first commit."""
        await ensure_store(self._database, bots)

    async def close(self) -> None:
        """Wait for commits under way and end the sessions; the connection stays open."""
        if self._commits:
            await asyncio.wait(self._commits)
        for session in self._sessions.values():
            await session.end_session()
        self._sessions.clear()

    @asynccontextmanager
    async def standing_still(self) -> AsyncIterator[MongoStore]:
        """Give a store that reads in one snapshot of the server's; see `still`."""
        async with snapshot_session(self._connection.client) as session:
            yield MongoStore(self._connection, reading_in=session)

    # ------------------------------------------------------------------ shards and batches

    async def acquire(self, shard: str) -> Ownership:
        """Become the owner: end the former owner's session, then raise the epoch by one."""
        with world():
            session = await self._session(shard)
            owner = await self._database["shards"].find_one({"_id": shard})
            if owner is not None and owner.get("session") not in (None, session_key(session)):
                # Also that of a process which was killed inside a transaction, and holds this document.
                await self._connection.client.admin.command(
                    "killSessions", [{"id": owner["session"]}]
                )
            found = await self._database["shards"].find_one_and_update(
                {"_id": shard},
                {
                    "$inc": {"epoch": 1},
                    "$set": {"session": session_key(session)},
                    "$setOnInsert": {"batch": 0, "positions": {}, "sent": {}},
                },
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return _ownership(found)

    async def owner(self, shard: str) -> Ownership | None:
        """Return how far a shard has come, without becoming its owner."""
        with world():
            found = await self._database["shards"].find_one(
                {"_id": shard}, session=self._reading_in
            )
        if found is None:
            return None
        return _ownership(found)

    async def commit(self, commit: Commit) -> None:
        """Write a batch in one transaction; see `mongo_transaction`."""
        task = asyncio.ensure_future(self._commit(commit))
        self._commits.add(task)
        task.add_done_callback(self._finished)
        await asyncio.shield(task)

    async def _commit(self, commit: Commit) -> None:
        async with self._turns.setdefault(commit.shard, asyncio.Lock()):
            with world():
                session = await self._session(commit.shard)
                await asyncio.to_thread(
                    run_commit, blocking_database(self._database), blocking_session(session), commit
                )

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._commits.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be gone: then nobody else reads it

    async def _session(self, shard: str) -> Session:
        """Return the session in which this shard's transactions run."""
        session = self._sessions.get(shard)
        if session is None:
            session = await self._connection.client.start_session()
            session = self._sessions.setdefault(shard, session)
        return session

    async def batches(self, shard: str, after: int, limit: int) -> list[tuple[int, BatchRecord]]:
        """Return (number, record) of a shard's batches after a number, in order."""
        documents = await self._numbered("batches", shard, after, limit)
        return [(number_in(each["_id"]), _record_decoder.decode(each["b"])) for each in documents]

    # ------------------------------------------------------------------ states and wake-ups

    async def visitors(self, bot: str, after: str, limit: int) -> list[str]:
        """Return the ids of visitors that a bot has a state of, those after `after`."""
        with world():
            cursor = self._database[states_of(bot)].find(
                {"_id": {"$gt": after}}, {"_id": 1}, session=self._reading_in
            )
            found = await cursor.sort("_id", ASCENDING).limit(limit).to_list(None)
        return [document["_id"] for document in found]

    async def members(self, bot: str, groups: list[str], after: str, limit: int) -> list[str]:
        """Return the ids of visitors that are in any of these groups: the index merges them in order."""
        with world():
            match = {"g": {"$in": groups}, "_id": {"$gt": after}}
            cursor = self._database[states_of(bot)].find(
                match, {"_id": 1}, session=self._reading_in
            )
            cursor = cursor.sort("_id", ASCENDING).hint(GROUPS_INDEX)
            found = await cursor.limit(limit).to_list(None)
        return [document["_id"] for document in found]

    async def load(self, bot: str, visitors: list[str]) -> dict[str, bytes]:
        """Return the stored states of these visitors."""
        if not visitors:
            return {}
        with world():
            cursor = self._database[states_of(bot)].find(
                {"_id": {"$in": visitors}}, {"s": 1}, session=self._reading_in
            )
            found = await cursor.batch_size(len(visitors) + 1).to_list(None)
        return {document["_id"]: bytes(document["s"]) for document in found}

    async def states(self, bot: str, visitors: list[str]) -> dict[str, StateRead]:
        """Return the stored states of these visitors, with the fields they are searched by."""
        with world():
            cursor = self._database[states_of(bot)].find(
                {"_id": {"$in": visitors}}, {"s": 1, "p": 1, "g": 1}, session=self._reading_in
            )
            found = await cursor.batch_size(len(visitors) + 1).to_list(None)
        return {
            each["_id"]: StateRead(bytes(each["s"]), each.get("p", NOWHERE), each.get("g", []))
            for each in found
        }

    async def due(
        self, bot: str, shard: tuple[int, int], until: datetime, limit: int
    ) -> list[tuple[str, datetime]]:
        """Return (visitor, earliest due), earliest first; of one moment, by visitor id."""
        match = {"d": {"$lte": Int64(to_micros(until))}, **_in_shard(shard)}
        return await self._first_due(bot, match, limit)

    async def next_due(self, bot: str, shard: tuple[int, int]) -> datetime | None:
        """Return the earliest wake-up of a shard's visitors."""
        match = {"d": {"$gte": Int64(-(2**63))}, **_in_shard(shard)}
        found = await self._first_due(bot, match, 1)
        return found[0][1] if found else None

    async def _first_due(
        self, bot: str, match: dict[str, Any], limit: int
    ) -> list[tuple[str, datetime]]:
        """Ask the index alone: `d`, `_id` and `p` all stand in it."""
        with world():
            cursor = self._database[states_of(bot)].find(match, {"d": 1}, session=self._reading_in)
            cursor = cursor.sort([("d", ASCENDING), ("_id", ASCENDING)]).limit(limit)
            found = await cursor.to_list(None)
        return [(document["_id"], from_micros(document["d"])) for document in found]

    # ------------------------------------------------------------------ identities and mailboxes

    async def identities(self, keys: list[str]) -> dict[str, tuple[str, int]]:
        """Return key -> (visitor, born) for those known."""
        if not keys:
            return {}
        with world():
            cursor = self._database["identity"].find(
                {"_id": {"$in": keys}}, session=self._reading_in
            )
            found = await cursor.batch_size(len(keys) + 1).to_list(None)
        return {document["_id"]: (document["v"], int(document["n"])) for document in found}

    async def suppress(self, mailbox: str, reason: str, at: datetime) -> None:
        """Suppress a mailbox for good. Waits for a hand-over to it that is being committed."""
        with world():
            await self._database["mailboxes"].update_one(
                {"_id": mailbox},
                {"$set": {"suppressed": True, "reason": reason, "at": at}},
                upsert=True,
            )

    async def suppressed(self, mailboxes: list[str]) -> set[str]:
        """Return which of these mailboxes are suppressed."""
        return await self._boxes({"_id": {"$in": mailboxes}, "suppressed": True})

    async def mailboxes(self, mailboxes: list[str]) -> set[str]:
        """Return which of these mailboxes have a row."""
        return await self._boxes({"_id": {"$in": mailboxes}})

    async def _boxes(self, match: dict[str, Any]) -> set[str]:
        if not match["_id"]["$in"]:
            return set()
        with world():
            cursor = self._database["mailboxes"].find(match, {"_id": 1}, session=self._reading_in)
            found = await cursor.to_list(None)
        return {document["_id"] for document in found}

    # ------------------------------------------------------------------ outbox

    async def read_outbox(self, sender: str, to: str, after: int, limit: int) -> list[Chunk]:
        """Return the next chunks from one shard to another, in order."""
        documents = await self._numbered("outbox", outbox_prefix(sender, to), after, limit)
        chunks = []
        for each in documents:
            number = number_in(each["_id"])
            chunks.append(Chunk(sender, number, number, from_micros(each["at"]), bytes(each["b"])))
        return chunks

    async def outbox_tails(self, senders: list[str], to: str) -> dict[str, int]:
        """Return sender -> last sequence number written for a shard: their owner documents know it."""
        with world():
            cursor = self._database["shards"].find(
                {"_id": {"$in": senders}}, {f"sent.{to}": 1}, session=self._reading_in
            )
            found = await cursor.to_list(None)
        known = {each["_id"]: int(each.get("sent", {}).get(to, 0)) for each in found}
        return dict.fromkeys(senders, 0) | known

    async def _numbered(
        self, collection: str, prefix: str, after: int, limit: int
    ) -> list[dict[str, Any]]:
        bounds = {"$gt": numbered(prefix, after), "$lte": last_of(prefix)}
        with world():
            cursor = self._database[collection].find({"_id": bounds}, session=self._reading_in)
            return await cursor.sort("_id", ASCENDING).limit(limit).to_list(None)

    async def suppressions(
        self, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[dict[str, Any]]:
        """Return suppressed mailboxes, the newest first."""
        with world():
            wanted = {"suppressed": True, **_beyond(after, newest=True)}
            cursor = self._database["mailboxes"].find(wanted, {"at": 1, "reason": 1})
            cursor = cursor.sort([("at", DESCENDING), ("_id", DESCENDING)]).limit(limit)
            return [_with_id(document) for document in await cursor.to_list(None)]

    async def suppression_reasons(self) -> dict[str, int]:
        """Return reason -> how many mailboxes are suppressed for it."""
        stages: list[dict[str, Any]] = [
            {"$match": {"suppressed": True}},
            {"$group": {"_id": "$reason", "n": {"$sum": 1}}},
        ]
        with world():
            found = await self._database["mailboxes"].aggregate(stages).to_list(None)
        return {each["_id"]: each["n"] for each in found}

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
        order = DESCENDING if newest else ASCENDING
        with world():
            wanted = {**_wanted(match), **_beyond(after, newest=newest)}
            # An empty list of fields stands for all of them there.
            shown = None if only is None else dict.fromkeys(("_id", *only), 1)
            cursor = self._database[table].find(wanted, shown, session=self._reading_in)
            cursor = cursor.sort([("at", order), ("_id", order)]).limit(limit)
            return [_with_id(document) for document in await cursor.to_list(None)]

    async def count(self, table: str, match: dict[str, Any], at_most: int | None = None) -> int:
        """Return how many rows have fields equal to `match`."""
        limit: dict[str, Any] = {} if at_most is None else {"limit": at_most}
        with world():
            if match:
                return await self._database[table].count_documents(
                    _wanted(match), session=self._reading_in, **limit
                )
            # Of all rows the keys alone are counted: rows of decisions are large.
            return await self._database[table].count_documents(
                {}, hint="_id_", session=self._reading_in, **limit
            )

    async def latest(self, table: str, limit: int) -> list[dict[str, Any]]:
        """Return the rows first written last: the order in which the server keeps them needs no index."""
        with world():
            cursor = self._database[table].find({}, session=self._reading_in)
            cursor = cursor.sort("$natural", DESCENDING).limit(limit)
            return [_with_id(document) for document in await cursor.to_list(None)]

    async def tally(self, table: str, field: str) -> dict[Any, int]:
        """Return value of a field -> how many rows have it; of an indexed one only the keys are read."""
        stages: list[dict[str, Any]] = [
            {"$sort": {field: ASCENDING}},  # lets the server choose the index
            {"$group": {"_id": f"${field}", "n": {"$sum": 1}}},
        ]
        with world():
            cursor = self._database[table].aggregate(stages, session=self._reading_in)
            found = await cursor.to_list(None)
        return {each["_id"]: each["n"] for each in found}

    async def tallies(
        self, table: str, fields: tuple[str, ...], least: str
    ) -> dict[tuple[Any, ...], int]:
        """Return values of some fields -> how many rows have them; of an index of these fields the keys are read."""
        stages: list[dict[str, Any]] = [
            {"$match": {fields[0]: {"$gte": least}}},
            {"$group": {"_id": {name: f"${name}" for name in fields}, "n": {"$sum": 1}}},
        ]
        with world():
            found = await self._database[table].aggregate(stages).to_list(None)
        return {tuple(each["_id"].get(name) for name in fields): each["n"] for each in found}

    async def refusals(self, since: datetime) -> list[tuple[str, str, int, datetime, str]]:
        """Return which sends were refused since a moment."""
        return await mongo_refusals.refusals(self._database, since)

    async def figures(self, bot: str) -> dict[str, float]:
        """Return what all visitors of a bot count as: one small document for each shard."""
        with world():
            cursor = self._database["shards"].find(
                {"bot": bot}, {"figures": 1}, session=self._reading_in
            )
            found = await cursor.to_list(None)
        return summed(each["figures"] for each in found)

    async def put_document(self, collection: str, key: str, fields: dict[str, Any]) -> None:
        """Replace a document outside any batch, or create it."""
        with world():
            await self._database[collection].replace_one(
                {"_id": key}, {**fields, "_id": key}, upsert=True
            )

    async def swap_document(
        self, collection: str, key: str, fields: dict[str, Any], expected: dict[str, Any] | None
    ) -> bool:
        """Write a document where it stands as expected; the server decides between two."""
        document = {**fields, "_id": key}
        with world():
            if expected is None:
                try:
                    await self._database[collection].insert_one(document)
                except DuplicateKeyError:
                    return False
                return True
            match = {**_equal(expected), "_id": key}
            done = await self._database[collection].replace_one(match, document)
        return done.matched_count == 1

    async def remove_document(self, collection: str, key: str) -> None:
        """Remove a document."""
        with world():
            await self._database[collection].delete_one({"_id": key})

    async def get_document(self, collection: str, key: str) -> dict[str, Any] | None:
        """Return a document with its `id`, or None."""
        with world():
            found = await self._database[collection].find_one(
                {"_id": key}, session=self._reading_in
            )
        return _with_id(found) if found else None


def _ownership(document: dict[str, Any]) -> Ownership:
    owner = _plain(document)
    figures = dict(owner.get("figures", ()))
    return Ownership(owner["epoch"], owner["batch"], owner["positions"], owner["sent"], figures)


def _in_shard(shard: tuple[int, int]) -> dict[str, Any]:
    first, last = partition_bounds(shard)
    return {"p": {"$gte": first, "$lte": last}}


def _equal(match: dict[str, Any]) -> dict[str, Any]:
    return {("_id" if key == "id" else key): {"$eq": value} for key, value in match.items()}


def _wanted(match: dict[str, Any]) -> dict[str, Any]:
    """Return what matches rows: a field equals a value, or one of a tuple's."""
    return {
        key: {"$in": [*each["$eq"]]} if isinstance(each["$eq"], tuple) else each
        for key, each in _equal(match).items()
    }


def _beyond(after: tuple[datetime, str] | None, *, newest: bool) -> dict[str, Any]:
    """Return what matches the rows behind one, in the order of `at` and `_id`: bounds that the index answers."""
    if after is None:
        return {}
    at, key = after
    past, within = ("$lt", "$lte") if newest else ("$gt", "$gte")
    return {"at": {within: at}, "$or": [{"at": {past: at}}, {"_id": {past: key}}]}


def _with_id(document: dict[str, Any]) -> dict[str, Any]:
    key = document.pop("_id")
    return {**_plain(document), "id": key}


def _plain(value: Any) -> Any:
    """Return BSON's own number type as int, which every encoder knows."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, Int64) else value
