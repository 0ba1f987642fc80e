"""Say sums of money in words: each in its own currency, and never two added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.counting import counted

WHOLE = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
THOUSANDTHS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())  # noqa: SIM905
"""ISO 4217, minor units of 0 and of 3; all others are said with 2."""


def amount_said(value: float, currency: str) -> str:
    """Return a sum without its currency's name, by the decimals of that.

    >>> amount_said(49.9, "EUR"), amount_said(4990.0, "JPY"), amount_said(5.125, "KWD")
    ('49.90', '4,990', '5.125')
    """
    code = currency.upper()
    return f"{value:,.{0 if code in WHOLE else 3 if code in THOUSANDTHS else 2}f}"


def sum_said(value: float, currency: str) -> str:
    """Return a sum with its currency.

    >>> sum_said(1015.0, "EUR"), sum_said(2.5, "")
    ('1,015.00 EUR', '2.50')
    """
    return f"{amount_said(value, currency)} {currency}".rstrip()


def revenue_said(sales: Mapping[str, Any]) -> str:
    """Return the revenue of `stats.sales`, the currency of most orders first.

    >>> revenue_said({"currencies": [{"currency": "EUR", "revenue": 5.0, "refunded": 1.0}]})
    '5.00 EUR'
    >>> revenue_said({"currencies": []})
    '0.00'
    """
    return _sums(sales, "revenue") or sum_said(0.0, "")


def back_said(sales: Mapping[str, Any]) -> str:
    """Return what was given back, empty where nothing was."""
    return _sums(sales, "refunded")


def unread_said(sales: Mapping[str, Any]) -> str:
    """Return of how many orders a sum, or its currency, could not be taken as told; empty where of none.

    >>> unread_said({"unread": 2}), unread_said({"unread": 0})
    ('2 orders with a sum that could not be taken as told', '')
    """
    unread = sales.get("unread", 0)
    return (
        f"{counted(unread, 'orders')} with a sum that could not be taken as told" if unread else ""
    )


def _sums(sales: Mapping[str, Any], name: str) -> str:
    sums = [(each[name], each["currency"]) for each in sales["currencies"] if each[name]]
    return ", ".join(sum_said(*each) for each in sums)
