"""Keep the audit log: who changed what, and when; one row for each change that a person made.

Rules
1. Times are real time, not world time: people act in the real world, at whatever speed the other one goes.
2. No address and no text of others stands in a row. Whom it is about is the field `visitor`, so that an erasure
   finds it; what is left of the row then says what was done, and not for whom.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime

import msgspec

from messaging.ports import Store

AUDIT_LOG = "audit_log"
CLI = "cli"
"""Stands for who is on the machine."""

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Say one change.

    Parameters:
        by: the user; `admin` for whoever has the admin token, `cli` for who is on the machine.
        act: `alert.resumed`, `hand_overs.paused`, `rules.published`, …
        of: what was changed: an alert, a path, a version.
        visitor: whom it is about, if it is about one.
        said: more of it, in words.
    """

    by: str
    act: str
    of: str = ""
    visitor: str = ""
    said: str = ""


def without_addresses(text: str) -> str:
    """Return what somebody wrote (a basis of consent, the name of a file) as it may stand in a row.

    >>> without_addresses("asked for it by phone, ann@example.com")
    'asked for it by phone, (an address)'
    """
    return _ADDRESS.sub("(an address)", text)


async def note(store: Store, change: Change, at: datetime) -> None:
    """Write a change down once it is done."""
    # Drawn: two equal changes are two rows.
    await store.put_document(
        AUDIT_LOG, secrets.token_hex(12), {"at": at, **msgspec.to_builtins(change)}
    )
