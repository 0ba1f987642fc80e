"""Take one message for one visitor: count orders, credit the touch that helped, tell that a goal is reached.

Rules
1. An order is counted once, by its id; a repeat changes nothing and tells nobody.
2. The last send that a human answered within five days before gets the credit, nothing else does.
3. Rules, Email and Engagement are all told of a goal by Sales itself: none may wait for another to stop.
4. `at` of what is told is `at` of the purchase: every run entered until then is over.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.sales_bot.state import VERSION, Order, SalesState, absorb, note_order, touch_of
from messaging.vocabulary.effects import Effect, LogStory, Moved, PutOrder, Tell
from messaging.vocabulary.messages import (
    GoalReached,
    MailSent,
    MergedInto,
    Message,
    Purchased,
    Responded,
    StateMerged,
)

CREDIT = timedelta(days=5)
HUMAN = 0.5

_decoder = msgspec.msgpack.Decoder(tuple[int, SalesState])


def step(state: SalesState, message: Message, view: View) -> list[Effect]:
    """Take one message; return what Sales wants done."""
    match message:
        case Purchased():
            return _purchased(state, message, view)
        case MailSent():
            touch = touch_of(state, message.send_id)
            touch.path, touch.at = message.path, message.handed_over_at
            return []
        case Responded():
            _answered(state, message)
            return []
        case MergedInto(visitor=visitor, at=at, into=into):
            return _merged_into(state, visitor, at, into)
        case StateMerged(younger=younger, state=body):
            version, young = _decoder.decode(body)
            assert version == VERSION, f"state of version {version}"
            absorb(state, younger, young)
            return []
        case _:
            return []  # what is told to other bots only


def credited(state: SalesState, at: datetime) -> str:
    """Return the send that gets the credit for a purchase, empty if none does."""
    answers = [
        (touch.answered_at, touch.send_id)
        for touch in state.touches
        if touch.answered_at is not None and at - CREDIT <= touch.answered_at <= at
    ]
    return max(answers)[1] if answers else ""


def _purchased(state: SalesState, message: Purchased, view: View) -> list[Effect]:
    rules: CompiledRules = view.rules
    is_order = message.event in rules.purchase_events
    key = message.order_id if is_order else f"{message.event}:{message.order_id}"
    if key in state.orders:
        return []
    note_order(state, key, Order(message.value, message.at, is_order))
    credit = credited(state, message.at)
    effects: list[Effect] = []
    if is_order:
        row = PutOrder(message.order_id, message.value, message.currency, message.at, credit)
        effects.append(row)
    paths = sorted(p.name for p in rules.paths.values() if message.event in p.goal_events)
    if not paths:
        return effects
    for path in paths:
        state.goals.setdefault(path, message.at)
    reached = GoalReached(
        visitor=message.visitor,
        at=message.at,
        paths=paths,
        order_id=message.order_id,
        value=message.value,
        currency=message.currency,
        credited=credit,
        address=message.address,
    )
    story = {
        "paths": paths,
        "event": message.event,
        "order_id": message.order_id,
        "value": message.value,
        "currency": message.currency,
        "credited": credit,
    }
    told = [Tell(bot, reached) for bot in ("rules", "email", "engagement")]
    return [*effects, *told, LogStory("goal.reached", story)]


def _answered(state: SalesState, message: Responded) -> None:
    if message.kind not in ("opened", "clicked") or message.human < HUMAN:
        return
    touch = touch_of(state, message.send_id)
    if touch.answered_at is None or message.at > touch.answered_at:
        touch.answered_at = message.at


def _merged_into(state: SalesState, visitor: str, at: datetime, into: str) -> list[Effect]:
    """Send this visitor's state to the older one, and leave a tombstone."""
    if into == visitor:
        return []  # it followed the tombstone of a merge that was done already
    body = msgspec.msgpack.encode((VERSION, state))
    return [Tell("sales", StateMerged(into, at, visitor, body)), Moved(into)]
