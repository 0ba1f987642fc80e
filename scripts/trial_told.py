"""Put what a trial came to into the shape in which it is kept and shown: the draft beside the published rules. Pure."""

from __future__ import annotations

from typing import Any

from scripts.rules_try import PathTold, Side, Told

Facts = dict[str, Any]

_NOTHING = PathTold(0, 0, {}, {}, [])


def tried_told(told: Told) -> Facts:
    """Return what `rules try` came to: `cohorts`, `paths` (each number as `now` and `draft`), and `people`."""
    now, draft = told.published, told.draft
    names = sorted(now.paths.keys() | draft.paths.keys())
    return {
        "events": told.events,
        "since": told.since,
        "until": told.until,
        "cohorts": _beside(now.cohorts, draft.cohorts),
        "paths": [_path(name, now, draft) for name in names],
        "people": [
            {
                "visitor": each["visitor"],
                "path": name,
                "e_mails": each["e_mails"],
                "now": each["other_side"],
            }
            for name in names
            for each in draft.paths.get(name, _NOTHING).examples
        ],
    }


def _path(name: str, now: Side, draft: Side) -> Facts:
    before, after = now.paths.get(name, _NOTHING), draft.paths.get(name, _NOTHING)
    return {
        "name": name,
        "people": [
            {"name": "enter it", "now": before.entered, "draft": after.entered},
            {"name": "reach its goal", "now": before.won, "draft": after.won},
        ],
        "e_mails": _beside(before.e_mails, after.e_mails),
        "refused": _beside(before.refused, after.refused),
    }


def _beside(now: dict[str, int], draft: dict[str, int]) -> list[Facts]:
    """Return every name with both counts; None where one side does not know it.

    >>> _beside({"a": 1}, {"a": 2, "b": 3})
    [{'name': 'a', 'now': 1, 'draft': 2}, {'name': 'b', 'now': None, 'draft': 3}]
    """
    return [
        {"name": name, "now": now.get(name), "draft": draft.get(name)}
        for name in sorted(now.keys() | draft.keys())
    ]
