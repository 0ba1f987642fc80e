"""Say how what was set aside in quarantine is spoken of, and how a replay of it is known. Pure.

Rules
1. An event that is replayed comes as itself: its bytes and its own time, under a message id that names the row and the
   id under which it came first. So the journal takes it once however often it is ordered, and an order that has no
   other name is still called by the first id.
2. Public routes take no id of this kind (`OWN`): nobody outside can claim a replay.
"""

from __future__ import annotations

from typing import Any

from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import AGAIN

QUARANTINE = "quarantine"

OPEN, REPLAYED, DROPPED = "open", "replayed", "dropped"
"""States of a row: nobody decided yet, or its replay is under way; a bot took it once more; it was let go."""

EVENT, UNREADABLE = "Arrived", "Record"
"""Kinds of a row that hold an event of the journal: one at which a step failed, and one that nobody could read."""


def replay_of(row: str, record: Record) -> str:
    """Return the message id of the replay of a journaled event; `row`: the id of its row in quarantine.

    >>> from datetime import UTC, datetime
    >>> now = datetime(2026, 11, 26, tzinfo=UTC)
    >>> record = Record(7, "m1", 0, now, now, "", b"{}")
    >>> again = Record(9, replay_of("ab12", record), 0, now, now, "", b"{}")
    >>> row_of_replay(again), again.first_id, replay_of("cd34", again)
    ('ab12', 'm1', 'mdma:again:cd34:m1')
    """
    return f"{AGAIN}{row}:{record.first_id}"


def row_of_replay(record: Record) -> str:
    """Return the id of the row that a journaled event replays, empty for an event that is no replay."""
    if not record.message_id.startswith(AGAIN):
        return ""
    return record.message_id.removeprefix(AGAIN).partition(":")[0]


def told_aside(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a visitor's timeline tells of a row: not what an error said, which may name anybody."""
    kept = ("id", "at", "bot", "kind", "status", "settled_at", "again")
    return {**{name: row[name] for name in kept}, "why": _why(row)}


def _why(row: dict[str, Any]) -> str:
    if row["kind"] == UNREADABLE:
        return "nobody could read it"
    if row["reason"].startswith(f"{row['kind']}: TooDeep: "):
        return "one thing would have led to another without end"
    return "the program failed at it"
