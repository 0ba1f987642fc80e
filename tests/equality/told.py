"""Hold what a marketer reads of one visitor, and compare it between a simulated world and a real one.

Rules
1. Equal to the letter: which e-mails in which order (send id, template, path, stage, step, attempt, state), which
   offers on the site and what became of them, how each run stands, which alerts there are.
2. Equal to `APART`: when an e-mail was handed over or is planned, when an alert came, when a run was entered. The real
   world's clock goes a second at a time past what is due, and an e-mail's Date has whole seconds; a reader who looks at
   a mail a second later does all that follows a second later. Nothing else may shift a time, so what a marketer
   reads to the minute is equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

APART = timedelta(seconds=10)
"""A chain of answers adds a second or two each: an e-mail, its open, the next window, four e-mails a run."""

SENDS = ("path", "run", "stage", "step", "attempt", "template", "success", "status", "reason")
OFFERS = ("interaction", "interaction_type", "status", "reason")
ALERTS = ("path", "run", "kind", "status", "by")


class Line(msgspec.Struct, frozen=True):
    """Hold one thing: what it says, and when."""

    what: tuple[str, ...]
    at: datetime | None = None


class Told(msgspec.Struct):
    """Hold all of one visitor, in the order of time."""

    sends: list[Line] = []
    offers: list[Line] = []
    alerts: list[Line] = []
    runs: list[Line] = []
    plans: list[Line] = []
    """When the next e-mail of each run is planned."""


def told(
    tables: Mapping[str, Mapping[str, Mapping[str, Any]]], runs: list[Mapping[str, Any]]
) -> Told:
    """Return what the rows of one visitor say.

    Args:
        tables: table -> id -> fields, as the store keeps them.
        runs: `path`, `run`, `stage`, `status`, `attempts`, `holdout`, `entered_at`, `planned_at`.
    """
    sends = [
        Line((key, *_words(row, SENDS)), row.get("handed_over_at"))
        for key, row in tables.get("sends", {}).items()
    ]
    offers = [
        Line((key, *_words(row, OFFERS))) for key, row in tables.get("engagements", {}).items()
    ]
    alerts = [
        Line((key, *_words(row, ALERTS)), row["at"])
        for key, row in tables.get("alerts", {}).items()
    ]
    names = ("path", "run", "stage", "status", "attempts", "holdout")
    return Told(
        sends=sorted(sends, key=lambda line: (str(line.at), line.what)),
        offers=sorted(offers, key=lambda line: line.what),
        alerts=sorted(alerts, key=lambda line: line.what),
        runs=[Line(_words(run, names), run["entered_at"]) for run in _sorted(runs)],
        plans=[Line((str(run["path"]),), run["planned_at"]) for run in _sorted(runs)],
    )


def _sorted(runs: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(runs, key=lambda run: (run["path"], run["run"]))


def _words(row: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(row.get(name, "")) for name in names)


def differences(simulated: Mapping[str, Told], real: Mapping[str, Told]) -> list[str]:
    """Return every difference, one line for each list of a visitor that is not equal."""
    found = []
    for visitor in sorted(simulated.keys() | real.keys()):
        one, other = simulated.get(visitor, Told()), real.get(visitor, Told())
        for name in Told.__struct_fields__:
            said = _apart(getattr(one, name), getattr(other, name))
            if said:
                found.append(f"visitor {visitor}, {name}: {said}")
    return found


def widest(simulated: Mapping[str, Told], real: Mapping[str, Told]) -> timedelta:
    """Return by how much two times that belong together differ at most, where the words are equal."""
    most = timedelta(0)
    for visitor in simulated.keys() & real.keys():
        for name in Told.__struct_fields__:
            pairs = zip(
                getattr(simulated[visitor], name), getattr(real[visitor], name), strict=False
            )
            for one, other in pairs:
                if one.what == other.what and one.at and other.at:
                    most = max(most, abs(one.at - other.at))
    return most


def _apart(simulated: list[Line], real: list[Line]) -> str:
    for number in range(max(len(simulated), len(real))):
        one = simulated[number] if number < len(simulated) else None
        other = real[number] if number < len(real) else None
        if one is None or other is None or one.what != other.what or not _close(one, other):
            return f"simulated {_said(one)}, real {_said(other)} (number {number + 1})"
    return ""


def _close(one: Line, other: Line) -> bool:
    if one.at is None or other.at is None:
        return one.at is other.at
    return abs(one.at - other.at) <= APART


def _said(line: Line | None) -> str:
    if line is None:
        return "nothing"
    return " ".join([*line.what, "" if line.at is None else f"at {line.at:%m-%d %H:%M:%S}"]).strip()
