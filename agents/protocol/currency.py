"""Say when sums of money may be added."""

from __future__ import annotations


def is_same(one: str, other: str) -> bool:
    """Say whether sums in two currencies may be added; where one is not named, it is taken to be the other.

    >>> is_same("EUR", "EUR"), is_same("EUR", ""), is_same("EUR", "USD")
    (True, True, False)
    """
    return not one or not other or one == other
