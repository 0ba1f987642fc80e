"""Show Behavior to the runtime."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.behavior_bot import layout
from agents.behavior_bot.listed import lists_of
from agents.behavior_bot.state import BehaviorState
from agents.behavior_bot.step import answered, step, tell_erased, told_again
from agents.protocol.bot import ERASED, View
from agents.protocol.draw import DrawFor
from agents.rules.flow import is_hidden
from messaging.vocabulary.effects import Effect
from messaging.vocabulary.events import AlertSettled, LetterReplayed, VisitorErased
from messaging.vocabulary.letters import decode_letters
from messaging.vocabulary.messages import Arrived, Message

ANSWERS = {
    kind: (f"answers/{kind}", f"answers_by_people/{kind}")
    for kind in ("mail_opened", "mail_clicked")
}
"""What machines do as people do -> the sums of how often it was done, and of how often by people."""


class BehaviorBot:
    """Know every visitor: who they are, what they did, which cohorts they are in."""

    name = "behavior"
    version = layout.VERSION
    state_type: type[Any] = BehaviorState

    def fresh(self, visitor: str) -> BehaviorState:
        """Return the state of a visitor never met."""
        del visitor  # the state doesn't repeat the key it is stored under
        return BehaviorState()

    def upgrade(self, version: int, body: bytes) -> BehaviorState:
        """Return the state that an older layout holds."""
        return layout.read(version, body)

    def figures(self, state: BehaviorState) -> dict[str, float]:
        """Return the visitor as one of all people, the known, the customers and each cohort, and their answers.

        `work/segment/<machine or people>`: places in cohorts and on lists; `work/score/machine`: scores that stand.
        `bounds/<let_go or over_minute>/<visitors or events>`: what bounds kept from rules, of those who met one.
        """
        figures = {"people": 1.0}
        if state.email is not None:
            figures["known"] = 1.0
        if state.orders_count:
            figures["customers"] = 1.0
        for kind, (every, by_people) in ANSWERS.items():
            tally = state.tallies.get(kind)
            if tally is not None:
                figures[every] = float(tally.count)
                figures[by_people] = float(tally.human)
        named = [name for name in state.cohorts if not is_hidden(name)]
        figures |= _work(state, named) | _bounds(state)
        return figures | {f"cohorts/{name}": 1.0 for name in named}

    def step(
        self, state: BehaviorState, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one visitor. Behavior draws nothing."""
        del draw
        return step(state, message, now, view)

    def passes_on(self, message: Message, now: datetime, view: View) -> list[Effect] | None:
        """Pass on what is about a policy and no visitor, so that no state is made of it; None: it is a visitor's."""
        if not isinstance(message, Arrived):
            return None
        event = message.record.event
        if isinstance(event, AlertSettled) and event.policy:
            return [answered(event, message.visitor, now)]
        if isinstance(event, LetterReplayed) and event.bot == "learner":
            [letter] = decode_letters(event.body)
            if letter.message.visitor == message.visitor:
                return told_again(event, message.visitor, now, view)
        return None

    def ends_at_tombstone(
        self, message: Message, into: str, now: datetime, view: View
    ) -> list[Effect] | None:
        """Pass an erasure that is told again on to the others; None: as any message at a tombstone."""
        if into != ERASED or not isinstance(message, Arrived):
            return None
        is_told = isinstance(message.record.event, VisitorErased)
        return tell_erased(message.visitor, now, view) if is_told else []


def _work(state: BehaviorState, named: list[str]) -> dict[str, float]:
    """Return who sorted the visitor: lists and imports are people's, and so is a place in a cohort owed to a list."""
    by_people = sum(name in state.by_people for name in named)
    work = {
        "work/segment/machine": len(named) - by_people,
        "work/segment/people": by_people + len(lists_of(state)) + state.imported,
        "work/score/machine": len(state.scores),
    }
    return {name: float(count) for name, count in work.items() if count}


def _bounds(state: BehaviorState) -> dict[str, float]:
    """Return the visitor as one of those whose events a bound let go, or passed over, and how many these were."""
    figures: dict[str, float] = {}
    for bound, events in (
        ("let_go", state.marks_dropped + state.let_go),
        ("over_minute", state.over_bound),
    ):
        if events:
            figures[f"bounds/{bound}/visitors"] = 1.0
            figures[f"bounds/{bound}/events"] = float(events)
    return figures
