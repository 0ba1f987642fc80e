"""Watch what was set aside in quarantine: a message counts, or is set aside, and never both.

Rules
1. A row that says that its replay was taken is believed once the fold finds it: rows are read before any shard is
   folded, and again after all of them.
2. A row that went meanwhile was erased.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from agents.runtime.fold import Work
from messaging.ports import BatchRecord, Store
from messaging.vocabulary.letters import letter_in
from messaging.vocabulary.messages import Arrived, Message, Replayed
from messaging.vocabulary.quarantine import QUARANTINE, REPLAYED, row_of_replay

ROWS_MAX = 5_000_000


class Aside:
    """Compare the rows of the quarantine with what was taken.

    Args:
        found: is told (rule, what) of what should not be.
        only: the only visitor looked at; None: all.
    """

    def __init__(self, found: Callable[[str, str], None], only: str | None) -> None:
        self._found = found
        self._only = only
        self._said: set[str] = set()
        """Rows that say that their replay was taken."""
        self._taken: set[str] = set()
        """Rows whose replay was found to be taken."""
        self.arrivals = 0
        """Events that were passed on to another shard of Behavior, and set aside there."""

    async def begin(self, store: Store, since: datetime | None) -> None:
        """Read which rows say that their replay was taken, after `since` if steps are repeated from there on."""
        if self._only is None:
            rows = await self._rows(store)
            said = {each: row for each, row in rows.items() if _is_taken(row)}
            self._said = {
                each for each, row in said.items() if since is None or row["settled_at"] > since
            }

    def observe(self, record: BatchRecord, works: list[Work]) -> list[Work]:
        """Return a batch's works that were taken, replays as what they hold."""
        skipped = {tuple(place) for place in record.skipped}
        taken = []
        for work in works:
            message = work.message
            if skipped and (work.stream, work.position, work.index) in skipped:
                self.arrivals += isinstance(message, Arrived)
                continue
            if row := _replays(message):
                self._taken.add(row)
            taken.append(_opened(work) if isinstance(message, Replayed) else work)
        return taken

    async def end(self, store: Store) -> int:
        """Say what is not as it should be; return how many messages are set aside."""
        rows = await self._rows(store)
        for id_ in sorted(self._taken & rows.keys()):
            if not _is_taken(rows[id_]):
                self._found("once", f"message {id_} is set aside, and was taken as well")
        for id_ in sorted((self._said - self._taken) & rows.keys()):
            self._found("once", f"message {id_} is said to be replayed, and nobody took it")
        return sum(row["status"] != REPLAYED for row in rows.values())

    async def _rows(self, store: Store) -> dict[str, dict[str, Any]]:
        match = {"visitor": self._only} if self._only else {}
        found = await store.rows(
            QUARANTINE, match, limit=ROWS_MAX, newest=False, only=("status", "again", "settled_at")
        )
        return {row["id"]: row for row in found}


def _is_taken(row: dict[str, Any]) -> bool:
    return row["status"] == REPLAYED and not row["again"]


def _replays(message: Message) -> str:
    if isinstance(message, Replayed):
        return message.row
    return row_of_replay(message.record) if isinstance(message, Arrived) else ""


def _opened(work: Work) -> Work:
    assert isinstance(work.message, Replayed), "only a replay is opened"
    message = letter_in(work.message).message
    inner = msgspec.structs.replace(message, visitor=work.message.visitor)
    return msgspec.structs.replace(work, message=inner)
