"""Show Sales to the runtime."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from agents.sales_bot import state as layout
from agents.sales_bot.shown import figures_of
from agents.sales_bot.state import VERSION, SalesState
from agents.sales_bot.step import step
from messaging.vocabulary.effects import Effect
from messaging.vocabulary.messages import Message


class SalesBot:
    """Know every visitor's orders, and say when a path's goal is reached."""

    name = "sales"
    version = VERSION
    state_type: type[Any] = SalesState

    def fresh(self, visitor: str) -> SalesState:
        """Return the state of a visitor never met."""
        del visitor  # the state doesn't repeat the key it is stored under
        return SalesState()

    def upgrade(self, version: int, body: bytes) -> SalesState:
        """Return the present state from the body of an older version."""
        return layout.upgrade(version, body)

    def figures(self, state: SalesState) -> dict[str, float]:
        """Return the visitor's share in orders, revenue, refunds and credit."""
        return figures_of(state)

    def step(
        self, state: SalesState, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one visitor. Sales draws nothing, and lives by the messages' own times."""
        del now, draw
        return step(state, message, view)
