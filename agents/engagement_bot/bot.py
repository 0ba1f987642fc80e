"""Show Engagement to the runtime."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.engagement_bot.state import VERSION, EngagementState
from agents.engagement_bot.step import refused, step
from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from messaging.vocabulary.effects import Effect
from messaging.vocabulary.messages import EngagementRequested, Message


class EngagementBot:
    """Hold what stands open for every visitor on the site."""

    name = "engagement"
    version = VERSION
    state_type: type[Any] = EngagementState

    def fresh(self, visitor: str) -> EngagementState:
        """Return the state of a visitor never met."""
        del visitor  # the state doesn't repeat the key it is stored under
        return EngagementState()

    def upgrade(self, version: int, body: bytes) -> EngagementState:
        """Refuse: this is the first layout."""
        raise ValueError(f"engagement: no layout {version} is known ({len(body)} bytes)")

    def step(
        self, state: EngagementState, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one visitor. Engagement draws nothing."""
        del draw
        return step(state, message, now, view)

    def ends_at_tombstone(
        self, message: Message, into: str, now: datetime, view: View
    ) -> list[Effect] | None:
        """Refuse a trigger for a visitor who was merged; None: the message follows to the older one."""
        del into, view
        if not isinstance(message, EngagementRequested):
            return None
        return refused(message.visitor, message.plan, "merged", now)
