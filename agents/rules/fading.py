"""Say when a score that fades passes a bound: half of it is gone after each half-life."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

FAR_DAYS = 36_500
"""Nobody waits longer than a century, and a datetime ends in the year 9999."""

SECOND = timedelta(seconds=1)
"""Times are whole seconds, the next one after: a store that keeps milliseconds must not wake early."""


def fades_at(
    value: float, bounds: Iterable[float | None], half_life_days: float | None, now: datetime
) -> datetime | None:
    """Return the earliest time, after now, at which a fading value passes one of the bounds.

    None if it never does. A value below zero fades upwards; zero itself is never reached.

    >>> from datetime import UTC
    >>> fades_at(8.0, [2.0], 7.0, datetime(2024, 1, 1, tzinfo=UTC)).isoformat()
    '2024-01-15T00:00:01+00:00'
    """
    if half_life_days is None or value == 0:
        return None
    least = 0.0
    for bound in bounds:
        if bound:
            ratio = value / bound
            if ratio >= 1 and (not least or ratio < least):
                least = ratio
    if not least:
        return None
    days = half_life_days * math.log2(least)
    if days > FAR_DAYS:
        return None
    passed = now + timedelta(days=days)
    return passed.replace(microsecond=0) + SECOND
