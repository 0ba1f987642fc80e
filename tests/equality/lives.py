"""Say who lives in both worlds, and let them live in the simulated one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from agents.protocol.bot import View
from config.load import DEFAULTS, compile_folder
from learning.audience.audience import Audience
from messaging.ports import RowWrite
from scripts.simulating import START, Simulated, end_of, visitor_of
from tests.equality.told import Told, told

TABLES = ("sends", "engagements", "alerts")
HOLDOUT = 0.05
ARRIVE_WITHIN = 0.6


class Lives(msgspec.Struct, frozen=True):
    """Say who lives, and for how long."""

    visitors: int
    days: int
    seed: int

    def audience(self) -> Audience:
        """Return the audience: the same in both worlds."""
        return Audience(self.seed, self.visitors, START, self.days)

    @property
    def until(self) -> timedelta:
        """Return how long after the start the world ends."""
        return end_of(self.days) - START


class Kept(Simulated):
    """Keep the rows that a simulation lets go of."""

    def __init__(self, view: View, audience: Audience) -> None:
        self.kept: dict[str, dict[str, dict[str, Mapping[str, Any]]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        """Visitor -> table -> id -> fields."""
        super().__init__(view, audience)

    def _take_row(self, row: RowWrite) -> None:
        super()._take_row(row)
        if row.table in TABLES:
            self.kept[row.fields["visitor"]][row.table][row.id] = dict(row.fields)


def simulated(lives: Lives) -> dict[str, Told]:
    """Return visitor -> what became of them in a simulated world, learning off: every decision is the rules'."""
    rules = compile_folder(DEFAULTS, 1)
    view = View(rules, 1, {1: rules}, {}, holdout=HOLDOUT, learning=False)
    audience = lives.audience()
    world = Kept(view, audience)
    world.run(end_of(lives.days))
    return {
        visitor: told(world.kept[visitor], _runs(world, visitor))
        for visitor in map(visitor_of, audience.browsers)
    }


def _runs(world: Kept, visitor: str) -> list[Mapping[str, Any]]:
    held = world.bots.states("rules").get(visitor)
    return (
        []
        if held is None
        else [
            {
                name: getattr(run, name)
                for name in (
                    *("path", "run", "stage", "status", "attempts", "holdout"),
                    *("entered_at", "planned_at"),
                )
            }
            for run in held.state.runs.values()
        ]
    )
