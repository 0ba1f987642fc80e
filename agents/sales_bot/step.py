"""Take one message for one visitor: count orders and refunds, credit the touches that helped, tell of goals.

Rules
1. An order is counted once, by its id; a repeat changes nothing and tells nobody.
2. Credit is kept in two ways. By last touch the last send that a human answered within five days before gets
   it all; linear, all sends that a human answered in that time share it alike.
3. Rules, Email and Engagement are all told of a goal by Sales itself: none may wait for another to stop. Only of a
   goal that older versions of the rules have Rules is told alone: it knows who stands on one of them.
4. `at` of what is told is `at` of the purchase: every run entered until then is over.
5. An order that is told late is dated by itself: what was answered after it gets no credit, and takes none away.
6. Every order is thanked for. A goal that is none may be told at each visit: it is thanked for once, and again only
   after an e-mail of its path has come since.
7. A refund takes revenue and credit back, once by its id, by its amount, never below zero, and in whatever order
   it and its order come. One that failed after all gives both back, once. A goal that was reached stays reached:
   whoever bought and sent it back is no lead again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.sales_bot.state import (
    VERSION,
    Credit,
    Order,
    Refund,
    SalesState,
    absorb,
    credits_of,
    foreign_refunds,
    is_known,
    is_new_goal,
    issue_of,
    left_of,
    named,
    note_answers,
    note_order,
    note_payment,
    note_refund,
    refunded,
    touch_of,
    upgrade,
)
from messaging.vocabulary.effects import Effect, LogStory, Moved, PutOrder, Tell
from messaging.vocabulary.messages import (
    GoalReached,
    MailSent,
    MergedInto,
    Message,
    Purchased,
    Refunded,
    Responded,
    StateMerged,
)

HUMAN = 0.5

HISTORY = timedelta(days=7)
"""Nobody is thanked for an order that was told so long after it happened: it was brought in from the past."""

_decoder = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])


def step(state: SalesState, message: Message, view: View) -> list[Effect]:
    """Take one message; return what Sales wants done."""
    match message:
        case Purchased():
            return _purchased(state, message, view)
        case Refunded():
            return _refunded(state, message)
        case MailSent():
            touch = touch_of(state, message.send_id)
            touch.path, touch.at = message.path, message.handed_over_at
            touch.template = message.template
            return []
        case Responded():
            _answered(state, message)
            return []
        case MergedInto(visitor=visitor, at=at, into=into):
            return _merged_into(state, visitor, at, into)
        case StateMerged(younger=younger, state=body):
            version, young = _decoder.decode(body)
            absorb(state, younger, upgrade(version, bytes(young)))
            return []
        case _:
            return []  # what is told to other bots only


def _purchased(state: SalesState, message: Purchased, view: View) -> list[Effect]:
    rules: CompiledRules = view.rules
    is_order = message.event in rules.purchase_events
    key = message.order_id if is_order else f"{message.event}:{message.order_id}"
    if key in state.orders:
        taken = note_payment(state, key, message.payment_id)
        return [_row(state, key, state.orders[key])] if taken else []
    if is_known(state, key):
        return []  # a repeat of one that is only summed by now
    bought_at = message.bought_at or message.at
    found = credits_of(state, bought_at)
    order = Order(
        value=message.value,
        at=bought_at,
        counted=is_order,
        currency=message.currency,
        credits=found,
        payment_id=message.payment_id,
        issue=message.issue,
        is_unnamed=message.is_unnamed,
    )
    paths = sorted(p.name for p in rules.paths.values() if message.event in p.goal_events)
    unthanked = _unthanked(state, message, bought_at, [] if is_order else paths)
    note_order(state, key, order)
    effects: list[Effect] = []
    if is_order:
        effects.append(_row(state, message.order_id, order))
        if message.issue:
            unread = {
                "order_id": _shown(message),
                "issue": message.issue,
                "value": message.value,
                "currency": message.currency,
            }
            effects.append(LogStory("order.unread", unread))
    older = _older(message.event, paths, view)
    if not paths and not older:
        return effects
    for path in paths:
        state.goals.setdefault(path, message.at)
        if not unthanked:
            state.thanked[path] = max(message.at, state.thanked.get(path, message.at))
    reached = GoalReached(
        visitor=message.visitor,
        at=message.at,
        paths=paths,
        order_id=message.order_id,
        value=message.value,
        currency=message.currency,
        credited=found[-1].send_id if found else "",
        address=message.address,
        unthanked=unthanked,
        goal=key,
        is_unnamed=message.is_unnamed,
    )
    effects += [Tell("rules", each) for each in _for_older(reached, older)]
    return effects + (_told(reached, message.event, found) if paths else [])


def _told(reached: GoalReached, event: str, found: list[Credit]) -> list[Effect]:
    """Return who hears of a goal, and its line of the story."""
    story = {
        "paths": reached.paths,
        "event": event,
        "order_id": _shown(reached),
        "value": reached.value,
        "currency": reached.currency,
        "credited": reached.credited,
        "linear": [each.send_id for each in found],
    }
    told = [Tell(bot, reached) for bot in ("rules", "email", "engagement")]
    return [*told, LogStory("goal.reached", story)]


def _shown(told: Purchased | GoalReached) -> str:
    """Return the id by which people know an order, empty where the site gave none."""
    return "" if told.is_unnamed else told.order_id


def _older(event: str, paths: list[str], view: View) -> dict[int, list[str]]:
    """Return older version -> its paths whose goal the event is, while it is no goal of theirs any more."""
    found: dict[int, list[str]] = {}
    for path, versions in sorted(view.older_goals.get(event, {}).items()):
        for version in versions if path not in paths else ():
            found.setdefault(version, []).append(path)
    return found


def _for_older(reached: GoalReached, older: dict[int, list[str]]) -> list[GoalReached]:
    """Return what is told for who stands on older versions; Rules alone knows who does, and tells the others."""
    return [
        msgspec.structs.replace(reached, paths=paths, version=version)
        for version, paths in sorted(older.items())
    ]


def _unthanked(
    state: SalesState, message: Purchased, bought_at: datetime, only_goals: list[str]
) -> str:
    """Say why nobody is thanked, empty if they are; `only_goals`: the paths, where it is no order."""
    if message.at - bought_at > HISTORY:
        return "it is of the past"
    if _is_cancelled(state, message):
        return "it was cancelled before it was told"
    if only_goals and not is_new_goal(state, only_goals):
        return "this goal was thanked for, and no e-mail of the path has come since"
    return ""


def _is_cancelled(state: SalesState, message: Purchased) -> bool:
    """Say whether all of an order was taken back before it was told: nobody promises in which order the two come."""
    names = {message.order_id, message.payment_id}
    return any(r.amount is None and r.order_id in names for r in state.refunds.values())


def _refunded(state: SalesState, message: Refunded) -> list[Effect]:
    known = state.refunds.get(message.refund_id)
    if known is not None and (not message.failed or known.amount == 0.0):
        return []
    amount = 0.0 if message.failed else message.amount
    refund = Refund(message.order_id, amount, message.at, message.currency)
    taken = note_refund(state, message.refund_id, refund)
    order_id = named(state, message.order_id)
    own = state.orders[order_id].currency if order_id else ""
    issue = message.issue
    if order_id and message.refund_id in foreign_refunds(state, order_id):
        issue = f"it is in {message.currency}, the order in {own}"
    is_unnamed = bool(order_id) and state.orders[order_id].is_unnamed
    called = order_id or message.order_id
    if is_unnamed:  # its payment's id, which the refund may have named, is the site's
        called = "" if message.order_id == order_id else message.order_id
    story = {
        "order_id": called,
        "refund_id": message.refund_id,
        "amount": message.amount,
        "taken": taken,
        "currency": message.currency,
        "left": left_of(state, order_id) if order_id else None,
        "left_currency": own or message.currency,
        **({"issue": issue} if issue else {}),
        **({"failed": True} if message.failed else {}),
    }
    told: list[Effect] = [LogStory("order.refunded", story)]
    return [_row(state, order_id, state.orders[order_id]), *told] if order_id else told


def _row(state: SalesState, order_id: str, order: Order) -> PutOrder:
    """Return an order as people read it; one let go at once (it is very old) has no refunds left to ask for."""
    return PutOrder(
        order_id=order_id,
        value=order.value,
        currency=order.currency,
        at=order.at,
        credited=order.credits[-1].send_id if order.credits else "",
        refunded=refunded(state, order_id) if order_id in state.orders else 0.0,
        linear=[each.send_id for each in order.credits],
        issue=issue_of(state, order_id) if order_id in state.orders else order.issue,
    )


def _answered(state: SalesState, message: Responded) -> None:
    if message.kind not in ("opened", "clicked") or message.human < HUMAN:
        return
    note_answers(touch_of(state, message.send_id), [message.at])


def _merged_into(state: SalesState, visitor: str, at: datetime, into: str) -> list[Effect]:
    """Send this visitor's state to the older one, and leave a tombstone."""
    if into == visitor:
        return []  # it followed the tombstone of a merge that was done already
    body = msgspec.msgpack.encode((VERSION, state))
    return [Tell("sales", StateMerged(into, at, visitor, body)), Moved(into)]
