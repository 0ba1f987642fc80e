"""Sum what visitors count as: each bot names its figures, shards keep their sums in every commit, readers add those up.

Rule 1: a figure is a difference kept with the states it comes from, in one transaction: whoever reads the sums reads
no state, and finds exactly what a count of all states would give.
"""

from __future__ import annotations

from collections.abc import Iterable

DECIMALS = 6
"""Sums of money are rounded to these: added in another order they differ by less."""


def summed(parts: Iterable[Iterable[tuple[str, float]]]) -> dict[str, float]:
    """Return the sum of figures, name by name; what comes to nothing is left out.

    >>> summed([[("revenue", 0.1), ("runs", 1)], [("revenue", 0.2), ("runs", -1)]])
    {'revenue': 0.3}
    """
    sums: dict[str, float] = {}
    for part in parts:
        for name, value in part:
            sums[name] = round(sums.get(name, 0) + value, DECIMALS)
    return {name: value for name, value in sums.items() if value}
