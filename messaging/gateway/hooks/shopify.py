"""Read Shopify's webhooks: https://shopify.dev/docs/apps/build/webhooks and its REST order and refund resources.

Rules
1. `X-Shopify-Hmac-Sha256` is base64 of HMAC-SHA256 of the body under the app's secret. It holds no time, so a replay
   is known by its message id alone; and the topic is not signed, so the body must itself be what the topic says.
2. `orders/paid` is an order, `refunds/create` a refund, `orders/cancelled` takes back what is left.
"""

from __future__ import annotations

import base64
import hmac
import math
from datetime import datetime

import msgspec

from messaging.gateway.hooks.sale import (
    CANCELLED,
    ORDERED,
    REFUNDED,
    Sale,
    Unreadable,
    checked_id,
    first_address,
    moment,
)

NAME = "shopify"
GIVEN_BACK = ("refund", "void")


class Customer(msgspec.Struct):
    """Read who bought."""

    email: str | None = None


class Order(msgspec.Struct):
    """Read what is used of an order."""

    id: int | str
    total_price: str | float
    currency: str = ""
    email: str | None = None
    contact_email: str | None = None
    customer: Customer | None = None
    financial_status: str | None = None
    created_at: str | None = None
    processed_at: str | None = None
    cancelled_at: str | None = None


class Transaction(msgspec.Struct):
    """Read what is used of a transaction."""

    kind: str
    amount: str | float
    status: str = "success"
    currency: str = ""


class Refund(msgspec.Struct):
    """Read what is used of a refund."""

    id: int | str
    order_id: int | str
    transactions: list[Transaction]
    created_at: str | None = None


_order = msgspec.json.Decoder(Order)
_refund = msgspec.json.Decoder(Refund)


def is_signed(body: bytes, header: str, secrets: tuple[bytes, ...], now_seconds: float) -> bool:
    """Say whether one of the secrets signed this body; there is no time in it to look at."""
    del now_seconds
    given = header.strip().encode("utf-8", "replace")
    wanted = [base64.b64encode(hmac.digest(secret, body, "sha256")) for secret in secrets]
    return any([hmac.compare_digest(mine, given) for mine in wanted])  # noqa: C419 - all are compared


def read(body: bytes, topic: str) -> list[Sale]:
    """Return the sales that a delivery tells of, none where it is of no concern. Raises as msgspec, and Unreadable."""
    match topic:
        case "orders/paid":
            return _paid(_order.decode(body))
        case "orders/cancelled":
            return _cancelled(_order.decode(body))
        case "refunds/create":
            return _given_back(_refund.decode(body))
        case _:
            return []


def _paid(order: Order) -> list[Sale]:
    if order.cancelled_at is not None or order.financial_status in ("pending", "voided"):
        return []  # rule 1
    paid_at = moment(order.processed_at or order.created_at)
    return [_sale(order, ORDERED, _number(order.total_price, "total_price"), paid_at)]


def _cancelled(order: Order) -> list[Sale]:
    if order.cancelled_at is None:
        return []
    sale = _sale(order, CANCELLED, None, moment(order.cancelled_at))
    ordered_at = moment(order.processed_at or order.created_at)
    return [msgspec.structs.replace(sale, ordered_at=ordered_at)]


def _sale(order: Order, event: str, amount: float | None, at: datetime | None) -> Sale:
    customer = order.customer.email if order.customer is not None else None
    return Sale(
        source=NAME,
        event=event,
        order_id=checked_id(order.id, "id"),
        amount=amount,
        currency=order.currency.upper()[:8],
        address=first_address(order.email, order.contact_email, customer),
        at=at,
    )


def _given_back(refund: Refund) -> list[Sale]:
    done = [t for t in refund.transactions if t.kind in GIVEN_BACK and t.status == "success"]
    if not done:
        return []  # goods came back, and no money went
    return [
        Sale(
            source=NAME,
            event=REFUNDED,
            order_id=checked_id(refund.order_id, "order_id"),
            amount=math.fsum(_number(each.amount, "transactions.amount") for each in done),
            currency=done[0].currency.upper()[:8],
            refund_id=checked_id(refund.id, "id"),
            at=moment(refund.created_at),
        )
    ]


def _number(value: str | float, field: str) -> float:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise Unreadable("is no amount", field) from None
    if not math.isfinite(number) or number < 0:
        raise Unreadable("is no amount", field)
    return number
