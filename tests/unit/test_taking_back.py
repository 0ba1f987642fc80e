"""What takes an order back is as old as that order, and is known by every id that names it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from agents.behavior_bot.state import BehaviorState, Order, Refund
from agents.behavior_bot.taking_back import began_at, order_keys_of, orders_named, takes_back
from messaging.vocabulary.events import Record, decode_event
from tests.runtime_builders import START


def told(name: str, **properties: object) -> Record:
    raw = {"type": "track", "event": name, "userId": "u", "properties": properties}
    return Record(1, "m", 0, START, START, "", msgspec.json.encode(raw))


@pytest.mark.parametrize("name", ["Order Refunded", "Order Cancelled"])
def test_it_is_of_the_time_of_its_order_where_that_is_told_and_never_younger_than_itself(
    name: str,
) -> None:
    before = START - timedelta(days=3)
    times = {
        before.isoformat(): before,
        before.replace(tzinfo=None).isoformat(): before,
        (START + timedelta(days=1)).isoformat(): START,
        "soon": START,
        7: START,
    }
    for text, at in times.items():
        record = told(name, order_id="o", ordered_at=text)
        assert began_at(record, record.event) == at
    assert takes_back(told(name, order_id="o").event)
    bought = told("Order Completed", order_id="o", ordered_at=before.isoformat())
    assert began_at(bought, bought.event) == START
    assert not takes_back(bought.event)


def test_an_order_is_known_by_its_own_id_and_its_payments() -> None:
    assert order_keys_of(told("Order Refunded", order_id=7, payment_id="p").event) == ["o:7", "o:p"]
    assert order_keys_of(told("Order Refunded").event) == []
    assert order_keys_of(decode_event(b'{"type":"page","anonymousId":"a"}')) == []
    state = BehaviorState(
        orders={"a": Order(1.0, 0.0, "p"), "b": Order(1.0, 0.0)},
        refunds={"r": Refund("early", None, 0.0)},
    )
    assert orders_named(state) == {"a", "b", "p", "early"}
