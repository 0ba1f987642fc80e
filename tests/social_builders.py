"""Build a visitor of the Social bot, and what others say of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.social_bot.bot import SocialBot
from agents.social_bot.state import SOURCES
from messaging.vocabulary.effects import CancelWake, Effect, LogStory, LookUp, Moved, Tell, WakeAt
from messaging.vocabulary.ids import visitor_id_for
from messaging.vocabulary.messages import (
    Identified,
    LookedUp,
    Message,
    ProfileSeen,
    Woke,
)
from messaging.vocabulary.plans import Finding

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ANN = visitor_id_for("e:ann@example.com")


def finding(source: str, outcome: str = "nobody", **more: Any) -> Finding:
    """Return what one source said."""
    return Finding(source, [f"{source}.example"], NOON, outcome, **more)


def found(source: str, **more: Any) -> Finding:
    """Return that a source knows them."""
    return finding(source, "found", **more)


def all_say(outcome: str) -> list[Finding]:
    """Return the same answer of every source."""
    return [finding(source, outcome) for source in SOURCES]


class Visitor:
    """Hold one visitor of the bot, with the wake-ups that stand."""

    def __init__(self, visitor: str = ANN) -> None:
        self.bot = SocialBot()
        self.visitor = visitor
        self.state = self.bot.fresh(visitor)
        self.now = NOON
        self.suppressed: frozenset[str] = frozenset()
        self.consent = "opt-in"
        self.wakes: dict[str, datetime] = {}
        self.effects: list[Effect] = []
        self.moved = ""

    def take(self, message: Message) -> list[Effect]:
        """Take a message; keep what it wants."""
        view = View(None, 0, {}, {}, suppressed=self.suppressed, social=True, consent=self.consent)
        self.effects = self.bot.step(self.state, message, self.now, view, Draw)
        for effect in self.effects:
            match effect:
                case WakeAt(key=key, at=at):
                    self.wakes[key] = at
                case CancelWake(key=key):
                    self.wakes.pop(key, None)
                case Moved(into=into):
                    self.moved, self.wakes = into, {}
        return self.effects

    def identified(
        self,
        address: str = "ann@example.com",
        *,
        may: bool = True,
        by: list[str] | None = ["opt-in", "assumed"],  # noqa: B006 - nobody writes to it
    ) -> list[Effect]:
        """Hear from Behavior who they are, and by which consent settings others may be asked about them."""
        said = Identified(
            self.visitor,
            self.now,
            address,
            may,
            True,
            "UTC",
            0,
            "",
            {},
            may_look_up=may,
            may_look_up_by=(by if may else []),
        )
        return self.take(said)

    def answered(self, *findings: Finding, look_up: LookUp | None = None) -> list[Effect]:
        """Hear what the look-up under way came to."""
        asking = self.state.asking
        id_ = look_up.look_up_id if look_up else asking.look_up_id if asking else ""
        return self.take(LookedUp(self.visitor, self.now, id_, list(findings)))

    def passes(self, **time: float) -> None:
        """Let time pass, without what comes due in it."""
        self.now += timedelta(**time)

    def wakes_up(self) -> list[Effect]:
        """Let the next wake-up come due."""
        key = min(self.wakes, key=lambda each: self.wakes[each])
        due = self.wakes.pop(key)
        self.now = max(self.now, due)
        return self.take(Woke(self.visitor, self.now, key, due, ""))

    def look_ups(self) -> list[LookUp]:
        """Return who is to be asked by the last message."""
        return [each for each in self.effects if isinstance(each, LookUp)]

    def seen(self) -> list[tuple[str, str, str]]:
        """Return what Behavior is told by the last message."""
        told = [each.message for each in self.effects if isinstance(each, Tell)]
        return [(m.presence, m.profile, m.activity) for m in told if isinstance(m, ProfileSeen)]

    def story(self) -> list[str]:
        """Return the kinds of lines that the last message wrote."""
        return [each.kind for each in self.effects if isinstance(each, LogStory)]
