"""Say what a story is made of in words: bots, acts, times, values, e-mails and offers.

Rules
1. What is not known here is said by its own words.
2. What others wrote is shown (scripts/visible.py): nothing in it reaches the terminal as an order.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.rules.naming import ENGAGEMENT, own_event
from messaging.gateway.moments import in_words
from scripts.reasons import why
from scripts.visible import shown

Row = dict[str, Any]

TITLES = {
    "behavior": "Behavior",
    "social": "Social",
    "engagement": "Engagement",
    "email": "Email",
    "rules": "Rules Manager",
    "sales": "Sales",
    "learner": "Learner",
}
"""Bot -> its name as people say it."""

EVENTS = {
    "identify": "said who they are",
    "page": "viewed a page",
    "screen": "viewed a screen",
    "group": "joined a group",
    "alias": "got another user id",
    "mail_opened": "opened an e-mail",
    "mail_clicked": "clicked in an e-mail",
    "unsubscribed": "unsubscribed",
    "address_confirmed": "confirmed their address",
    "mail_reported": "an e-mail to them was reported",
    "listed": "was put on a list, or taken off one",
    "bounced": "an e-mail came back",
    "complained": "complained of an e-mail",
    "entry_asked": "was let onto a path by the API",
    "broadcast_ordered": "was reached by a broadcast",
    "webhook_answered": "another system answered about them",
}

TYPES = frozenset({"notice_bar", "opinion_form", "chat_invitation", "exit_offer"})

RESPONSES = {"shown": "saw", "clicked": "took up", "dismissed": "closed", "submitted": "answered"}
"""What was done with an interaction, followed by its type."""


def did(what: str) -> str:
    """Return what a visitor did.

    >>> did("shown opinion_form"), did("page"), did("mail_opened"), did("shown the way")
    ('saw the opinion form', 'viewed a page', 'opened an e-mail', 'did "shown the way"')
    >>> did("track:mail_opened"), did("engagement_clicked")
    ('did "mail_opened"', 'took up an offer')
    """
    if (own := own_event(what)) is not None:
        return f'did "{own}"'
    response, _, type_ = what.removeprefix(ENGAGEMENT).replace(":", " ", 1).partition(" ")
    if response in RESPONSES and type_ in TYPES:
        return f"{RESPONSES[response]} the {type_.replace('_', ' ')}"
    if response in RESPONSES and what == ENGAGEMENT + response:
        return f"{RESPONSES[response]} an offer"
    return EVENTS.get(what, f'did "{what}"')


def moment(value: Any) -> str:
    """Return a time in UTC.

    >>> moment("2026-11-26T14:00:00Z")
    'Thu 26 Nov 2026, 14:00 UTC'
    """
    return in_words(datetime.fromisoformat(str(value))) if value else "-"


def words(value: Any) -> str:
    """Return anything in words: names and values one after the other, never brackets.

    >>> words({"city": "Rio", "tags": ["a", "b"]}), words([]), words(True)
    ('city Rio, tags a + b', '-', 'yes')
    """
    if isinstance(value, dict):
        return ", ".join(f"{shown(name)} {words(each)}" for name, each in value.items()) or "-"
    if isinstance(value, list):
        return " + ".join(words(each) for each in value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in ("", None) else shown(value)


def order_of(row: Row) -> str:
    """Return which order a success e-mail is for.

    >>> order_of({"run": "A-1001"}), order_of({"run": "5c31", "is_unnamed": True})
    ('order A-1001', 'an order')
    """
    return "an order" if row.get("is_unnamed") else f"order {row['run']}"


def mail(row: Row) -> str:
    """Return which e-mail is spoken of."""
    if "template" not in row:
        return "an e-mail"
    if row.get("confirms") or row.get("step") == "confirm":
        return f"e-mail {row['template']} (asks to confirm the address)"
    if row.get("success") or row.get("step") == "success":
        return f"success e-mail {row['template']} for {order_of(row)}"
    return (
        f"e-mail {row['template']} (attempt {row['attempt']}, stage {row['stage']}{of_path(row)})"
    )


def of_path(row: Row) -> str:
    """Return of which path something is: a visitor may be on several with stages of one name."""
    return f" of {row['path']}" if row.get("path") else ""


def offer(row: Row) -> str:
    """Return which interaction is spoken of.

    >>> offer({"interaction": "opinion", "type": "opinion_form"})
    'opinion form "opinion"'
    """
    type_ = row.get("type") or row.get("interaction_type") or "interaction"
    return f'{type_.replace("_", " ")} "{row["interaction"]}"'


def held(row: Row) -> str:
    """Return until when an e-mail waits for what it lacks; empty: it does not, or nobody wrote that down.

    >>> held({"status": "planned", "until": "2026-11-26T14:00:00Z"})
    'waits until Thu 26 Nov 2026, 14:00 UTC'
    """
    is_held = row["status"] == "planned" and row.get("until")
    return f"waits until {moment(row['until'])}" if is_held else ""


def because(row: Row) -> str:
    """Return the reason of a row behind a colon; empty where it has none."""
    return f": {why(row['reason'])}" if row.get("reason") else ""
