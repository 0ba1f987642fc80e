"""Say what any webhook comes to: an order or a refund, written as the calls of Segment's e-commerce specification.

Rules
1. Nothing is inferred: a purchase is no consent, and an address that is missing stays missing.
2. An order and its refunds carry one anonymous id, a keyed hash of the payment's id or else the order's: refunds name
   no customer, and by it they reach whoever bought, in whatever order the two come (`waiting.py`). Nobody can guess
   it, although order ids can be counted.
3. The message id is derived from the source and the order's or the refund's id, so that a replay is a repeat.
4. What takes an order back says when that was placed, where the source does: it is of that time for whoever was
   erased since.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import (
    HOOK_PREFIX,
    ORDERED_AT,
    anonymous_key,
    email_key,
    own_id,
    partition_of,
    visitor_id_for,
)
from messaging.vocabulary.iso_times import read_iso

ORDERED, REFUNDED, CANCELLED = "Order Completed", "Order Refunded", "Order Cancelled"
REFUND_FAILED = "Order Refund Failed"
"""The specification has no word for it: the money did not leave, or came back."""

ADDRESS_CHARACTERS_MAX = 254
"""RFC 5321, 4.5.3.1.3: a path of 256 with its brackets."""
ID_CHARACTERS_MAX = 255
"""As long as Stripe lets its ids grow."""


class Unreadable(Exception):  # noqa: N818 - a fact, like all of ours
    """Say which field of a signed webhook cannot be read."""

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one order or refund."""

    source: str
    event: str
    order_id: str
    amount: float | None
    """None: all that is left of the order (a cancellation)."""
    currency: str
    address: str = ""
    refund_id: str = ""
    payment_id: str = ""
    """What refunds call the order by, where that is another name than the shop's."""
    at: datetime | None = None
    """When it happened, in real time; None: the source does not say."""
    ordered_at: datetime | None = None
    """When the order was placed that it takes back, in real time; None: the source does not say, or it is the order."""


def record_of(sale: Sale, now: datetime, secret: bytes, *, wall_now: datetime) -> Record:
    """Return the journal record of a sale, dated by itself: sources try again for days what was not taken.

    `now`: world time; `wall_now`: real time. So long ago as it is in the one it is in the other.
    """
    anonymous = hook_id(sale, secret)
    key = email_key(sale.address) if sale.address else anonymous_key(anonymous)
    return Record(
        position=0,
        message_id=own_id("hook", sale.source, sale.event, sale.order_id, sale.refund_id),
        partition=partition_of(visitor_id_for(key)),
        at=_in_world_time(sale.at or wall_now, now, wall_now),
        received_at=now,
        tagged="",
        raw=msgspec.json.encode(_call(sale, anonymous, now, wall_now)),
    )


def hook_id(sale: Sale, secret: bytes) -> str:
    """Return the anonymous id that an order and its refunds carry (rule 2)."""
    return HOOK_PREFIX + _keyed(secret, sale.source, sale.payment_id or sale.order_id)


def _in_world_time(at: datetime, now: datetime, wall_now: datetime) -> datetime:
    return now - max(wall_now - at, timedelta(0))


def _call(sale: Sale, anonymous: str, now: datetime, wall_now: datetime) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "order_id": sale.order_id,
        "currency": sale.currency,
        "source": sale.source,
    }
    if sale.amount is not None:
        properties["total"] = sale.amount
    if sale.payment_id and sale.payment_id != sale.order_id:
        properties["payment_id"] = sale.payment_id
    if sale.refund_id:
        properties["refund_id"] = sale.refund_id
    if sale.ordered_at is not None:
        ordered_at = _in_world_time(sale.ordered_at, now, wall_now)
        properties[ORDERED_AT] = ordered_at.isoformat()
    call: dict[str, Any] = {
        "type": "track",
        "event": sale.event,
        "anonymousId": anonymous,
        "properties": properties,
    }
    if sale.address:
        call["context"] = {"traits": {"email": sale.address}}
    return call


def _keyed(secret: bytes, *parts: str) -> str:
    return hmac.digest(secret, "\x1f".join(("hook", *parts)).encode(), "sha256")[:12].hex()


def checked_id(value: Any, field: str) -> str:
    """Return an id as text, or raise what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise Unreadable("is no id", field)
    text = str(value)
    if len(text) > ID_CHARACTERS_MAX or "\0" in text:
        raise Unreadable(f"is longer than {ID_CHARACTERS_MAX} characters, or holds NUL", field)
    return text


def moment(given: str | float | None) -> datetime | None:
    """Return a time that a source gives as ISO 8601 with its offset, or in seconds since 1970; None for what is none.

    >>> moment("2026-01-09T19:36:03-05:00") == moment(1768005363)
    True
    >>> moment("yesterday"), moment("2026-01-09"), moment(1e30)
    (None, None, None)
    """
    try:
        if isinstance(given, str):
            found = read_iso(given)
            return found.astimezone(UTC) if found.tzinfo is not None else None
        return datetime.fromtimestamp(given, UTC) if given is not None else None
    except (ValueError, OverflowError, OSError):
        return None


def first_address(*given: str | None) -> str:
    """Return the first address that is given at all and not too long to be one; else an empty text."""
    usable = (each.strip() for each in given if each)
    return next((each for each in usable if each and len(each) <= ADDRESS_CHARACTERS_MAX), "")
