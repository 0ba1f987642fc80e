"""Try what Behavior reads of refunds: whole, in part, by products, misspelt."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from agents.behavior_bot.merge import pack
from agents.behavior_bot.orders import note_order, note_refund, orders_value
from agents.behavior_bot.refunds import amount_of
from agents.behavior_bot.state import (
    CURRENCIES_MAX,
    ORDERS_MAX,
    REFUNDS_MAX,
    BehaviorState,
    Order,
    Refund,
)
from agents.protocol.bot import View
from config.load import DEFAULTS, compile_files, read_folder
from messaging.vocabulary.events import Record
from messaging.vocabulary.messages import CohortEntered, CohortLeft, Refunded, StateMerged
from tests.behavior_builders import ANN, START, Ann, a_track, told


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
    read, _, wrong = amount_of(properties)
    assert read == amount
    assert bool(wrong) == (amount == 0.0), "what counts nothing says so"


BIG_SPENDERS = """
  big-spenders:
    title: Spent a hundred or more
    when:
      orders: {value_at_least: 100}

  once:
    title: Has bought
    when:
      orders: {at_least: 1}
"""


def a_shop() -> Ann:
    """Return a visitor under the shipped rules and two cohorts of orders."""
    files = read_folder(DEFAULTS)
    files["cohorts.yaml"] += BIG_SPENDERS
    rules = compile_files(files, 1)
    return Ann(View(rules=rules, rules_version=1, pinned={1: rules}, snapshots={}))


def an_order(number: int, order: str, total: float) -> Record:
    return a_track(number, "Order Completed", properties={"order_id": order, "total": total})


def a_refund(number: int, order: str, **properties: object) -> Record:
    about = {"order_id": order, "refund_id": f"r{number}", **properties}
    return a_track(number, "Order Refunded", properties=about)


def test_who_gives_an_order_back_is_no_big_spender_any_more_and_stays_a_customer() -> None:
    ann = a_shop()
    entered = told(ann.sees(an_order(1, "o1", 80), an_order(2, "o2", 40)), CohortEntered)
    assert {"big-spenders", "once", "customers"} <= {each.cohort for each in entered}
    left = told(ann.sees(a_refund(3, "o2")), CohortLeft, "rules")
    assert [each.cohort for each in left] == ["big-spenders"]
    assert (ann.state.orders_count, orders_value(ann.state)) == (2, 80.0)
    assert {"once", "customers"} <= set(ann.state.cohorts)
    entered = told(ann.sees(an_order(4, "o3", 20)), CohortEntered, "rules")
    assert [each.cohort for each in entered] == ["big-spenders"]


def test_a_refund_may_call_its_order_by_the_payment_that_either_of_them_names() -> None:
    for first in (True, False):
        ann = a_shop()
        paid = {"order_id": "o1", "total": 90.0, "payment_id": "pi_1"}
        events = [
            an_order(1, "o1", 90.0),
            a_track(2, "Order Completed", properties=paid),
            a_refund(3, "pi_1", total=60.0, refund_id="r1"),
        ]
        ann.sees(*(events if first else reversed(events)))
        assert (ann.state.orders_count, orders_value(ann.state)) == (1, 30.0)


def test_a_refund_is_taken_once_and_takes_no_more_than_there_was() -> None:
    ann = a_shop()
    ann.sees(an_order(1, "o1", 80), an_order(2, "o2", 40))
    again = a_track(
        4, "Order Refunded", properties={"order_id": "o1", "refund_id": "r3", "total": 30}
    )
    ann.sees(a_refund(3, "o1", total=30), again)
    assert orders_value(ann.state) == 90.0
    ann.sees(a_refund(5, "o1", total=70), a_refund(6, "never seen"))
    assert orders_value(ann.state) == 40.0


def test_a_part_given_back_in_another_currency_takes_nothing_off() -> None:
    ann = a_shop()
    ann.sees(a_refund(1, "o1", total=30, currency="JPY"))
    ann.sees(
        a_track(2, "Order Completed", properties={"order_id": "o1", "total": 80, "currency": "EUR"})
    )
    assert orders_value(ann.state) == 80.0
    ann.sees(a_refund(3, "o1", total=30, currency="eur"))
    assert orders_value(ann.state) == 50.0


def test_a_refund_that_comes_before_its_order_or_with_a_merge_counts() -> None:
    ann, young = a_shop(), a_shop()
    ann.sees(a_refund(1, "o1", total=30), an_order(2, "o1", 80))
    assert orders_value(ann.state) == 50.0
    young.sees(an_order(3, "o2", 40), a_refund(4, "o1", total=20))
    ann.take(StateMerged(ANN, START, "b" * 24, pack(young.state)))
    assert (ann.state.orders_count, orders_value(ann.state)) == (2, 70.0)


def test_however_many_orders_and_refunds_the_state_is_bounded_and_the_value_true() -> None:
    state = BehaviorState()
    for number in range(3 * ORDERS_MAX):
        note_order(state, f"o{number}", Order(10.0, float(number)))
        for part in range(2):
            note_refund(state, f"r{number}-{part}", Refund(f"o{number}", 2.0, number + part / 2))
    assert (len(state.orders), len(state.refunds)) == (ORDERS_MAX, REFUNDS_MAX)
    assert (state.orders_count, orders_value(state)) == (3 * ORDERS_MAX, 3 * ORDERS_MAX * 6.0)
    assert not note_refund(state, "late", Refund("o0", None, 0.0)), "nobody remembers that order"


def test_an_order_told_again_after_hundreds_of_others_is_no_other_one() -> None:
    ann = Ann()
    for number in range(1, 150):
        ann.sees(
            a_track(number, "Order Completed", properties={"order_id": f"o{number}", "total": 2})
        )
    ann.sees(a_track(200, "Order Completed", properties={"order_id": "o1", "total": 2}))
    assert (ann.state.orders_count, orders_value(ann.state)) == (149, 298.0)


def bought(number: int, order_id: str, total: float, currency: str) -> Record:
    about = {"order_id": order_id, "total": total, "currency": currency}
    return a_track(number, "Order Completed", properties=about)


def test_what_was_bought_in_two_currencies_is_never_added_up() -> None:
    """A rule on the value asks for that in the currency of the first order; how many there were is another question."""
    ann = a_shop()
    ann.sees(bought(1, "o1", 80, "EUR"), bought(2, "o2", 90, "USD"))
    assert "big-spenders" not in ann.state.cohorts
    assert (ann.state.orders_count, orders_value(ann.state)) == (2, 80.0)
    ann.sees(a_refund(3, "o2"))
    assert orders_value(ann.state) == 80.0
    ann.sees(an_order(4, "o3", 20))  # names none
    assert "big-spenders" in ann.state.cohorts


def test_an_older_order_that_is_told_late_says_which_currency_is_theirs() -> None:
    ann, young = a_shop(), a_shop()
    ann.sees(bought(5, "o5", 80, "EUR"), bought(6, "o6", 30, "USD"))
    young.sees(bought(1, "o1", 40, "USD"))
    ann.take(StateMerged(ANN, START, "b" * 24, pack(young.state)))
    assert (ann.state.orders_count, orders_value(ann.state)) == (3, 70.0)


def test_what_older_orders_came_to_is_kept_by_currency_and_bounded() -> None:
    state = BehaviorState()
    for number in range(20 * ORDERS_MAX):
        currency = "ZAR" if number % 2 == 0 else f"X{number % 40:02}"
        note_order(state, f"o{number}", Order(1.0, float(number), currency=currency))
    assert len(state.orders_older) == CURRENCIES_MAX
    assert orders_value(state) == 10.0 * ORDERS_MAX


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_refund_that_failed_takes_nothing_off_and_moves_its_cohort_back(order: Any) -> None:
    properties = {"order_id": "o1", "refund_id": "r1", "total": 60.0}
    records = [
        a_track(1, "Order Completed", properties={"order_id": "o1", "total": 120.0}),
        a_track(2, "Order Refunded", properties=properties),
        a_track(3, "Order Refund Failed", properties=properties),
    ]
    ann = a_shop()
    ann.sees(*[records[each] for each in order])
    ann.sees(a_track(4, "Order Refund Failed", properties=properties))
    assert orders_value(ann.state) == 120.0
    assert "big-spenders" in ann.state.cohorts
    [failed, again] = [
        m
        for event in (records[2], a_track(5, "Order Refunded", properties=properties))
        for m in told(Ann().sees(event), Refunded, "sales")
    ]
    assert (failed.failed, failed.amount, again.failed) == (True, 60.0, False)
