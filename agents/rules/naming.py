"""Name what is counted: an event of a site is never taken for a fact of the product that is called so.

Rules
1. A fact is counted under its own name (`page`, `mail_clicked`). A `track` call is, too ("Product Added"), unless it is
   called like a fact: then under `track:` and its name, as points name it. Rules ask by what is counted.
2. What is no fact that is counted or told (`purchase`, `mail_sent`) is a name like any other.
"""

from __future__ import annotations

from itertools import product
from typing import get_args

from agents.rules.basics import InteractionType

TRACK = "track:"

OTHER = "…other"
"""Events whose names are not kept apart are counted under it."""

ENGAGEMENT = "engagement_"
"""Begins the names of what was done with an interaction."""

RESPONSES = ("shown", "clicked", "dismissed", "submitted")

HAPPENED = frozenset(
    {
        "page",
        "screen",
        "identify",
        "group",
        "alias",
        "mail_opened",
        "mail_clicked",
        "unsubscribed",
        "bounced",
        "complained",
    }
)
"""What a visitor does besides `track` calls and what is offered on the site."""

FACTS = HAPPENED | frozenset(
    {
        OTHER,
        "address_confirmed",
        "mail_reported",
        "listed",
        "alert_settled",
        "entry_asked",
        "broadcast_ordered",
        "webhook_answered",
        "rules_published",
        "rules_filled",
        "letter_replayed",
        *(
            f"{response} {type_}"
            for response, type_ in product(RESPONSES, get_args(InteractionType))
        ),
    }
)
"""Names under which the product's own facts are counted or told, besides those that begin with `ENGAGEMENT`."""


def counted_as(event: str) -> str:
    """Return the name under which a `track` call is counted.

    >>> counted_as("Product Added"), counted_as("mail_clicked"), counted_as("purchase")
    ('Product Added', 'track:mail_clicked', 'purchase')
    """
    return TRACK + event if event in FACTS or event.startswith(ENGAGEMENT) else event


def own_event(counted: str) -> str | None:
    """Return the name of a site's event that is called like a fact, by what it is counted as; None: it is not.

    >>> own_event("track:mail_clicked"), own_event("mail_clicked"), own_event("track:Product Added")
    ('mail_clicked', None, None)
    """
    event = counted.removeprefix(TRACK)
    return event if event != counted and counted_as(event) == counted else None
