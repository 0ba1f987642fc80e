"""Show Social to the runtime."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from agents.social_bot.state import VERSION, SocialState, upgrade
from agents.social_bot.step import step
from messaging.vocabulary.effects import Effect
from messaging.vocabulary.messages import Message


class SocialBot:
    """Know of every visitor with an address whether others know them."""

    name = "social"
    version = VERSION
    state_type: type[Any] = SocialState

    def fresh(self, visitor: str) -> SocialState:
        """Return the state of a visitor never met."""
        del visitor  # the state doesn't repeat the key it is stored under
        return SocialState()

    def upgrade(self, version: int, body: bytes) -> SocialState:
        """Return the present state from the body of an older version."""
        return upgrade(version, body)

    def figures(self, state: SocialState) -> dict[str, float]:
        """Return who was looked up: `presence/<found, none or unknown>` -> 1."""
        return {f"presence/{state.told[0] or 'unknown'}": 1.0} if state.told else {}

    def step(
        self, state: SocialState, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one visitor."""
        return step(state, message, now, view, draw)
