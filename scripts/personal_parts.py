"""Turn what is stored of one person into plain documents. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from messaging.gateway.readers import ReplayCall
from messaging.vocabulary.events import Record
from messaging.vocabulary.letters import Letter

Document = dict[str, Any]


def consents_of(behavior: Document, events: list[Record]) -> list[Document]:
    """Return what was agreed to or refused, and what said so."""
    by_position = {record.position: record for record in events}
    found = []
    for visitor, held in behavior.items():
        for category, stamp in held["state"]["consents"].items():
            record = by_position.get(stamp["position"])
            said = msgspec.json.decode(record.raw) if record is not None else {}
            found.append(
                {
                    "visitor": visitor,
                    "category": category,
                    "given": stamp["value"],
                    "at": datetime.fromtimestamp(stamp["at"], UTC),
                    "basis": _basis(said),
                    "event": record.message_id if record is not None else "",
                }
            )
    return found


def _basis(said: Document) -> str:
    consent = (said.get("context") or {}).get("consent") or {}
    return str(consent.get("basis") or "")


def event_of(record: Record) -> Document:
    """Return a journaled event with its bytes as text."""
    fields: Document = by_name(record)
    return fields | {"raw": record.raw.decode(errors="replace")}


def letter_of(letter: Letter) -> Document:
    """Return a letter with its kind in words."""
    kind = type(letter.message).__name__
    return {"depth": letter.depth, "kind": kind, **by_name(letter.message)}


def by_name(value: Any) -> Any:
    """Return what is stored by place with the names of its fields.

    >>> by_name({"a": [Record(1, "m", 0, datetime(2026, 1, 1), datetime(2026, 1, 1), "", b"")]})[
    ...     "a"
    ... ][0]["message_id"]
    'm'
    """
    if isinstance(value, msgspec.Struct):
        return {name: by_name(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: by_name(each) for key, each in value.items()}
    return [by_name(each) for each in value] if isinstance(value, list | tuple) else value


def call_of(call: ReplayCall) -> Document:
    """Return a call that waits for the world clock."""
    return {"id": call.id, "at": call.at, "raw": call.raw.decode(errors="replace")}
