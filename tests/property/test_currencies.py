"""Whatever is written for a sum and its currency is taken: nothing is raised, and no two currencies become one."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.behavior_bot.currencies import ALONE, CODES, CURRENCY_CHARACTERS_MAX, SHARED
from agents.behavior_bot.money import MONEY_MAX, worth_of
from agents.behavior_bot.refunds import amount_of

ISSUE_CHARACTERS_MAX = 200

MARKS = st.sampled_from(["", *ALONE, *SHARED, "EUR", "usd", "TTC", "KWD", "Euro", "<b>"])
GAPS = st.sampled_from(["", " ", "\u00a0", "\n"])
NUMBERS = st.sampled_from(["5", "49,90", "1.234,50", "1,234", "-3", "1e400", "x"])
WRITTEN = st.builds("".join, st.tuples(MARKS, GAPS, NUMBERS, GAPS, MARKS))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WRITTEN | MARKS
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
PRODUCTS = st.lists(st.fixed_dictionaries({}, optional={"price": SCALARS, "quantity": SCALARS}))
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("currency", "total", "value", "amount"), SCALARS | ANYTHING),
        "products": PRODUCTS | ANYTHING,
    },
)


@given(EVENTS)
def test_whatever_is_written_is_taken_and_bounded(properties: dict[str, Any]) -> None:
    worth, currency, issue = worth_of(properties)
    amount, back, wrong = amount_of(properties)
    assert worth >= 0.0
    assert amount is None or amount >= 0.0
    for each in (currency, back):
        assert len(each) <= CURRENCY_CHARACTERS_MAX
        assert each == "" or each.isalnum()
    assert max(len(issue), len(wrong)) <= ISSUE_CHARACTERS_MAX
    assert issue.isprintable()
    given_one = properties.get("currency")
    if isinstance(given_one, str) and re.fullmatch("[A-Za-z]{3}", given_one.strip()):
        assert currency == back == given_one.strip().upper()
    elif not issue and currency:
        assert currency in CODES


@given(MARKS, GAPS, st.integers(0, int(MONEY_MAX)), GAPS, MARKS)
def test_a_currency_that_is_left_out_though_something_stands_there_is_told(
    before: str, gap: str, number: int, other_gap: str, after: str
) -> None:
    worth, currency, issue = worth_of({"total": f"{before}{gap}{number}{other_gap}{after}"})
    assert worth in (0.0, number)
    assert bool(currency or issue) == bool(before or after)


@given(st.sampled_from([*ALONE]), st.sampled_from([*CODES]))
def test_signs_of_two_currencies_are_never_one_sum(sign: str, code: str) -> None:
    prices = [{"price": f"{sign}1"}, {"price": f"1 {code}"}]
    _, currency, issue = worth_of({"products": prices})
    may_be = {ALONE[sign], *SHARED.get(sign, ())}
    assert (currency, bool(issue)) == ((code, False) if code in may_be else ("", True))
