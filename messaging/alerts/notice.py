"""Say what a person is told of an alert, the same by every channel. Pure.

A *notice* is one alert told by one channel. The shard that raises an alert queues its notices in the same commit
(table `notices`); what became of each stands in `deliveries`, which only the notifier writes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from messaging.vocabulary.ids import derive

CHANNELS = ("email", "webhook")

HISTORY_LINES_MAX = 20


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one alert as it is told. Names and addresses stay at home: whoever is told may look them up."""

    id: str
    """Derived, so that a repeat after a crash says the same id and the receiver knows it."""
    alert: str
    kind: str
    path: str
    run: str
    visitor: str
    raised_at: datetime
    history: list[dict[str, Any]]
    url: str
    """Where the admin API shows the open alerts."""
    page: str
    """Where the console shows the alert."""
    visitor_page: str
    """Where the console shows the visitor."""


def notice_id(alert: str, channel: str) -> str:
    """Return the id of the notice of an alert by a channel."""
    return f"{alert}:{channel}"


def notice_of(alert: dict[str, Any], channel: str, base_url: str) -> Notice:
    """Return what is told of a row of the table `alerts`."""
    return Notice(
        id=derive("notice", alert["id"], channel),
        alert=alert["id"],
        kind=alert["kind"],
        path=alert["path"],
        run=alert["run"],
        visitor=alert["visitor"],
        raised_at=alert["at"],
        history=alert["history"][-HISTORY_LINES_MAX:],
        url=f"{base_url}/api/v1/alerts?status=open&visitor={alert['visitor']}",
        page=f"{base_url}/console/alerts?status=open#a-{alert['id']}",
        visitor_page=f"{base_url}/console/visitors/{alert['visitor']}",
    )


def body_of(notice: Notice) -> bytes:
    """Return the webhook's body: https://www.standardwebhooks.com asks for type, timestamp and data."""
    data = msgspec.to_builtins(notice, builtin_types=(datetime,))
    del data["id"]
    document = {"type": "alert.opened", "timestamp": notice.raised_at, "data": data}
    return msgspec.json.encode(document, enc_hook=str)
