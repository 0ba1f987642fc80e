"""Read times as ISO 8601 and RFC 3339 have them. Pure.

The standard library knows no midnight at the end of a day (`24:00:00`) and no leap second (`23:59:60`); both are legal,
and an event at such a time is as good as any. A day's end is the beginning of the next one, a leap second the first
second of the next minute.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_END_OF_DAY = re.compile(r"(.{8,10}[Tt ])24((?::?00(?::?00(?:[.,]0+)?)?)?(?:Z|[+-].*)?)")
_LEAP_SECOND = re.compile(r"(.{8,10}[Tt ]\d\d(:?)\d\d\2)60((?:[.,]\d+)?(?:Z|[+-].*)?)")


def read_iso(text: str) -> datetime:
    """Return the time that a text names, with its zone if it has one. Raise ValueError, or OverflowError.

    >>> read_iso("2026-01-01T24:00:00Z").isoformat(), read_iso("2016-12-31T23:59:60").isoformat()
    ('2026-01-02T00:00:00+00:00', '2017-01-01T00:00:00')
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        if end := _END_OF_DAY.fullmatch(text):
            return datetime.fromisoformat(f"{end[1]}00{end[2]}") + timedelta(days=1)
        if leap := _LEAP_SECOND.fullmatch(text):
            return datetime.fromisoformat(f"{leap[1]}59{leap[3]}") + timedelta(seconds=1)
        raise
