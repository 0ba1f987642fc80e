"""Say a moment in plain words, alike on every page and at the console."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
"""Not by the machine's locale: the words around them are English."""


def in_words(at: datetime) -> str:
    """Return a moment in UTC; without a zone it is taken as UTC.

    >>> in_words(datetime.fromisoformat("2026-11-26T15:00:00+01:00"))
    'Thu 26 Nov 2026, 14:00 UTC'
    """
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return f"{DAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def header_in_words(date: str) -> str:
    """Return what the Date of an e-mail says (RFC 5322, 3.3); what is no date stands as it was written.

    >>> header_in_words("Thu, 26 Nov 2026 15:00:30 +0100"), header_in_words("soon")
    ('Thu 26 Nov 2026, 14:00 UTC', 'soon')
    """
    try:
        return in_words(parsedate_to_datetime(date))
    except (ValueError, OverflowError, TypeError):
        return date
