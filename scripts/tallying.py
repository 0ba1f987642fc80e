"""Count what a marketer asks of a simulated world: who got where, when e-mails went out, what the rules refused.

Rules
1. Counts come from the rows that the bots write for people, as they are written: nothing of a world is kept for it.
2. An hour is one of the person's own clock, as the bots know it; a day is one of the simulation, counted from the
   moment at which it begins: so many as were asked for.
3. A refusal is counted once for each decision, e-mail or offer that met it, however many choices it took away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from agents.rules.compiled import CompiledRules
from agents.rules_manager.calendar import hour_of, zone_of
from messaging.ports import RowWrite

HANDED_OVER, REFUSED = "handed over", "refused"
HOURS = 24

Number = TypeVar("Number", int, float)

Zone = Callable[[str], str]
"""Visitor -> name of their time zone, empty where it is not known."""


REACHED = frozenset({"run.entered", "stage.reached", "step.reached"})
"""Lines of the story that say that somebody came to a place of a path."""


class Tally:
    """Count rows as they come.

    Parameters:
        zone: of a visitor, by now.
        began_at: the beginning of the first day.
    """

    def __init__(self, zone: Zone, began_at: datetime) -> None:
        self._zone = zone
        self._began_at = began_at
        self._sent: set[str] = set()
        self.by_day: Counter[int] = Counter()
        """Day, from 0 -> e-mails."""
        self.by_hour: Counter[int] = Counter()
        self.templates: Counter[str] = Counter()
        self.reached: dict[tuple[str, str], set[str]] = {}
        """(path, stage) -> who was ever there."""
        self.refused: dict[str, Counter[str]] = {}
        """What was refused -> reason -> how often."""

    def take(self, row: RowWrite) -> None:
        """Count a row."""
        fields: dict[str, Any] = row.fields
        match row.table:
            case "sends":
                self._take_send(row.id, fields)
            case "decisions":
                met = {why for _, why in fields["candidates"] if why}
                self._refuse(fields["kind"], met)
            case "story" if fields["kind"] in REACHED:
                where = (fields["detail"]["path"], fields["detail"]["stage"])
                self.reached.setdefault(where, set()).add(fields["visitor"])
            case "story" if fields["kind"] == "touch.refused":
                self._refuse("touch", {fields["detail"]["rule"]})
            case "story" if fields["kind"] == "offer.refused":
                self._refuse("offer", {fields["detail"]["rule"]})
            case _:
                pass

    def sends_by_day(self, days: int) -> list[int]:
        """Return e-mails by day, of a simulation of so many; what goes at its very end goes on the last."""
        found = [0] * days
        for day, sends in self.by_day.items():
            found[min(day, days - 1)] += sends
        return found

    def _take_send(self, send_id: str, fields: Mapping[str, Any]) -> None:
        if fields["success"] or fields["confirms"]:
            return
        if fields["status"] == REFUSED:
            self._refuse("send", {fields["reason"]})
        elif fields["status"] == HANDED_OVER and send_id not in self._sent:
            self._sent.add(send_id)
            at = fields["handed_over_at"]
            self.by_day[(at - self._began_at).days] += 1
            self.by_hour[hour_of(at, zone_of(self._zone(fields["visitor"]), "UTC"))] += 1
            self.templates[fields["template"]] += 1

    def _refuse(self, what: str, reasons: Iterable[str]) -> None:
        self.refused.setdefault(what, Counter()).update(reasons)


class Counts(msgspec.Struct, frozen=True):
    """Hold the counts of one audience that lived under one set of rules."""

    people: int
    events: int
    messages: int
    held_out: int
    sends_by_day: list[int]
    """From the first day of the simulation to its last."""
    sends_by_hour: list[int]
    """By the 24 hours of the people's own clocks."""
    templates: dict[str, int]
    """Template -> e-mails."""
    stages: dict[str, dict[str, int]]
    """Path -> stage, in the order of the path -> people who were ever there."""
    ends: dict[str, dict[str, int]]
    """Path -> status of a run -> people whose latest run stands so at the end."""
    refused: dict[str, dict[str, int]]
    """What was refused -> reason -> how often: `send` (an e-mail, for good), `touch` (an e-mail that was due, for now:
    a cap, quiet hours, or another of more value), `send_hour` (an hour, at a planning),
    `template`, `interaction`, or `offer` (all that could be offered on the site)."""


def stages_of(tally: Tally, rules: CompiledRules) -> dict[str, dict[str, int]]:
    """Return path -> stage -> how many were ever there, stages that nobody reached among them."""
    found: dict[str, dict[str, int]] = {
        name: dict.fromkeys(path.places, 0) for name, path in sorted(rules.paths.items())
    }
    for (path, stage), people in sorted(tally.reached.items()):
        found.setdefault(path, {})[stage] = len(people)
    return found


def in_order(counts: Mapping[str, Number]) -> dict[str, Number]:
    """Return counts, the largest first; equal ones by name."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
