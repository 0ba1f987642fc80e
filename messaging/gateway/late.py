"""Say which e-mails wait for the mail server: one line, alike on every page, in the API and at the console.

Rule 1: nobody is named: of a server's words the addresses are left out (`messaging.mail.outcomes.told`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from messaging.gateway.moments import in_words
from messaging.mail.outcomes import DEFERRED, told
from messaging.ports import Store

ROWS_MAX = 200
"""Of so many that were tried the longest ago it is looked up since when: waits double, so the first is among them."""


class LateMail(msgspec.Struct, kw_only=True):
    """Say how many e-mails wait because the server was away, busy, or refused us."""

    count: int
    since: datetime
    """World time of the first try of whichever was tried first."""
    reason: str
    """Why the last try of any of them failed."""
    said: str
    """All of it in words."""


async def late_mail(store: Store) -> LateMail | None:
    """Return what waits to be handed over again; None: nothing does. Raise `Unavailable`."""
    wanted = {"status": DEFERRED}
    newest = await store.rows("sends", wanted, limit=1)
    if not newest:
        return None
    fields = ("at", "tried_since")
    oldest = await store.rows("sends", wanted, limit=ROWS_MAX, newest=False, only=fields)
    # Counted a moment later: they may all have gone out.
    count = max(1, await store.count("sends", wanted))
    since = min(map(_since, [*oldest, *newest]))
    reason = told(newest[0]["reason"])
    waits = "e-mail waits" if count == 1 else "e-mails wait"
    said = f"{count:,} {waits} for the mail server since {in_words(since)}; newest reason: {reason}"
    return LateMail(count=count, since=since, reason=reason, said=said)


async def late_said(store: Store) -> str:
    """Return the same in words alone; empty: nothing waits."""
    late = await late_mail(store)
    return late.said if late is not None else ""


def _since(row: dict[str, Any]) -> datetime:
    """Return when an e-mail was first tried; a row of an older version says the last try alone."""
    since: datetime = row.get("tried_since") or row["at"]
    return since
