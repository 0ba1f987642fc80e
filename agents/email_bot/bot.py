"""Give the Email bot to the runtime."""

from __future__ import annotations

from datetime import datetime

from agents.email_bot import state as layout
from agents.email_bot.forgetting import begin
from agents.email_bot.state import EmailState
from agents.email_bot.step import step
from agents.email_bot.turn import send_detail, settled_message
from agents.protocol.bot import ERASED, View
from agents.protocol.draw import DrawFor
from messaging.vocabulary.effects import Effect, LogStory, PutSend, Tell
from messaging.vocabulary.messages import Erased, Message, SendRequested


class EmailBot:
    """Decide whether an e-mail may go out, and follow it to its end (`agents.protocol.bot.Bot`)."""

    name = "email"
    version = layout.VERSION
    state_type = EmailState

    def fresh(self, visitor: str) -> EmailState:  # noqa: ARG002 - nobody is known before the first message
        """Return the state of a visitor this bot has never met."""
        return EmailState()

    def upgrade(self, version: int, body: bytes) -> EmailState:
        """Return the present state from the body of an older version."""
        return layout.upgrade(version, body)

    def step(
        self, state: EmailState, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one visitor."""
        return step(state, message, now, view, draw)

    def forget(self, state: EmailState, message: Erased, now: datetime, view: View) -> list[Effect]:
        """End what is open; what is being handed over is waited for."""
        return begin(state, message, now, view)

    def ends_at_tombstone(
        self, message: Message, into: str, now: datetime, view: View
    ) -> list[Effect] | None:
        """Refuse a trigger for a visitor who was merged; None: the message follows to the older one."""
        del view
        if into == ERASED:
            return []
        if not isinstance(message, SendRequested):
            return None
        plan, reason = message.plan, "merged"
        settled = settled_message(
            message.visitor, message.at, plan=plan, outcome="refused", reason=reason
        )
        detail = send_detail(plan, reason) | {"into": into}
        return [
            PutSend(plan, "refused", reason, now),
            LogStory("send.refused", detail),
            Tell("rules", settled),
        ]
