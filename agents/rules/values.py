"""Compare what a marketer wrote with what came in: a number in a CSV file is text, and the same.

Rules
1. Values are equal when their plain texts are: 5, 5.0 and "5"; true and "True"; "Rio" and "rio".
2. None is equal to nothing but None: what is not known is not "none".
3. Of a number is asked what reads as one; yes and no are no numbers.
"""

from __future__ import annotations

import math
from typing import Any


def plain(value: Any) -> str:
    """Return a value's plain text.

    >>> plain(5.0), plain(True), plain(" Sao Paulo ")
    ('5', 'true', 'sao paulo')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip().casefold()


def same(left: Any, right: Any) -> bool:
    """Say whether two values are the same as a marketer means it."""
    if left is None or right is None:
        return left is right
    return plain(left) == plain(right)


def number(value: Any) -> float | None:
    """Return a value as a number, None for what reads as none.

    >>> number("12.5"), number(7), number(True), number("nan"), number("many")
    (12.5, 7.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
