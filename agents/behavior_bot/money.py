"""Read sums of money from what events carry: anybody may send them, so that whatever is no sum counts nothing."""

from __future__ import annotations

import math
from typing import Any

MONEY_MAX = 1e9
"""No shop sells that in one order, in whatever currency: two such orders must not spoil a sum for good."""


def money(value: Any) -> float | None:
    """Return a sum with its sign, None for what is none: no number, not finite, or beyond `MONEY_MAX`.

    >>> money("7.50"), money(-3), money(True), money("nan"), money(1.7e308)
    (7.5, -3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= MONEY_MAX else None
