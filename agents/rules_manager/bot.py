"""Describe the Rules Manager to the runtime."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
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
        """Return the runs: `runs/<path>/<status>/<stage>` and `arms/<path>/<arm>/<entered or won>` -> 1.

        `follow_ups`: e-mails after the first of a run. Who was on both sides of the holdout is in no arm.
        """
        figures: dict[str, float] = {}
        for run in state.runs.values():
            figures[f"runs/{run.path}/{run.status}/{run.stage}"] = 1
            if run.attempts > 1:
                figures["follow_ups"] = figures.get("follow_ups", 0) + run.attempts - 1
            if not state.mixed:
                arm = f"arms/{run.path}/{'rules' if run.holdout else 'learning'}"
                figures[f"{arm}/entered"] = 1
                if run.status == "won":
                    figures[f"{arm}/won"] = 1
        return figures

    def step(
        self, state: RulesState, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one visitor."""
        return step(state, message, now, view, draw)
