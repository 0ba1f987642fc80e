"""Describe the Rules Manager to the runtime."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from agents.rules_manager.state import RulesState, Run
from agents.rules_manager.step import step
from messaging.vocabulary.effects import Effect
from messaging.vocabulary.messages import Message


class RulesBot:
    """Keep every visitor's place on each path, and decide what is said next."""

    name = "rules"
    version = 1
    state_type: type[Any] = RulesState

    def fresh(self, visitor: str) -> RulesState:
        """Return the state of a visitor never met."""
        return RulesState(visitor)

    def upgrade(self, version: int, body: bytes) -> RulesState:
        """Refuse: this is the first layout."""
        raise ValueError(f"rules: no layout {version} is known ({len(body)} bytes)")

    def figures(self, state: RulesState) -> dict[str, float]:
        """Return the runs, 1 for each.

        `runs/<path>/<status>/<stage>`, `arms/<path>/<rules or learning>/<entered or won>` and
        `ways/<path>/<n>|<stage>|…` (see `way_of`); `work/<task>/<machine or people>`: pieces of work. Who was on both
        sides of the holdout is in no arm. A flow's runs have no `ways`: `steps/<path>/<from>|<to>`
        for the way by which each step was first reached, `again/…` for the others that were gone, each
        once a run. Those under way and those that wait for a person also by their version:
        `stands/<path>/<version>/<stage>`, `waits/…`.
        """
        figures: Counter[str] = Counter({f"work/{name}": n for name, n in state.work.items()})
        for run in state.runs.values():
            if run.broadcast is not None:
                continue  # rows tell of those, and their names would add up
            figures[f"runs/{run.path}/{run.status}/{run.stage}"] += 1
            if run.active or run.alert_id:
                where = "stands" if run.active else "waits"
                figures[f"{where}/{run.path}/{run.version}/{run.stage}"] += 1
            if not state.mixed:
                arm = f"arms/{run.path}/{'rules' if run.holdout else 'learning'}"
                figures[f"{arm}/entered"] += 1
                if run.status == "won":
                    figures[f"{arm}/won"] += 1
            if run.came:
                for source, target in edges_of(run):
                    figures[f"steps/{run.path}/{source}|{target}"] += 1
                for source, target in returns_of(run):
                    figures[f"again/{run.path}/{source}|{target}"] += 1
            else:
                figures[f"ways/{run.path}/{way_of(run)}"] += 1
        return dict(figures)

    def step(
        self, state: RulesState, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one visitor."""
        return step(state, message, now, view, draw)


def edges_of(run: Run) -> list[tuple[str, str]]:
    """Return by which ways a flow's run first came to its steps; from an empty name: it began there."""
    steps = list(run.reached)
    return [
        (steps[source] if source >= 0 else "", step)
        for step, source in zip(steps, run.came, strict=True)
    ]


def returns_of(run: Run) -> list[tuple[str, str]]:
    """Return by which other ways a flow's run came to steps where it had been."""
    steps = list(run.reached)
    return [(steps[source], steps[target]) for source, target in run.again]


def way_of(run: Run) -> str:
    """Return the stages that a run reached until it stood where it stands, by time, after how many it began with.

    Which of them were a step forward is told by the path's order, which a reader has (`agents.runtime.figures`).
    """
    stages = sorted(run.reached, key=run.reached.__getitem__)
    until = stages.index(run.stage) + 1 if run.stage in run.reached else 0
    begun = sum(run.reached[stage] <= run.entered_at for stage in stages[:until])
    return "|".join([str(begun), *stages[:until]])
