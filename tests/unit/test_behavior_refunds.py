"""Try what Behavior reads of refunds: whole, in part, by products, misspelt."""

from __future__ import annotations

import pytest

from agents.behavior_bot.refunds import amount_of
from messaging.vocabulary.events import Record
from messaging.vocabulary.messages import Refunded
from tests.behavior_builders import Ann, a_track, told


def refunds(*events: Record) -> list[Refunded]:
    ann = Ann()
    return [m for event in events for m in told(ann.sees(event), Refunded, "sales")]


def test_a_refund_and_a_cancellation_are_told_to_sales() -> None:
    part = {"order_id": "o1", "refund_id": "r1", "total": 7.5, "currency": "EUR"}
    [first, second] = refunds(
        a_track(1, "Order Refunded", properties=part),
        a_track(2, "Order Cancelled", properties={"order_id": "o1", "total": 20}),
    )
    assert (first.refund_id, first.order_id, first.amount, first.currency) == (
        "r1",
        "o1",
        7.5,
        "EUR",
    )
    assert (second.refund_id, second.amount) == ("cancelled:o1", None)


def test_a_refund_of_no_order_is_told_to_nobody() -> None:
    assert refunds(a_track(1, "Order Refunded", properties={"total": 5})) == []
    assert refunds(a_track(1, "Order Shipped", properties={"order_id": "o1"})) == []


@pytest.mark.parametrize(
    ("properties", "amount"),
    [
        ({}, None),
        ({"total": -30}, 30.0),
        ({"total": "x"}, 0.0),
        ({"total": True}, 0.0),
        ({"total": float("inf")}, 0.0),
        ({"total": 10**400}, 0.0),
        ({"products": [{"price": 19, "quantity": 2}, {"price": 3}, "x", {}]}, 41.0),
        ({"products": "x"}, None),
        ({"total": 5, "products": [{"price": 19}]}, 5.0),
    ],
)
def test_amounts_are_read_and_what_cannot_be_read_takes_nothing(properties, amount) -> None:
    assert amount_of(properties) == amount
