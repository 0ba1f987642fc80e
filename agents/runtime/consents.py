"""Show what a visitor agreed to, when they last said so, and on what basis: read from the very event that said it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from agents.behavior_bot.state import BehaviorState
from messaging.ports import Journal
from messaging.vocabulary.ids import stream_of


async def consents_of(state: BehaviorState, journal: Journal | None) -> list[dict[str, Any]]:
    """Return each category with `given`, `at`, `by` (the kind of call) and `basis`, as far as the journal has it."""
    found = []
    for category, stamp in sorted(state.consents.items()):
        said = await _said(journal, stamp.position)
        consent = _inner(_inner(said, "context"), "consent")
        found.append(
            {
                "category": category,
                "given": stamp.value,
                "at": datetime.fromtimestamp(stamp.at, UTC),
                "by": str(said.get("type") or ""),
                "basis": str(consent.get("basis") or ""),
            }
        )
    return found


async def _said(journal: Journal | None, position: int) -> dict[str, Any]:
    """Return the event at a position, empty where it is not kept or cannot be read any more."""
    if journal is None or position <= 0:
        return {}
    records, _ = await journal.read(stream_of(position), position - 1, 1, (0, 1))
    if not records or records[0].position != position:
        return {}
    try:
        said = msgspec.json.decode(records[0].raw)
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _inner(said: dict[str, Any], name: str) -> dict[str, Any]:
    found = said.get(name)
    return found if isinstance(found, dict) else {}
