"""Say what a person is told of an alert, the same by every channel. Pure.

A *notice* is one alert told by one channel. The shard that raises an alert queues its notices in the same commit
(table `notices`); what became of each stands in `deliveries`, which only the notifier writes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from messaging.vocabulary.effects import HARM
from messaging.vocabulary.ids import derive
from messaging.vocabulary.records import place_of_test

CHANNELS = ("email", "webhook")

HISTORY_LINES_MAX = 20

NOT_BY_SHARES = (
    "Nothing can be concluded from this test: no winner is named, and everybody gets the rules' default. Look for a "
    "variant that cannot be sent, and mend it. Other variants, shares or another salt begin a new test."
)
"""What is to be done about a split test whose visitors do not come by its shares."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one alert as it is told. Names and addresses stay at home: whoever is told may look them up."""

    id: str
    """Derived, so that a repeat after a crash says the same id and the receiver knows it."""
    alert: str
    kind: str
    path: str
    run: str
    visitor: str
    """Empty where it is about a policy."""
    raised_at: datetime
    history: list[dict[str, Any]]
    """What was tried; of a split test, what was expected of each variant and what was seen; of learning that was
    taken back, each measure with learning and by the rules."""
    url: str
    """Where the admin API shows the open alerts."""
    page: str
    """Where the console shows the alert."""
    visitor_page: str
    """Where the console shows the visitor; empty where it is about a policy."""
    policy: str = ""
    """The policy it is about, where that is no visitor."""
    test_page: str = ""
    """Where the console shows the split test that it is about."""
    learning_page: str = ""
    """Where the console shows what was learned, where it was taken back."""


def notice_id(alert: str, channel: str) -> str:
    """Return the id of the notice of an alert by a channel."""
    return f"{alert}:{channel}"


def notice_of(alert: dict[str, Any], channel: str, base_url: str) -> Notice:
    """Return what is told of a row of the table `alerts`."""
    visitor, policy = alert["visitor"], alert.get("policy", "")
    place = f"&visitor={visitor}" if visitor else f"&path={quote(alert['path'], safe='')}"
    if not visitor and not alert["path"]:
        place = ""  # what was learned of hours is of no path
    return Notice(
        id=derive("notice", alert["id"], channel),
        alert=alert["id"],
        kind=alert["kind"],
        path=alert["path"],
        run=alert["run"],
        visitor=visitor,
        raised_at=alert["at"],
        history=alert["history"][-HISTORY_LINES_MAX:],
        url=f"{base_url}/api/v1/alerts?status=open{place}",
        page=f"{base_url}/console/alerts?status=open#a-{alert['id']}",
        visitor_page=f"{base_url}/console/visitors/{visitor}" if visitor else "",
        policy=policy,
        test_page=f"{base_url}/console/experiments" if any(place_of_test(policy)) else "",
        learning_page=f"{base_url}/console/learning#guard-h" if alert["kind"] == HARM else "",
    )


def by_share(row: dict[str, Any]) -> str:
    r"""Return a variant of such a test in words, empty for a line of another alert's history.

    >>> by_share({"template": "a", "share": 0.5, "expected": 300.5, "seen": 401})
    'a: 401 visitors, 300.5 expected by its share of 50\xa0%'
    """
    if "expected" not in row or "seen" not in row:
        return ""
    visitors = "visitor" if row["seen"] == 1 else "visitors"
    expected = f"{row['expected']:,.1f}".removesuffix(".0")
    share = f"{100 * row['share']:.1f}".removesuffix(".0")
    return f"{row['template']}: {row['seen']:,} {visitors}, {expected} expected by its share of {share}\u00a0%"


def body_of(notice: Notice) -> bytes:
    """Return the webhook's body: https://www.standardwebhooks.com asks for type, timestamp and data."""
    data = msgspec.to_builtins(notice, builtin_types=(datetime,))
    del data["id"]
    document = {"type": "alert.opened", "timestamp": notice.raised_at, "data": data}
    return msgspec.json.encode(document, enc_hook=str)
