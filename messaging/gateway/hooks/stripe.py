"""Read Stripe's webhooks: https://docs.stripe.com/webhooks#verify-manually and the objects of its API.

Rules
1. `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>]`: HMAC-SHA256 of `<t>.<body>` under the endpoint's secret as it
   is written (`whsec_…`). Other schemes (`v0`) are passed over. `t` may lie five minutes off, to either side.
2. An order is a paid checkout session. It is named by `metadata.order_id` where the shop gives one, else by its
   payment intent, for that is what a refund names: Stripe copies a session's metadata to neither.
3. A refund counts once it has succeeded, by its own id; `charge.refunded` counts where it lists its refunds
   (API versions before 2022-11-15), `refund.created` and `refund.updated` in all others. One that succeeded may fail
   weeks later (`refund.failed`): then it is taken back by the same id.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Any

import msgspec

from messaging.gateway.hooks.sale import (
    ORDERED,
    REFUND_FAILED,
    REFUNDED,
    Sale,
    Unreadable,
    checked_id,
    first_address,
    moment,
)

NAME = "stripe"
TOLERANCE_SECONDS = 300
SIGNATURES_MAX = 16
MINOR_MAX = 10**14
"""More than a million millions of anything: a number like that is no price."""

PAID_SESSIONS = frozenset(
    {"checkout.session.completed", "checkout.session.async_payment_succeeded"}
)
REFUND_EVENTS = frozenset(
    {"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"}
)
CAME_TO = {"succeeded": REFUNDED, "failed": REFUND_FAILED, "canceled": REFUND_FAILED}
"""Status of a refund -> what it is; others are under way."""

CHARGE_REFUNDED = "charge.refunded"

NO_MINOR = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()  # noqa: SIM905
)
THOUSANDTHS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
"""How many decimals an amount has, where it isn't two: https://docs.stripe.com/currencies.

UGX stands among the zero-decimal ones there, but its special cases say that UGX, like ISK, is charged with two decimals
("to charge 5 UGX, provide an amount value of 500"). HUF and TWD have none in payouts alone, which nobody tells us of.
"""


class Customer(msgspec.Struct):
    """Read who bought."""

    email: str | None = None


class Thing(msgspec.Struct):
    """Read what is used of a session, a refund or a charge."""

    id: str
    currency: str | None = None
    amount_total: int | None = None
    amount: int | None = None
    status: str | None = None
    payment_status: str | None = None
    payment_intent: str | None = None
    charge: str | None = None
    customer_details: Customer | None = None
    customer_email: str | None = None
    billing_details: Customer | None = None
    receipt_email: str | None = None
    metadata: dict[str, Any] | None = None
    refunds: Listed | None = None
    created: int | None = None
    """Seconds since 1970."""


class Listed(msgspec.Struct):
    """Read a list object of the API."""

    data: list[Thing] = []


class Data(msgspec.Struct):
    """Read what surrounds an event's object; it is read once the event's type is known to matter."""

    object: msgspec.Raw


class Event(msgspec.Struct):
    """Read an event."""

    type: str
    data: Data
    created: int | None = None
    """Seconds since 1970."""


_event = msgspec.json.Decoder(Event)
_thing = msgspec.json.Decoder(Thing)


def is_signed(body: bytes, header: str, secrets: tuple[bytes, ...], now_seconds: float) -> bool:
    """Say whether one of the secrets signed this body, lately. `now_seconds` is the real time since 1970."""
    fields = [each.strip().partition("=") for each in header.split(",")[: SIGNATURES_MAX + 1]]
    times = [value for name, _, value in fields if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12):
        return False
    if abs(now_seconds - int(times[0])) > TOLERANCE_SECONDS:
        return False
    signed = f"{times[0]}.".encode() + body
    given = [value.encode("utf-8", "replace") for name, _, value in fields if name == "v1"]
    wanted = [hmac.digest(secret, signed, "sha256").hex().encode() for secret in secrets]
    # Every pair is compared: how long that takes says nothing of which one it was.
    return any([hmac.compare_digest(mine, theirs) for mine in wanted for theirs in given])  # noqa: C419


def read(body: bytes, topic: str) -> list[Sale]:
    """Return the sales that an event tells of, none where it is of no concern. Raises as msgspec, and Unreadable."""
    del topic  # the event says by itself what it is
    event = _event.decode(body)
    if event.type not in PAID_SESSIONS | REFUND_EVENTS | {CHARGE_REFUNDED}:
        return []
    thing, at = _thing.decode(event.data.object), moment(event.created)
    if event.type in PAID_SESSIONS:
        return [_order(thing, at)] if thing.payment_status != "unpaid" else []
    if event.type in REFUND_EVENTS:
        return [_refund(thing, thing, at)] if thing.status in CAME_TO else []
    listed = thing.refunds.data if thing.refunds is not None else []
    return [_refund(each, thing, at) for each in listed if (each.status or "succeeded") in CAME_TO]


def _order(session: Thing, at: datetime | None) -> Sale:
    details = session.customer_details
    return Sale(
        source=NAME,
        event=ORDERED,
        order_id=_order_id(session.metadata, session.payment_intent or session.id),
        amount=_amount(session.amount_total, session.currency, "data.object.amount_total"),
        currency=(session.currency or "").upper(),
        address=first_address(details.email if details else None, session.customer_email),
        payment_id=session.payment_intent or "",
        at=at,
    )


def _refund(refund: Thing, around: Thing, at: datetime | None) -> Sale:
    """Return a refund; what it does not say is said by the charge around it."""
    paid = refund.payment_intent or around.payment_intent or refund.charge or around.id
    billing = around.billing_details
    return Sale(
        source=NAME,
        event=CAME_TO[refund.status or "succeeded"],
        order_id=_order_id(refund.metadata or around.metadata, paid),
        amount=_amount(refund.amount, refund.currency or around.currency, "data.object.amount"),
        currency=(refund.currency or around.currency or "").upper(),
        address=first_address(billing.email if billing else None, around.receipt_email),
        refund_id=checked_id(refund.id, "data.object.id"),
        payment_id=refund.payment_intent or around.payment_intent or "",
        at=at,
        ordered_at=moment(around.created) if around is not refund else None,
    )


def _order_id(metadata: dict[str, Any] | None, otherwise: str) -> str:
    own = (metadata or {}).get("order_id")
    return checked_id(own or otherwise, "data.object.metadata.order_id")


def _amount(minor: int | None, currency: str | None, field: str) -> float:
    """Return an amount in the currency's own unit, or raise what is wrong with it."""
    if minor is None or not 0 <= minor <= MINOR_MAX:
        raise Unreadable("is no amount", field)
    code = (currency or "").lower()
    decimals = 0 if code in NO_MINOR else 3 if code in THOUSANDTHS else 2
    return minor / float(10**decimals)
