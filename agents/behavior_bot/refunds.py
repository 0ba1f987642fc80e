"""Read refunds and cancellations as Segment's e-commerce specification (v2) writes them.

Rules
1. `Order Cancelled` takes the whole order back, and so does `Order Refunded` that names neither an amount nor
   products. A `total` is that refund's own amount; without one, its products' prices are added.
2. An amount that cannot be read is 0, and that is told: a typing error must not take a whole order back. One of which
   no currency is known is in the order's, and that is told where it is written with something.
3. `Order Refund Failed` (a word of ours) takes the refund of its `refund_id` back, whichever of the two is told first.
4. A refund is known by `refund_id`, else by the event's messageId; a cancellation by its order, for there is one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.behavior_bot.currencies import currency_of, given_code
from agents.behavior_bot.intake import order_id_of, order_text
from agents.behavior_bot.money import UNREADABLE, money, prices_of, sum_of_products
from messaging.vocabulary.events import Record, Track
from messaging.vocabulary.messages import Refunded

CANCELLED, FAILED = "Order Cancelled", "Order Refund Failed"
AMOUNTS = ("total", "amount", "revenue", "value")


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
    whole = None, currency_of(properties)[0], ""
    amount, currency, wrong = whole if is_cancelled else amount_of(properties)
    return Refunded(
        visitor=visitor,
        at=now,
        refund_id=f"cancelled:{order_id}" if is_cancelled else _refund_id(properties, record),
        order_id=order_id,
        amount=amount,
        currency=currency,
        issue=wrong,
        failed=event.event == FAILED,
    )


def amount_of(properties: dict[str, Any]) -> tuple[float | None, str, str]:
    """Return what was given back (None for the whole order), in which currency, and what is wrong with that.

    Some write what is given back as less than nothing.

    >>> amount_of({"total": "-7,50"}), amount_of({"products": [{"price": "€2", "quantity": 3}]})
    ((7.5, '', ''), (6.0, 'EUR', ''))
    >>> amount_of({}), amount_of({"amount": "all"})
    ((None, '', ''), (0.0, '', 'amount is no sum that can be read'))
    """
    code = given_code(properties)
    for name in AMOUNTS:
        if properties.get(name) is None:
            continue
        amount = money(properties[name], code)
        currency, unsure = currency_of(properties, [properties[name]])
        if amount is not None:
            return abs(amount), currency, unsure
        return 0.0, currency, "; ".join([f"{name} {UNREADABLE}", *([unsure] if unsure else [])])
    summed = sum_of_products(properties, code)
    if summed is None:
        return None, currency_of(properties)[0], ""
    return summed, *currency_of(properties, prices_of(properties))


def _refund_id(properties: dict[str, Any], record: Record) -> str:
    for name in ("refund_id", "refundId"):
        value = properties.get(name)
        if isinstance(value, str | int) and value != "":
            return order_text(str(value))
    return record.first_id
