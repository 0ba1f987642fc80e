"""Put rows into a store as a shard writes them where a bot could not take a message."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.runtime.fold import Work
from agents.runtime.quarantine import row_of
from messaging.ports import Store
from messaging.vocabulary.messages import Message, ProfileSeen


def a_message(visitor: str, at: datetime) -> ProfileSeen:
    return ProfileSeen(visitor, at, "found", "personal", "active")


async def put_aside(
    store: Store,
    visitor: str,
    at: datetime,
    position: int = 1,
    message: Message | None = None,
    bot: str = "behavior",
    **changes: Any,
) -> str:
    """Put one row; return its id. `changes`: fields of it that are otherwise."""
    work = Work(message or a_message(visitor, at), 1, "social-0", position, 0)
    [row] = row_of(f"{bot}-0", 7, work, "ProfileSeen: KeyError: 'of ann@example.com'", at)
    await store.put_document(row.table, row.id, row.fields | changes)
    return row.id
