"""Present the learner to the runtime: one state for each policy, under the policy's key."""

from __future__ import annotations

from datetime import datetime

import msgspec

from agents.learner_bot.state import PolicyState
from agents.learner_bot.step import step
from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from messaging.vocabulary.effects import Effect
from messaging.vocabulary.messages import Message

_decoder = msgspec.msgpack.Decoder(PolicyState)


class LearnerBot:
    """Join rewards to arms and publish policies."""

    name = "learner"
    version = 2
    """2: what answers have shown of leads stands beside the counts of arms (`shown`)."""
    state_type: type[PolicyState] = PolicyState

    def fresh(self, visitor: str) -> PolicyState:  # noqa: ARG002 - a key doesn't tell the policy's name
        """Return the state of a policy nothing is known of."""
        return PolicyState()

    def upgrade(self, version: int, body: bytes) -> PolicyState:
        """Return the present state from an older version's bytes: what its arms counted teaches their levels."""
        if version == 1:
            return _decoder.decode(body)
        raise ValueError(f"learner: no state of version {version} was ever stored")

    def step(
        self, state: PolicyState, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one policy."""
        return step(state, message, now, view, draw)
