"""Read from MongoDB as it stood at one moment, while commits go on: a snapshot session.

Source: MongoDB manual, "Read Concern `snapshot`" and `minSnapshotHistoryWindowInSeconds`. The embedded server keeps
five seconds of history, since history costs; whoever reads longer asks for more, for as long as that takes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from pymongo.errors import OperationFailure

from messaging.store.connection import Client, Session, world

KEPT_SECONDS = 600
"""How long a moment can be read; what is read of ten million rows takes less."""

WINDOW = "minSnapshotHistoryWindowInSeconds"


@asynccontextmanager
async def snapshot_session(client: Client) -> AsyncIterator[Session]:
    """Give a session whose reads all show the moment of its first one.

    A server that does not let us ask for more history keeps what it was told to: then late reads raise
    `Unavailable` (SnapshotTooOld).
    """
    before = await _window(client)
    if before is not None and before < KEPT_SECONDS:
        await _keep(client, KEPT_SECONDS)
    try:
        with world():
            session = await client.start_session(snapshot=True)
        try:
            yield session
        finally:
            await session.end_session()
    finally:
        if before is not None and before < KEPT_SECONDS:
            await _keep(client, before)


async def _window(client: Client) -> int | None:
    with world():
        try:
            found = await client.admin.command({"getParameter": 1, WINDOW: 1})
        except OperationFailure:  # not ours to ask
            return None
    return int(found[WINDOW])


async def _keep(client: Client, seconds: int) -> None:
    with world(), suppress(OperationFailure):
        await client.admin.command({"setParameter": 1, WINDOW: seconds})
