"""Hold Sales to the law that refunds come to the same in any order, in one visitor or in two that are merged."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.protocol.draw import Draw
from agents.sales_bot.bot import SalesBot
from agents.sales_bot.shown import orders_of
from agents.sales_bot.state import SalesState
from messaging.vocabulary.messages import MergedInto, Message, Purchased, Refunded, StateMerged
from tests.behavior_builders import ANN, MINUTE, START, a_view, told

YOUNGER = "b" * 24
CENTS = st.integers(0, 9_999).map(lambda cents: cents / 100)
NAMES = st.sampled_from(["o1", "o2", "o3", "p1", "p2"])
"""Orders, and the payments by which some refunds call them."""

values = st.fixed_dictionaries({"o1": CENTS, "o2": CENTS}, optional={"o3": CENTS})
refunds = st.dictionaries(
    st.sampled_from([f"r{n}" for n in range(8)]), st.tuples(NAMES, st.none() | CENTS), max_size=8
)


def messages(worth: dict[str, float], back: dict[str, tuple[str, float | None]]) -> list[Message]:
    bought = [
        Purchased(
            ANN, START + n * MINUTE, key, value, "EUR", "Order Completed", "", payment_id=payment
        )
        for n, (key, value) in enumerate(worth.items())
        for payment in ("", key.replace("o", "p"))  # the browser tells it, and who was paid
    ]
    given_back = [
        Refunded(ANN, START + n * MINUTE, key, order, amount, "EUR")
        for n, (key, (order, amount)) in enumerate(back.items())
    ]
    return [*bought, *given_back]


def take(state: SalesState, taken: list[Message]) -> list[Any]:
    bot = SalesBot()
    return [e for m in taken for e in bot.step(state, m, START, a_view(), Draw)]


def seen(state: SalesState) -> tuple[Any, ...]:
    left = {order["order_id"]: order["left"] for order in orders_of(state)}
    return left, state.revenue, state.orders_count, dict(state.refunds)


def expected(
    worth: dict[str, float], back: dict[str, tuple[str, float | None]]
) -> dict[str, float]:
    """Count in whole cents, by another way than the bot does."""
    left = {}
    for key, value in worth.items():
        amounts = [amount for name, amount in back.values() if name.replace("p", "o") == key]
        given = sum(round(each * 100) for each in amounts if each is not None)
        left[key] = 0 if None in amounts else max(0, round(value * 100) - given)
    return left


@settings(deadline=None, max_examples=300)
@given(values, refunds, st.data())
def test_refunds_come_to_the_same_in_any_order(worth: Any, back: Any, data: st.DataObject) -> None:
    """Every message once or twice, shuffled: what is left is the value less the amounts, and never below zero."""
    all_of_them = messages(worth, back)
    shuffled = data.draw(st.permutations(all_of_them + all_of_them))
    state = SalesState()
    take(state, shuffled)
    left, revenue, count, known = seen(state)
    cents = expected(worth, back)
    assert {key: round(value * 100) for key, value in left.items()} == cents
    assert round(revenue * 100) == sum(cents.values())
    assert (count, set(known)) == (len(worth), set(back))


@settings(deadline=None, max_examples=200)
@given(values, refunds, st.data())
def test_a_merge_at_any_moment_comes_to_the_same(
    worth: Any, back: Any, data: st.DataObject
) -> None:
    """Messages spread over two visitors, some told to both; the younger is taken in somewhere on the way."""
    all_of_them = messages(worth, back)
    shuffled = data.draw(st.permutations(all_of_them))
    sides = [data.draw(st.sampled_from(["older", "younger", "both"])) for _ in shuffled]
    young, old = SalesState(), SalesState()
    take(young, [m for m, side in zip(shuffled, sides, strict=True) if side != "older"])
    [moved] = told(take(young, [MergedInto(YOUNGER, START, ANN)]), StateMerged)
    rest = [m for m, side in zip(shuffled, sides, strict=True) if side != "younger"]
    at = data.draw(st.integers(0, len(rest)))
    take(old, [*rest[:at], moved, *rest[at:]])
    straight = SalesState()
    take(straight, all_of_them)
    assert seen(old) == seen(straight)
