"""Say whom stored things are about, and what stays of them when somebody is erased. Pure.

Rules
1. Whatever has a place keeps it: a batch took as many events and letters afterwards as before, so that everybody
   else's steps can be repeated with an equal result.
2. The learner's letters keep their numbers, without the visitor: what was learned stays what it is.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime, time
from typing import Any

import msgspec

from agents.runtime.batch import NOBODY, read_owner, wake_place
from messaging.ports import BatchRecord
from messaging.vocabulary.ids import short_hash
from messaging.vocabulary.letters import (
    Letter,
    decode_letters,
    encode_letters,
    erased_letter,
    letter_in,
)
from messaging.vocabulary.messages import (
    AnyMessage,
    DecisionMade,
    MergedInto,
    MergeStarted,
    Replayed,
    RewardSeen,
    StateMerged,
    WeekSeen,
)

Who = AbstractSet[str]
"""Visitors who are one person."""


def about(message: AnyMessage) -> set[str]:
    """Return the visitors that a message is about: the one it is addressed to, and those it names."""
    match message:
        case MergedInto(into=other) | MergeStarted(younger=other) | StateMerged(younger=other):
            return {message.visitor, other}
        case DecisionMade(decision=decision):
            return {decision.visitor}
        case RewardSeen(subject=subject) | WeekSeen(subject=subject):
            return {subject}
        case Replayed():
            return {message.visitor, *about(letter_in(message).message)}
        case _:
            return {message.visitor}


def letters_without(body: bytes, who: Who) -> tuple[bytes, int]:
    """Return what stays of a document's letters, and how many of them were about these visitors."""
    letters = decode_letters(body) if body else []
    theirs = [bool(about(letter.message) & who) for letter in letters]
    if not any(theirs):
        return body, 0
    kept = [
        _without(letter) if is_theirs else letter
        for letter, is_theirs in zip(letters, theirs, strict=True)
    ]
    return encode_letters(kept), sum(theirs)


def _without(letter: Letter) -> Letter:
    match letter.message:
        case DecisionMade(decision=decision):
            kept = msgspec.structs.replace(
                decision, id="", visitor="", run="", context=[], leaning=[]
            )
            return Letter(letter.depth, msgspec.structs.replace(letter.message, decision=kept))
        case RewardSeen(reward=reward, subject=subject):
            known_by = "#" + short_hash("reward", f"{reward.decision_id}:{reward.kind}")
            anonymous = msgspec.structs.replace(
                letter.message,
                reward=msgspec.structs.replace(reward, decision_id=known_by),
                subject="#" + short_hash("subject", subject),
            )
            return Letter(letter.depth, anonymous)
        case WeekSeen(subject=subject):
            nobodys = msgspec.structs.replace(
                letter.message, subject="#" + short_hash("subject", subject)
            )
            return Letter(letter.depth, nobodys)
        case Replayed() as replayed:
            inner = _without(letter_in(replayed))
            if not inner.message.visitor:
                return erased_letter(letter)
            body = encode_letters([inner])
            return Letter(letter.depth, msgspec.structs.replace(replayed, body=body))
        case _:
            return erased_letter(letter)


def is_whose(text: str, who: Who) -> bool:
    """Say whether a batch record's text for an event names one of these visitors."""
    visitor, _, merging = read_owner(text)
    return visitor in who or not who.isdisjoint(merging)


def batch_without(record: BatchRecord, who: Who) -> BatchRecord | None:
    """Return what stays of a batch record, None if it names none of these visitors."""
    local, _ = letters_without(record.local, who)
    kept = msgspec.structs.replace(
        record,
        wakes=[wake for wake in record.wakes if wake[0] not in who],
        visitors=[NOBODY if is_whose(text, who) else text for text in record.visitors],
        local=local,
        skipped=[place for place in record.skipped if not is_named_by(place, who)],
    )
    return None if kept == record else kept


def is_named_by(place: tuple[str, int, int], who: Who) -> bool:
    """Say whether a place in the quarantine is a wake-up of one of these visitors."""
    return any(place[0].startswith(wake_place(visitor, "")[0]) for visitor in who)


def numbers_of(table: str, row: dict[str, Any], veil: str) -> tuple[str, dict[str, Any]]:
    """Return (id, fields) of what stays of a row that holds numbers: all but whose they are.

    `veil`: keyed hash of the row's id, or of the id of the decision that a reward belongs to.
    """
    fields = {name: value for name, value in row.items() if name != "id"} | {"visitor": ""}
    match table:
        case "decisions":
            return veil, fields | {"run": "", "leaning": []}
        case "rewards":
            return f"{veil}:{row['kind']}", fields | {"decision_id": veil}
        case "orders":
            day = datetime.combine(row["at"].date(), time(), row["at"].tzinfo)
            return veil, fields | {"order_id": "", "at": day, "credited": "", "linear": []}
        case "audit_log":
            return veil, fields | {"of": ""}
        case _:
            raise AssertionError(f"rows of {table} do not keep numbers")
