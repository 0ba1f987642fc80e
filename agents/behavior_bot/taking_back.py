"""Say of which orders an event is, and when those were placed, for whoever was erased since. Pure.

Rules
1. A refund or a cancellation is news of an old thing. For somebody who was erased it counts by the order's time.
2. Orders are known again by the ids that the person's state names: an order's own, its payment's, and what a refund
   called it by.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agents.behavior_bot.intake import order_id_of, payment_id_of
from agents.behavior_bot.state import BehaviorState
from agents.rules.compiled import REFUND_EVENTS
from messaging.vocabulary.events import Event, Record, Track
from messaging.vocabulary.ids import ORDERED_AT, order_key
from messaging.vocabulary.iso_times import read_iso


def order_keys_of(event: Event) -> list[str]:
    """Return the keys of the order that an event names, none where it names none."""
    if not isinstance(event, Track) or not event.properties:
        return []
    named = (order_id_of(event.properties), payment_id_of(event.properties))
    return [order_key(each) for each in named if each]


def takes_back(event: Event) -> bool:
    """Say whether an event takes an order back, all of it or a part."""
    return isinstance(event, Track) and event.event in REFUND_EVENTS


def began_at(record: Record, event: Event) -> datetime:
    """Return since when there has been what an event is about: a refund's order is older than the refund."""
    if not isinstance(event, Track) or not takes_back(event):
        return record.at
    told = _time((event.properties or {}).get(ORDERED_AT))
    return record.at if told is None else min(told, record.at)


def orders_named(state: BehaviorState) -> set[str]:
    """Return every id by which a state names an order."""
    named = {*state.orders, *(order.payment_id for order in state.orders.values())}
    named.update(refund.order_id for refund in state.refunds.values())
    return named - {""}


def _time(told: Any) -> datetime | None:
    if not isinstance(told, str):
        return None
    try:
        at = read_iso(told)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
