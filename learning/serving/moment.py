"""Fix what a probability may be guessed from: what the bots know of one visitor at one moment, as numbers.

Rules
1. Only what was known then: nothing that time or a later event adds. Outcomes stand elsewhere.
2. No calendar: a month that was good is no property of a visitor.
3. What is unknown is NaN. A model says itself what it makes of that.
4. A feature's words are for people; its value stands behind them in brackets.
5. Nothing that a marketer's edit changes (scores, cohorts, stages): a model learned from last month's rules would
   read this month's wrongly.
"""

from __future__ import annotations

import math

import msgspec

NEVER = math.nan


class Moment(msgspec.Struct, kw_only=True):
    """Hold one visitor at one moment. Times are days before it; NaN where a thing never happened."""

    days_known: float = NEVER
    """Since the first event."""
    days_since_seen: float = NEVER
    days_since_opened: float = NEVER
    days_since_clicked: float = NEVER
    days_since_cart: float = NEVER
    days_since_sent: float = NEVER
    sessions: float = 0.0
    pages: float = 0.0
    pages_7_days: float = 0.0
    pages_30_days: float = 0.0
    products: float = 0.0
    assist_pages: float = 0.0
    """Of the pages that are remembered: specification, wish-list, help, returns."""
    carts: float = 0.0
    checkouts: float = 0.0
    depth_last: float = 0.0
    """Pages of the newest session."""
    depth_max: float = 0.0
    opens: float = 0.0
    opens_30_days: float = 0.0
    clicks: float = 0.0
    clicks_30_days: float = 0.0
    sends: float = 0.0
    """Of those that are remembered."""
    answers: float = 0.0
    talks: float = 0.0
    may_email: float = 0.0


FEATURES: dict[str, str] = {
    "days_known": "days since the first visit",
    "days_since_seen": "days since they were last seen",
    "days_since_opened": "days since they last opened an e-mail",
    "days_since_clicked": "days since they last followed a link of an e-mail",
    "days_since_cart": "days since something was last put in the cart",
    "days_since_sent": "days since they were last written to",
    "sessions": "number of visits",
    "pages": "pages viewed in all",
    "pages_7_days": "pages viewed in 7 days",
    "pages_30_days": "pages viewed in 30 days",
    "products": "products looked at",
    "assist_pages": "pages that help to decide",
    "carts": "products put in the cart",
    "checkouts": "checkouts begun",
    "depth_last": "pages of the last visit",
    "depth_max": "pages of the longest visit",
    "opens": "e-mails opened",
    "opens_30_days": "e-mails opened in 30 days",
    "clicks": "links of e-mails followed",
    "clicks_30_days": "links of e-mails followed in 30 days",
    "sends": "e-mails sent of late",
    "answers": "forms answered",
    "talks": "invitations to talk taken up",
    "may_email": "whether they may be written to",
}
"""Feature -> what it is, in the order of a model's inputs."""

YES_OR_NO = frozenset({"may_email"})
IN_DAYS = frozenset(name for name in FEATURES if name.startswith("days_"))


def inputs_of(moment: Moment) -> list[float]:
    """Return a moment as a model reads it, in the order of `FEATURES`.

    >>> len(inputs_of(Moment())) == len(FEATURES)
    True
    """
    return [float(getattr(moment, name)) for name in FEATURES]
