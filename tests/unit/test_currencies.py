"""Try in which currency sums are, however it is written."""

from __future__ import annotations

from typing import Any

import pytest

from agents.behavior_bot.currencies import (
    _MARK_CHARACTERS_MAX,
    ALONE,
    CODES,
    SHARED,
    currency_of,
)
from agents.behavior_bot.money import money, worth_of
from agents.behavior_bot.refunds import amount_of

NO_CODE = "currency is neither a code of three letters nor the sign of one currency"


@pytest.mark.parametrize(
    ("total", "worth", "currency"),
    [
        ("€ 49,90", 49.9, "EUR"),
        ("12 EUR", 12.0, "EUR"),
        ("12eur", 12.0, "EUR"),
        ("£5", 5.0, "GBP"),
        ("US$12.00", 12.0, "USD"),
        ("A$ 3", 3.0, "AUD"),
        ("12 ca$", 12.0, "CAD"),
        ("R$ 1.234,50", 1234.5, "BRL"),
        ("12,50 zł", 12.5, "PLN"),
        ("100 KČ", 100.0, "CZK"),
        ("₩ 5000", 5000.0, "KRW"),
        ("1,234 KWD", 1.234, "KWD"),
        ("$12 USD", 12.0, "USD"),
        ("€ 12 EUR", 12.0, "EUR"),
        ("£5 EGP", 5.0, "EGP"),
    ],
)
def test_a_sum_says_its_currency_by_code_or_by_sign(
    total: str, worth: float, currency: str
) -> None:
    found, named, issue = worth_of({"total": total})
    assert (found, named, issue) == (worth, currency, "")


@pytest.mark.parametrize(
    ("total", "issue"),
    [
        ("$12.00", "$ is a sign of several currencies"),
        ("¥ 500", "¥ is a sign of several currencies"),
        ("99 kr", "kr is a sign of several currencies"),
        ("99 kr.", "kr. is a sign of several currencies"),
        ("49,90 TTC", "TTC is no currency"),
        ("€ 12 USD", "the sum is in USD and in EUR"),
        ("$ 12 EUR", "the sum is in EUR and in $"),
    ],
)
def test_what_says_no_single_currency_is_counted_under_none_and_told(
    total: str, issue: str
) -> None:
    assert worth_of({"total": total}) == (money(total), "", issue)


@pytest.mark.parametrize(
    ("told", "total", "currency", "issue"),
    [
        (" eur ", 5, "EUR", ""),
        ("€", 5, "EUR", ""),
        ("us$", 5, "USD", ""),
        ("PTS", 5, "PTS", ""),
        ("", "£5", "GBP", ""),
        (None, "£5", "GBP", ""),
        ("USD", "$5", "USD", ""),
        ("EGP", "£5", "EGP", ""),
        ("£", "5 EGP", "EGP", ""),
        ("$", "5 CAD", "CAD", ""),
        ("EUR", "5 TTC", "EUR", ""),
        ("$", 5, "", "$ is a sign of several currencies"),
        ("$", "€5", "EUR", "currency is $, the sum is in EUR"),
        ("EUR", "$5", "EUR", "currency is EUR, the sum is in $"),
        ("EUR", "5 usd", "EUR", "currency is EUR, the sum is in USD"),
        ("€", "£5", "EUR", "currency is EUR, the sum is in GBP"),
        ("Euro", 5, "EURO", NO_CODE),
        ("Euro", "€5", "EUR", NO_CODE),
        ("<b>EUR", 5, "BEUR", NO_CODE),
        ("a/b", 5, "AB", NO_CODE),
        ("E1R", 5, "E1R", NO_CODE),
        ("x" * 9_999, 5, "XXXXXXXX", NO_CODE),
        (978, 5, "", NO_CODE),
        (978, "€5", "EUR", NO_CODE),
        (["EUR"], 5, "", NO_CODE),
    ],
)
def test_the_currency_that_is_given_wins_where_it_is_a_code_and_what_is_odd_is_told(
    told: Any, total: Any, currency: str, issue: str
) -> None:
    assert worth_of({"currency": told, "total": total}) == (5.0, currency, issue)
    assert amount_of({"currency": told, "total": total}) == (5.0, currency, issue)


def test_prices_say_the_currency_of_the_sum_they_come_to() -> None:
    alike = [{"price": "€ 2,50", "quantity": 2}, {"price": 1}, "x", {"price": "a lot of $"}]
    assert worth_of({"products": alike}) == (6.0, "EUR", "")
    other = [*alike, {"price": "£1"}]
    assert worth_of({"products": other}) == (7.0, "", "the sum is in EUR and in GBP")
    assert amount_of({"products": other}) == (7.0, "", "the sum is in EUR and in GBP")
    assert worth_of({"products": other, "total": "$9 CAD"}) == (9.0, "CAD", "")


def test_a_sum_that_cannot_be_read_says_its_currency_all_the_same() -> None:
    unread = "total is no sum that can be read"
    assert worth_of({"total": "€ 1,234"}) == (0.0, "EUR", unread)
    assert worth_of({"total": "$ 1,234"}) == (
        0.0,
        "",
        f"{unread}; $ is a sign of several currencies",
    )
    assert worth_of({"total": "a lot", "value": "£5"}) == (5.0, "GBP", "")
    assert worth_of({"currency": "Euro"}) == (0.0, "EURO", f"it names no total; {NO_CODE}")


def test_who_gives_a_whole_order_back_is_asked_for_no_currency() -> None:
    assert amount_of({"currency": "Euro"}) == (None, "EURO", "")


def test_no_mark_is_longer_than_is_looked_for() -> None:
    assert max(map(len, [*ALONE, *SHARED, *CODES])) == _MARK_CHARACTERS_MAX


def test_every_sign_that_is_listed_is_read_on_either_side() -> None:
    for sign, currency in ALONE.items():
        assert currency in CODES
        assert currency_of({}, [f"{sign}5"]) == currency_of({}, [f"5 {sign.upper()}"])
        assert currency_of({}, [f"{sign}5"]) == (currency, "")
        assert money(f"{sign} 5") == money(f"5{sign}") == 5.0
    for sign, currencies in SHARED.items():
        assert currencies <= CODES
        assert money(f"{sign} 5") == money(f"5{sign}") == 5.0
