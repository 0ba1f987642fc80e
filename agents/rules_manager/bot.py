"""Describe the Rules Manager to the runtime."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from agents.rules_manager.counted import counts_of
from agents.rules_manager.state import RulesState
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

        `runs/<path>/<status>/<stage>`, and what `counts_of` says; those under way and those that wait for a person also
        by their version: `stands/<path>/<version>/<stage>`, `waits/…`. Of runs whose place another took
        `past/<path>/<status>/<stage>`, beside what `counts_of` said of them. Who was on both sides of the holdout is in
        no arm. `work/<task>/<machine or people>`: pieces of work.
        """
        figures: Counter[str] = Counter({f"work/{name}": n for name, n in state.work.items()})
        figures.update(state.past)
        for run in state.runs.values():
            if run.broadcast is not None:
                continue  # rows tell of those, and their names would add up
            figures[f"runs/{run.path}/{run.status}/{run.stage}"] += 1
            if run.active or run.alert_id:
                where = "stands" if run.active else "waits"
                figures[f"{where}/{run.path}/{run.version}/{run.stage}"] += 1
            figures.update(counts_of(run, in_arms=not state.mixed))
        return dict(figures)

    def step(
        self, state: RulesState, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one visitor."""
        return step(state, message, now, view, draw)
