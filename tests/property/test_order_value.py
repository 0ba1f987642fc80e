"""The value of a visitor's orders is that of one currency, however they are told, given back, merged and let go."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.behavior_bot.orders import absorb_orders, note_order, note_refund, orders_value
from agents.behavior_bot.state import ORDERS_MAX, BehaviorState, Order, Refund

CURRENCIES = ("EUR", "USD", "JPY", "")
BOUGHT = st.tuples(st.sampled_from(CURRENCIES), st.integers(0, 300))
"""(currency, worth); they are bought one after the other."""
Back = tuple[str, int]
"""(currency, amount) of what is given back of one."""


def worked_out(bought: list[tuple[str, int]], back: dict[int, Back]) -> float:
    """Return what it is to be: the long way, of everything at once."""
    own = next((currency for currency, _ in bought if currency), "")
    return float(
        sum(
            max(0, worth - amount_back(currency, *back.get(number, ("", 0))))
            for number, (currency, worth) in enumerate(bought)
            if currency in ("", own)
        )
    )


def amount_back(own: str, currency: str, amount: int) -> int:
    return amount if "" in (own, currency) or own == currency else 0


def told(
    bought: list[tuple[str, int]], back: dict[int, Back], chance: Random, parts: int
) -> BehaviorState:
    """Tell some visitors of it, in any order, and find out that they are one."""
    visitors = [BehaviorState() for _ in range(parts)]
    orders = [(False, number, *fact) for number, fact in enumerate(bought)]
    facts = [*orders, *((True, number, *fact) for number, fact in back.items())]
    for is_back, number, currency, sum_told in chance.sample(facts, len(facts)):
        visitor, at = chance.choice(visitors), float(number)
        if is_back:
            note_refund(visitor, f"r{number}", Refund(f"o{number}", sum_told, at, currency))
        else:
            note_order(visitor, f"o{number}", Order(sum_told, at, currency=currency))
    older, *others = visitors
    for younger in others:
        absorb_orders(older, younger)
    return older


@given(
    st.lists(BOUGHT, max_size=20), st.data(), st.randoms(use_true_random=False), st.integers(1, 3)
)
def test_what_is_left_of_orders_in_the_first_currency_is_their_value(
    bought: list[tuple[str, int]], data: st.DataObject, chance: Random, parts: int
) -> None:
    numbers = st.integers(0, max(0, len(bought) - 1))
    given = st.tuples(st.sampled_from(CURRENCIES), st.integers(1, 400))
    back = data.draw(st.dictionaries(numbers, given, max_size=6)) if bought else {}
    found = told(bought, back, chance, parts)
    assert orders_value(found) == pytest.approx(worked_out(bought, back))
    assert found.orders_count == len(bought)


@given(
    st.lists(BOUGHT, min_size=ORDERS_MAX, max_size=4 * ORDERS_MAX),
    st.randoms(use_true_random=False),
    st.integers(1, 3),
)
def test_what_older_orders_came_to_stays_in_its_currency(
    bought: list[tuple[str, int]], chance: Random, parts: int
) -> None:
    found = told(bought, {}, chance, parts)
    assert len(found.orders) <= ORDERS_MAX
    assert orders_value(found) == pytest.approx(worked_out(bought, {}))
    assert found.orders_count == len(bought)
