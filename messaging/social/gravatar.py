"""Ask Gravatar for the profile of an address, by its SHA-256 (https://docs.gravatar.com/rest-api/).

The address itself does not leave: what is sent is the hash of the trimmed, lower-cased address.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from messaging.social.fetch import Fetcher
from messaging.social.outcomes import FAILED, FOUND, NOBODY, NOT_THERE, Asked, Told, Unanswered
from messaging.social.reading import past_moment_of, text_of

ACCEPT = "application/json"


def hash_of(address: str) -> str:
    """Return Gravatar's name for an address.

    >>> hash_of(" MyEmailAddress@example.com ")[:16]
    '84059b07d4be67b8'
    """
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()


async def ask(fetcher: Fetcher, base: str, address: str, now: datetime, asked: Asked) -> Told:
    """Return what Gravatar says. Raise Unanswered."""
    page = await fetcher.get(f"{base}/profiles/{hash_of(address)}", ACCEPT, asked)
    if page.status in NOT_THERE:
        return Told(NOBODY)
    if page.status != 200:
        raise Unanswered(FAILED, f"status {page.status}")
    return read(page.document, now)


def read(document: Any, now: datetime) -> Told:
    """Return what a profile says. Raise Unanswered where it is none.

    >>> read({"hash": "84059b", "job_title": "Baker"}, datetime(2026, 1, 1)).kind
    'professional'
    """
    if not isinstance(document, dict) or not text_of(document.get("hash")):
        raise Unanswered(FAILED, "not a profile")
    at_work = text_of(document.get("job_title")) or text_of(document.get("company"))
    kind = "professional" if at_work else "personal"
    return Told(FOUND, kind, None, past_moment_of(document.get("last_profile_edit"), now))
