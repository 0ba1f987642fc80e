"""Make the rows of what is set aside in quarantine, and say in them what a replay came to. Pure.

Rules
1. A row names one try of one thing, by its place: what fails once more gets a row of its own, and the row before it
   names that (`again`). So whoever is erased is found by each place at which something of theirs stands.
2. A row is about the person, not about whom the letter is addressed to: a policy is nobody.
3. What a replay came to is written by the commit that takes it, into a row that is still there (`set`): an erased one
   never comes back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.runtime.fold import Work
from agents.runtime.tables import taken_row
from messaging.ports import RowWrite
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import derive
from messaging.vocabulary.letters import Letter, encode_letters, letter_in
from messaging.vocabulary.messages import (
    AlertAnswered,
    Arrived,
    DecisionFared,
    DecisionMade,
    Message,
    ModelTrained,
    Replayed,
    RewardSeen,
    TrainingScheduled,
    WeekSeen,
)
from messaging.vocabulary.quarantine import (
    OPEN,
    QUARANTINE,
    UNREADABLE,
    row_of_replay,
)

Place = tuple[str, int, int]
"""(stream, position, index) of one letter."""

REASON_CHARACTERS_MAX = 500

_PASSING = ("local", "wake:")
"""Begin the streams whose places are used again: only the batch tells such letters apart."""


def row_of(shard: str, batch: int, work: Work, reason: str, now: datetime) -> list[RowWrite]:
    """Return the rows to write for a letter that a step raises at: its own, and that of the try before it.

    `batch`: number of the batch that skips it.
    """
    message: Message = work.message
    place = (work.stream, work.position, work.index)
    before, letter = "", Letter(work.depth, message)  # type: ignore[arg-type]
    if isinstance(message, Replayed):
        before, letter = message.row, letter_in(message)
    elif isinstance(message, Arrived):
        before = row_of_replay(message.record)
    fields = _fields(shard, place, reason, now) | {
        "visitor": _whom(letter.message),
        "kind": type(letter.message).__name__,
        "body": encode_letters([letter]),
    }
    return _rows(row_id(shard, batch, place), fields, before, now)


def unreadable_row(
    shard: str, record: Record, place: Place, reason: str, now: datetime
) -> list[RowWrite]:
    """Return the rows to write for a journaled event that cannot be read; its bytes stay as they came."""
    fields = _fields(shard, place, reason, now)
    fields |= {"visitor": "", "kind": UNREADABLE, "body": record.raw}
    return _rows(row_id(shard, 0, place), fields, row_of_replay(record), now)


def row_id(shard: str, batch: int, place: Place) -> str:
    """Return the id of a row in quarantine; a place that is used again is told from others by its batch."""
    parts = [str(batch)] if place[0].startswith(_PASSING) else []
    return derive("quarantine", shard, place[0], str(place[1]), str(place[2]), *parts)


def _fields(shard: str, place: Place, reason: str, now: datetime) -> dict[str, Any]:
    stream, position, index = place
    return {
        "at": now,
        "bot": shard.rpartition("-")[0],
        "shard": shard,
        "reason": reason[:REASON_CHARACTERS_MAX],
        "stream": stream,
        "position": position,
        "index": index,
        "status": OPEN,
        "by": "",
        "settled_at": None,
        "again": "",
    }


def _rows(id_: str, fields: dict[str, Any], before: str, now: datetime) -> list[RowWrite]:
    rows = [RowWrite(QUARANTINE, id_, fields)]
    return [*rows, taken_row(before, now, id_)] if before else rows


def _whom(message: Message) -> str:
    """Return the person that a message is about, empty for a policy's own affairs."""
    match message:
        case DecisionMade(decision=decision):
            return decision.visitor
        case RewardSeen(subject=subject) | WeekSeen(subject=subject):
            return subject
        case DecisionFared() | TrainingScheduled() | ModelTrained():
            return ""
        case AlertAnswered(policy=policy) if policy:
            return ""
        case _:
            return message.visitor
