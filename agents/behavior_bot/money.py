"""Read sums of money from what events carry: anybody may send them, so that whatever is no sum counts nothing.

Rules
1. A number is a number. A text may be written as people write sums: with a decimal comma, with groups of three digits,
   with a currency's sign or code on either side.
2. What may be read in two ways is not read: 1,234 is a thousand here and one and a bit there. Of a currency with three
   decimals it is read as one with three.
3. Nothing is 0 without a word: whoever asks for an order's worth hears why there is none.
4. A sum has the currency that `currencies.py` finds: the one that is given, else the one it is written with.
"""

from __future__ import annotations

import math
import re
from typing import Any

from agents.behavior_bot.currencies import (
    CHARACTERS_MAX,
    code_beside,
    currency_of,
    given_code,
    parted,
)

MONEY_MAX = 1e9
"""No shop sells that in one order, in whatever currency: two such orders must not spoil a sum for good."""

THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
"""ISO 4217: currencies with three decimals."""

AMOUNTS = ("total", "revenue", "value")
"""Properties that say what an order is worth, the first that is there (Segment's e-commerce specification)."""

PRODUCTS_MAX = 1_000
UNREADABLE = "is no sum that can be read"

_PLAIN = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
_COMMA = re.compile(r"[-+]?\d+,\d+")
_GROUPED = re.compile(
    r"[-+]?[1-9]\d{0,2}(?P<group>[.,' \u2019\u00a0\u202f])\d{3}(?:(?P=group)\d{3})*(?P<rest>[.,]\d+)?"
)
_EITHER = re.compile(r"[-+]?[1-9]\d{0,2}[.,]\d{3}")
"""A thousand and something, or three decimals."""


def money(value: Any, currency: str = "") -> float | None:
    """Return a sum with its sign, None for what is none: no number, not finite, or beyond `MONEY_MAX`.

    >>> money("7.50"), money(-3), money(True), money("nan"), money(1.7e308)
    (7.5, -3.0, None, None, None)
    >>> money("49,90"), money("1.234,50"), money("1,234.50"), money("€ 1 234"), money("9.99 USD")
    (49.9, 1234.5, 1234.5, 1234.0, 9.99)
    >>> money("1,234"), money("1.234"), money("1.234", "KWD"), money("1,234 KWD"), money("1.2.3")
    (None, None, 1.234, 1.234, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = _written(value, currency) if isinstance(value, str) else value
    try:
        number = float(text) if text is not None else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= MONEY_MAX else None


def worth_of(properties: dict[str, Any]) -> tuple[float, str, str]:
    """Return what an order is worth, in which currency, and what is wrong with how that is told, empty if nothing is.

    >>> worth_of({"total": "€ 49,90"}), worth_of({"products": [{"price": 2, "quantity": 3}]})
    ((49.9, 'EUR', ''), (6.0, '', ''))
    >>> worth_of({"total": "a lot"}), worth_of({})
    ((0.0, '', 'total is no sum that can be read'), (0.0, '', 'it names no total'))
    """
    code, wrong, unread = given_code(properties), "", []
    for name in AMOUNTS:
        if properties.get(name) is None:
            continue
        number = money(properties[name], code)
        if number is not None and number >= 0:
            return number, *currency_of(properties, [properties[name]])
        wrong = wrong or f"{name} {UNREADABLE}"
        unread.append(properties[name])
    if not wrong and (summed := sum_of_products(properties, code)) is not None:
        return summed, *currency_of(properties, prices_of(properties))
    currency, unsure = currency_of(properties, unread)
    return 0.0, currency, "; ".join([wrong or "it names no total", *([unsure] if unsure else [])])


def sum_of_products(properties: dict[str, Any], currency: str) -> float | None:
    """Return what the products that are named come to, None where none are."""
    products = properties.get("products")
    if not isinstance(products, list) or not products:
        return None
    return math.fsum(
        abs(money(each.get("price"), currency) or 0.0) * abs(money(each.get("quantity", 1)) or 0.0)
        for each in products[:PRODUCTS_MAX]
        if isinstance(each, dict)
    )


def prices_of(properties: dict[str, Any]) -> list[Any]:
    """Return the prices that `sum_of_products` adds up, as they are written."""
    products = properties.get("products")
    found = products[:PRODUCTS_MAX] if isinstance(products, list) else []
    return [each.get("price") for each in found if isinstance(each, dict)]


def _written(text: str, currency: str) -> str | None:
    """Return a text's number as a machine writes it; None where there is none, or where it may be two."""
    if len(text) > CHARACTERS_MAX:
        return None
    _, told, _ = parted(text)
    if _EITHER.fullmatch(told):
        return told.replace(",", ".") if (currency or code_beside(text)) in THOUSANDTHS else None
    if _PLAIN.fullmatch(told):
        return told
    if _COMMA.fullmatch(told):
        return told.replace(",", ".")
    grouped = _GROUPED.fullmatch(told)
    if grouped is None:
        return None
    group, rest = grouped["group"], grouped["rest"] or ""
    if rest.startswith(group):
        return None
    whole = told.removesuffix(rest) if rest else told
    return whole.replace(group, "") + rest.replace(",", ".")
