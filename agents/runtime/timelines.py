"""Put the lines of a visitor's story in the order in which one led to the other. Pure.

Bots write at their own time, which often is the same: of one second, what a visitor did stands before what Behavior
made of it, then what the rules concluded, chose and planned, then what was said, then what a person is asked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

EVENT = "event"
SHOWN = "engagement_shown"
"""An event that no visitor began: it follows what was chosen for them."""
CONCLUDED = ("run.entered", "stage.reached", "step.answered", "step.unanswered", "step.timed_out")
"""Lines of the rules that stand before what is chosen upon them."""

_DID, _NOTED, _SOLD, _CONCLUDED, _CHOSE, _PLANNED, _SAID, _ASKED = range(8)
_BOTS = {"behavior": _NOTED, "social": _NOTED, "sales": _SOLD, "rules": _PLANNED}
_TABLES = {"decisions": _CHOSE, "sends": _SAID, "engagements": _SAID, "alerts": _ASKED}


def ordered(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines, oldest first; their `order` (batch and place of the bot that told it) is taken out.

    >>> at = datetime(2026, 3, 2, tzinfo=UTC)
    >>> told = [
    ...     {"at": at, "bot": "rules", "kind": "decisions: template"},
    ...     {"at": at, "bot": "rules", "kind": "story: run.entered", "order": 7},
    ...     {"at": at, "bot": "behavior", "kind": "event", "what": "page"},
    ... ]
    >>> [line["kind"] for line in ordered(told)]
    ['event', 'story: run.entered', 'decisions: template']
    >>> shown = {"at": at, "bot": "behavior", "kind": "event", "what": SHOWN}
    >>> [line["kind"] for line in ordered([shown, {**told[0]}, {**told[2], "what": "page"}])]
    ['event', 'decisions: template', 'event']
    """
    placed = [
        ((line["at"].replace(microsecond=0), _rank(line), line["at"], line.pop("order", 0)), number)
        for number, line in enumerate(lines)
    ]
    return [lines[number] for _, number in sorted(placed)]


def _rank(line: dict[str, Any]) -> int:
    table, _, kind = line["kind"].partition(": ")
    if table == EVENT:
        return _SAID if line.get("what") == SHOWN else _DID
    if table in _TABLES:
        return _TABLES[table]
    return _CONCLUDED if kind in CONCLUDED else _BOTS.get(line["bot"], _SAID)


def moves_of(state: Any) -> list[dict[str, Any]]:
    """Return the cohorts entered and left as lines of a timeline: those of one moment and cause as one."""
    lines: dict[tuple[float, str], dict[str, Any]] = {}
    for at, what, by in state.moves:
        fields = {"bot": "behavior", "kind": "cohorts.moved", "entered": [], "left": [], "by": by}
        line = lines.setdefault((at, by), {"at": datetime.fromtimestamp(at, UTC), **fields})
        line["entered" if what.startswith("+") else "left"].append(what[1:])
    return list(lines.values())
