"""Read refunds and cancellations as Segment's e-commerce specification (v2) writes them.

Rules
1. `Order Cancelled` takes the whole order back, and so does `Order Refunded` that names neither an amount nor
   products. A `total` is that refund's own amount; without one, its products' prices are added.
2. An amount that cannot be read is 0: a typing error must not take a whole order back.
3. A refund is known by `refund_id`, else by the event's messageId; a cancellation by its order, for there is one.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from agents.behavior_bot.intake import order_id_of, order_text
from agents.behavior_bot.money import money
from messaging.vocabulary.events import Record, Track
from messaging.vocabulary.messages import Refunded

CANCELLED = "Order Cancelled"
AMOUNTS = ("total", "amount", "revenue", "value")
PRODUCTS_MAX = 1_000


def refund(
    event: Track, record: Record, names: frozenset[str], visitor: str, now: datetime
) -> Refunded | None:
    """Return what Sales is told of a refund, None where the event is none or names no order."""
    if event.event not in names:
        return None
    properties = event.properties or {}
    order_id = order_id_of(properties)
    if not order_id:
        return None
    is_cancelled = event.event == CANCELLED
    return Refunded(
        visitor=visitor,
        at=now,
        refund_id=f"cancelled:{order_id}" if is_cancelled else _refund_id(properties, record),
        order_id=order_id,
        amount=None if is_cancelled else amount_of(properties),
        currency=str(properties.get("currency") or "")[:8],
    )


def amount_of(properties: dict[str, Any]) -> float | None:
    """Return what was given back, None for the whole order.

    >>> (
    ...     amount_of({"total": "7.50"}),
    ...     amount_of({"products": [{"price": 2, "quantity": 3}]}),
    ...     amount_of({}),
    ... )
    (7.5, 6.0, None)
    """
    for name in AMOUNTS:
        if properties.get(name) is not None:
            return _number(properties[name])
    products = properties.get("products")
    if not isinstance(products, list) or not products:
        return None
    return math.fsum(
        _number(each.get("price")) * _number(each.get("quantity", 1))
        for each in products[:PRODUCTS_MAX]
        if isinstance(each, dict)
    )


def _refund_id(properties: dict[str, Any], record: Record) -> str:
    for name in ("refund_id", "refundId"):
        value = properties.get(name)
        if isinstance(value, str | int) and value != "":
            return order_text(str(value))
    return record.first_id


def _number(value: Any) -> float:
    """Return a sum of money without its sign: some write what is given back as less than nothing."""
    return abs(money(value) or 0.0)
