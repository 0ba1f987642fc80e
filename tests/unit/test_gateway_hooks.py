"""Check signatures and reading of webhooks by themselves: known answers, rotation, age, and what is no order."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging.gateway.hooks import shopify, stripe
from messaging.gateway.hooks.sale import REFUND_FAILED, Sale, Unreadable, record_of
from messaging.vocabulary.events import Record, Track, decode_event
from tests.gateway_builders import NOON, SECRET

STRIPE_BODY = b'{"id":"evt_test","object":"event"}'
STRIPE_SECRET = b"whsec_test_secret"
AT = 1_492_774_577
# openssl dgst -sha256 -hmac whsec_test_secret, over "1492774577." and the body
STRIPE_KNOWN = "691252e266ce41cb94d709c84e9580d4172b117a510bbc81723f657d2cd5d215"

SHOPIFY_BODY = b'{"id":1234567890,"email":"customer@example.com","total_price":"123.45"}'
SHOPIFY_KNOWN = "QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw="
"""The example of SQLPage's documentation of Shopify's scheme; the secret is `test-webhook-secret`."""


def written(sale: Sale, secret: bytes = SECRET) -> Record:
    return record_of(sale, NOON, secret, wall_now=NOON)


def a_signature(body: bytes, secret: bytes = STRIPE_SECRET, at: int = AT) -> str:
    return f"t={at},v1={hmac.digest(secret, f'{at}.'.encode() + body, 'sha256').hex()}"


def test_stripes_known_answer_holds() -> None:
    assert stripe.is_signed(STRIPE_BODY, f"t={AT},v1={STRIPE_KNOWN}", (STRIPE_SECRET,), AT)


@pytest.mark.parametrize(("seconds", "holds"), [(0, True), (300, True), (-300, True), (301, False)])
def test_a_stripe_signature_holds_for_five_minutes(seconds: int, holds: bool) -> None:
    header = f"t={AT},v0=0,v1={STRIPE_KNOWN}"
    assert stripe.is_signed(STRIPE_BODY, header, (STRIPE_SECRET,), AT + seconds) is holds


def test_while_secrets_change_either_signs_and_either_is_known() -> None:
    old, new = b"whsec_old", b"whsec_new"
    header = a_signature(STRIPE_BODY, new) + "," + a_signature(STRIPE_BODY, old).split(",")[1]
    for known in ((old,), (new,), (old, new)):
        assert stripe.is_signed(STRIPE_BODY, header, known, AT)
    assert not stripe.is_signed(STRIPE_BODY, header, (b"whsec_other",), AT)
    assert not stripe.is_signed(STRIPE_BODY, header, (), AT)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        f"v1={STRIPE_KNOWN}",
        f"t={AT}",
        f"t={AT},v0={STRIPE_KNOWN}",
        f"t={AT},v1={STRIPE_KNOWN[:-1]}0",
        f"t={AT},t={AT + 1},v1={STRIPE_KNOWN}",
        f"t=-{AT},v1={STRIPE_KNOWN}",
        f"t={AT}{'0' * 5000},v1={STRIPE_KNOWN}",
        f"t=\u0661,v1={STRIPE_KNOWN}",
        f"t={AT},v1=\udcff",
        "," * 5000,
    ],
)
def test_a_header_that_is_none_refuses(header: str) -> None:
    assert not stripe.is_signed(STRIPE_BODY, header, (STRIPE_SECRET,), AT)


def test_shopifys_known_answer_holds_and_nothing_else() -> None:
    secret = b"test-webhook-secret"
    assert shopify.is_signed(SHOPIFY_BODY, SHOPIFY_KNOWN, (b"old", secret), 0)
    for body, header in (
        (SHOPIFY_BODY + b" ", SHOPIFY_KNOWN),
        (SHOPIFY_BODY, ""),
        (SHOPIFY_BODY, SHOPIFY_KNOWN.lower()),
        (SHOPIFY_BODY, "\udcff"),
    ):
        assert not shopify.is_signed(body, header, (secret,), 0)


def a_stripe_event(kind: str, **thing: Any) -> bytes:
    return json.dumps({"id": "evt_1", "type": kind, "data": {"object": thing}}).encode()


PAID = {
    "id": "cs_1",
    "currency": "eur",
    "amount_total": 2_000,
    "payment_status": "paid",
    "payment_intent": "pi_1",
    "customer_details": {"email": " Ann@Example.com "},
}


def test_a_paid_session_is_an_order() -> None:
    [sale] = stripe.read(a_stripe_event("checkout.session.completed", **PAID), "")
    assert (sale.event, sale.order_id, sale.amount, sale.currency) == (
        "Order Completed",
        "pi_1",
        20.0,
        "EUR",
    )
    assert sale.address == "Ann@Example.com"
    own = PAID | {"metadata": {"order_id": "o-77"}, "currency": "jpy"}
    [named] = stripe.read(a_stripe_event("checkout.session.completed", **own), "")
    assert (named.order_id, named.amount) == ("o-77", 2_000.0)
    unpaid = PAID | {"payment_status": "unpaid"}
    assert stripe.read(a_stripe_event("checkout.session.completed", **unpaid), "") == []


@pytest.mark.parametrize(
    ("currency", "minor", "amount"),
    [
        ("usd", 1_000, 10.0),
        ("jpy", 500, 500.0),
        ("mga", 500, 500.0),
        ("isk", 500, 5.0),
        ("ugx", 500, 5.0),
        ("huf", 1_045, 10.45),
        ("twd", 80_045, 800.45),
        ("kwd", 5_120, 5.12),
    ],
)
def test_an_amount_has_as_many_decimals_as_stripe_charges_its_currency_with(
    currency: str, minor: int, amount: float
) -> None:
    """The examples of https://docs.stripe.com/currencies, with its special cases."""
    paid = PAID | {"amount_total": minor, "currency": currency}
    [sale] = stripe.read(a_stripe_event("checkout.session.completed", **paid), "")
    assert sale.amount == amount
    refund = {"id": "re_1", "amount": minor, "currency": currency, "status": "succeeded"}
    told = a_stripe_event("refund.created", **refund, payment_intent="pi_1")
    [back] = stripe.read(told, "")
    assert back.amount == amount


def test_a_refund_counts_once_it_has_succeeded() -> None:
    thing = {"id": "re_1", "amount": 500, "currency": "eur", "payment_intent": "pi_1"}
    assert stripe.read(a_stripe_event("refund.created", **thing, status="pending"), "") == []
    [sale] = stripe.read(a_stripe_event("refund.updated", **thing, status="succeeded"), "")
    assert (sale.event, sale.order_id, sale.refund_id, sale.amount) == (
        "Order Refunded",
        "pi_1",
        "re_1",
        5.0,
    )
    charge = {"id": "ch_1", "payment_intent": "pi_1", "receipt_email": "ann@example.com"}
    old = charge | {"currency": "eur", "refunds": {"data": [{"id": "re_1", "amount": 500}]}}
    [listed] = stripe.read(a_stripe_event("charge.refunded", **old), "")
    assert (listed.refund_id, listed.order_id, listed.address) == (
        "re_1",
        "pi_1",
        "ann@example.com",
    )
    assert stripe.read(a_stripe_event("charge.refunded", **charge), "") == []


@pytest.mark.parametrize("kind", ["refund.failed", "refund.updated", "charge.refund.updated"])
@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_refund_that_failed_is_told_of_under_a_message_id_of_its_own(
    kind: str, status: str
) -> None:
    thing = {"id": "re_1", "amount": 500, "currency": "eur", "payment_intent": "pi_1"}
    [back] = stripe.read(a_stripe_event("refund.updated", **thing, status="succeeded"), "")
    [failed] = stripe.read(a_stripe_event(kind, **thing, status=status), "")
    assert (failed.event, failed.refund_id, failed.order_id) == (REFUND_FAILED, "re_1", "pi_1")
    assert written(failed).message_id != written(back).message_id


def test_shopify_speaks_of_orders_refunds_and_cancellations() -> None:
    order: dict[str, Any] = {"id": 450789469, "total_price": "409.94", "currency": "USD"}
    order |= {"email": None, "customer": {"email": "bob@example.com"}, "financial_status": "paid"}
    [sale] = shopify.read(json.dumps(order).encode(), "orders/paid")
    assert (sale.order_id, sale.amount, sale.address) == ("450789469", 409.94, "bob@example.com")
    cancelled = json.dumps(order | {"cancelled_at": "2026-01-01T00:00:00Z"}).encode()
    [gone] = shopify.read(cancelled, "orders/cancelled")
    assert (gone.event, gone.amount) == ("Order Cancelled", None)
    part = {"kind": "refund", "status": "success", "amount": "1.10", "currency": "USD"}
    back = {"id": 1, "order_id": 450789469, "transactions": [part, part | {"status": "failure"}]}
    [refund] = shopify.read(json.dumps(back).encode(), "refunds/create")
    assert (refund.refund_id, refund.order_id, refund.amount) == ("1", "450789469", 1.1)


def test_a_topic_that_is_not_signed_cannot_make_another_thing_of_a_body() -> None:
    order = {"id": 1, "total_price": "1", "financial_status": "paid"}
    assert shopify.read(json.dumps(order).encode(), "orders/cancelled") == []
    gone = json.dumps(order | {"cancelled_at": "2026-01-01T00:00:00Z"}).encode()
    assert shopify.read(gone, "orders/paid") == []


@pytest.mark.parametrize("kind", ["customer.created", "payment_intent.succeeded", ""])
def test_what_is_of_no_concern_is_passed_over(kind: str) -> None:
    assert stripe.read(a_stripe_event(kind, id=5), "") == []
    assert shopify.read(b"not JSON at all", kind) == []


@pytest.mark.parametrize(
    "changes", [{"amount_total": -1}, {"amount_total": None}, {"id": "", "payment_intent": ""}]
)
def test_what_cannot_be_an_order_is_refused_by_its_field(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        stripe.read(a_stripe_event("checkout.session.completed", **PAID | changes), "")
    for price in ("NaN", "x", "-1"):
        with pytest.raises(Unreadable, match="no amount"):
            shopify.read(json.dumps({"id": 1, "total_price": price}).encode(), "orders/paid")


def test_an_order_and_its_refund_carry_one_id_that_nobody_can_guess_and_no_consent() -> None:
    order = Sale(source="stripe", event="Order Completed", order_id="o", amount=1.0, currency="EUR")
    back = Sale(
        source="stripe",
        event="Order Refunded",
        order_id="o",
        amount=1.0,
        currency="EUR",
        refund_id="r",
    )
    first, second = (decode_event(written(each).raw) for each in (order, back))
    assert isinstance(first, Track)
    assert isinstance(second, Track)
    assert first.anonymous_id == second.anonymous_id
    assert first.anonymous_id != decode_event(written(order, b"other").raw).anonymous_id
    assert first.context is None
    assert written(order).message_id != written(back).message_id


def test_a_refund_finds_the_order_that_the_shop_gave_a_name_of_its_own() -> None:
    """Stripe copies a session's metadata neither to the payment intent nor to its refunds."""
    session = {"id": "cs_1", "payment_intent": "pi_1", "amount_total": 800, "currency": "eur"}
    refund = {"id": "re_1", "payment_intent": "pi_1", "amount": 800, "status": "succeeded"}
    told = [
        ("checkout.session.completed", session | {"metadata": {"order_id": "S1"}}),
        ("refund.created", refund | {"currency": "eur", "metadata": {}}),
    ]
    sales = [
        sale
        for kind, thing in told
        for sale in stripe.read(json.dumps({"type": kind, "data": {"object": thing}}).encode(), "")
    ]
    events = [decode_event(written(sale).raw) for sale in sales]
    assert all(isinstance(each, Track) for each in events)
    bought, back = events
    assert bought.anonymous_id == back.anonymous_id
    assert bought.properties["order_id"] == "S1"
    assert bought.properties["payment_id"] == back.properties["order_id"] == "pi_1"


def test_what_is_delivered_late_is_dated_by_itself_in_world_time() -> None:
    """The world may stand elsewhere than the machine: so long ago as it is in one it is in the other."""
    wall = datetime(2026, 1, 10, 12, tzinfo=UTC)
    paid = {"id": 7, "total_price": "20.00", "currency": "EUR"}
    times = {
        "2026-01-10T04:00:00-05:00": timedelta(hours=3),
        "2026-01-10T13:00:00+00:00": timedelta(0),  # a clock that is ahead
        "soon": timedelta(0),
    }
    for written, ago in times.items():
        [sale] = shopify.read(json.dumps(paid | {"processed_at": written}).encode(), "orders/paid")
        record = record_of(sale, NOON, SECRET, wall_now=wall)
        assert (record.at, record.received_at) == (NOON - ago, NOON)
    session = {"id": "cs_1", "amount_total": 800, "currency": "eur"}
    event = {
        "type": "checkout.session.completed",
        "created": int(wall.timestamp()) - 7_200,
        "data": {"object": session},
    }
    [sale] = stripe.read(json.dumps(event).encode(), "")
    assert record_of(sale, NOON, SECRET, wall_now=wall).at == NOON - timedelta(hours=2)


def test_what_takes_an_order_back_says_when_that_was_placed_in_world_time() -> None:
    """Whoever was erased between the two must not come back by the second."""
    wall = datetime(2026, 1, 10, 12, tzinfo=UTC)
    gone = {"id": 7, "total_price": "20.00", "cancelled_at": "2026-01-10T11:00:00+00:00"}
    placed = {"created_at": "2026-01-08T12:00:00+00:00"}
    [cancelled] = shopify.read(json.dumps(gone | placed).encode(), "orders/cancelled")
    charge = {
        "id": "ch_1",
        "created": int(wall.timestamp()) - 2 * 86_400,
        "currency": "eur",
        "refunds": {"data": [{"id": "re_1", "amount": 500, "status": "succeeded"}]},
    }
    event = {"type": "charge.refunded", "created": int(wall.timestamp()) - 3_600}
    [refunded] = stripe.read(json.dumps(event | {"data": {"object": charge}}).encode(), "")
    for sale in (cancelled, refunded):
        record = record_of(sale, NOON, SECRET, wall_now=wall)
        assert record.at == NOON - timedelta(hours=1)
        placed_at = decode_event(record.raw).properties["ordered_at"]
        assert datetime.fromisoformat(placed_at) == NOON - timedelta(days=2)
    [undated] = shopify.read(json.dumps(gone).encode(), "orders/cancelled")
    raw = record_of(undated, NOON, SECRET, wall_now=wall).raw
    assert "ordered_at" not in decode_event(raw).properties
