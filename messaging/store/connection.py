"""Connect to MongoDB: the one place that knows motor's client, and the names its errors have with us.

Rules
1. Every write is majority-acknowledged and journaled, every read is majority. Weaker settings lost
   acknowledged writes in Jepsen's tests of transactions.
2. A client belongs to one event loop and one process: call `connect` inside the loop that will use it.
3. Motor is at the end of its life. Whoever moves to PyMongo's AsyncMongoClient changes this file, awaits the
   few calls that return cursors there, and runs the contract tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any, cast

from bson import Binary
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo.client_session import ClientSession
from pymongo.database import Database as BlockingDatabase
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from messaging.vocabulary.errors import Unavailable

Client = AsyncIOMotorClient[dict[str, Any]]
Database = AsyncIOMotorDatabase[dict[str, Any]]
Collection = AsyncIOMotorCollection[dict[str, Any]]
Session = AsyncIOMotorClientSession

DATABASE = "mdma"
"""Name of the database where the URL names none."""

OPERATION_MS = 8_000
"""Time for one operation with the driver's own retries: longer than a killed mongod takes to be back."""

CONNECT_MS = 2_000

POOL_MAX = 8
"""Connections of one process: a shard has one transaction and a few reads under way, a gateway one insert."""

DUPLICATE_KEY = 11000


class Connection:
    """Hold one client and its database."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.database: Database = client.get_default_database(DATABASE)

    async def ping(self) -> None:
        """Ask the server for a sign of life. Raise `Unavailable`."""
        with world():
            await self.client.admin.command("ping")

    async def close(self) -> None:
        """Close every socket; the driver says good-bye to the server first, and waits for it."""
        await asyncio.to_thread(self.client.close)


def connect(url: str, *, operation_ms: int = OPERATION_MS) -> Connection:
    """Return a connection; nothing is sent before the first call."""
    client: Client = AsyncIOMotorClient(
        url,
        w="majority",
        journal=True,
        readConcernLevel="majority",
        retryWrites=True,
        retryReads=True,
        timeoutMS=operation_ms,
        serverSelectionTimeoutMS=operation_ms,
        connectTimeoutMS=CONNECT_MS,
        maxPoolSize=POOL_MAX,
        # Not `stream`: that is a second thread for each process. A server that went away is found by the
        # operation that needs it, which then asks for a look at once.
        serverMonitoringMode="poll",
        tz_aware=True,
        tzinfo=UTC,
        appname="mdma",
    )
    return Connection(client)


@contextmanager
def world() -> Iterator[None]:
    """Raise `Unavailable` for whatever the server or the way to it does; what is our own error passes."""
    try:
        yield
    except PyMongoError as error:
        raise translated(error) from error


def translated(error: PyMongoError) -> Exception:
    """Return the error in our words: `Unavailable`, or the error itself where only we can have caused it.

    A document that BSON cannot hold, or a cursor used twice, does not get better by trying again.
    """
    if isinstance(error, ConnectionFailure | ServerSelectionTimeoutError | OperationFailure):
        return Unavailable(f"MongoDB: {_reason(error)}")
    return Unavailable(f"MongoDB: {error}") if error.timeout else error


def session_key(session: Session) -> Binary:
    """Return the id under which the server knows a session."""
    # Motor's stubs call these two properties methods.
    return cast("Binary", cast("Any", session).session_id["id"])


def blocking_database(database: Database) -> BlockingDatabase[dict[str, Any]]:
    """Return the database as the driver underneath has it: for a thread, never for the loop."""
    return cast("BlockingDatabase[dict[str, Any]]", cast("Any", database).delegate)


def blocking_session(session: Session) -> ClientSession:
    """Return the session as the driver underneath has it: for a thread, never for the loop."""
    return cast("ClientSession", cast("Any", session).delegate)


def is_network(error: PyMongoError) -> bool:
    """Say whether the server was not reached, in contrast to an answer that we did not like."""
    return isinstance(error, ConnectionFailure) or error.timeout


def duplicates(error: BulkWriteError) -> list[int] | None:
    """Return the places of the documents refused for a duplicate key, or None if anything else went wrong."""
    details = cast("dict[str, Any]", error.details)
    failures = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(f["code"] != DUPLICATE_KEY for f in failures):
        return None
    return [failure["index"] for failure in failures]


def _reason(error: PyMongoError) -> str:
    """Return a short reason without document contents: a server's text may quote them."""
    if isinstance(error, OperationFailure):
        details = error.details if isinstance(error.details, dict) else {}
        return f"{details.get('codeName', type(error).__name__)} ({error.code})"
    return f"{type(error).__name__}: {error}"[:200]
