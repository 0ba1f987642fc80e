"""Name the seam by which what is stored of a person is found and removed: fakes stand beside the real ones.

Rules
1. Each call may be repeated: what is gone stays gone, and what was replaced is replaced by the same.
2. Nothing here decides what goes. `agents.runtime.sweeper` does, and calls in an order that survives a crash.
"""

from __future__ import annotations

from typing import Any, Protocol

from messaging.ports import BatchRecord
from messaging.vocabulary.events import Record


class Sweep(Protocol):
    """Remove what is stored of visitors, wherever that is; whoever else is there keeps their place."""

    async def keys_of(self, visitors: list[str]) -> dict[str, str]:
        """Return identity key -> visitor, for every key that leads to one of these, their own rows included.

        It reads the whole index of keys.
        """
        ...

    async def hide_keys(self, keys: list[str], notes: list[str], receipt: str, at: int) -> None:
        """Remove identity keys, once each of the `notes` (`erased_key`) holds the receipt and when (microseconds)."""
        ...

    async def rewrite_batches(self, shard: str, records: dict[int, BatchRecord]) -> None:
        """Replace batch records: number -> what is kept."""
        ...

    async def rewrite_outbox(self, sender: str, to: str, bodies: dict[int, bytes]) -> None:
        """Replace the letters of outbox documents: number -> what is kept."""
        ...

    async def rewrite_journal(self, records: list[Record]) -> None:
        """Replace journaled records; what stands for their message ids stays, so that repeats are known."""
        ...

    async def drop_states(self, bot: str, visitors: list[str]) -> int:
        """Remove states with their wake-ups, and their copies in checkpoints; return how many states there were."""
        ...

    async def drop_rows(self, table: str, ids: list[str]) -> None:
        """Remove rows or documents of a table."""
        ...

    async def replace_rows(self, table: str, rows: dict[str, tuple[str, dict[str, Any]]]) -> None:
        """Put rows in the place of others: id -> (new id, fields). The new one stands before the old one goes."""
        ...

    async def drop_mailboxes(self, mailboxes: list[str]) -> int:
        """Remove what is kept of mailboxes, but for those that are suppressed; return how many stay."""
        ...

    async def settle(self, tables: list[str]) -> None:
        """Let the database give back the room of what was removed, as far as it can while it runs."""
        ...
