"""Say what a condition may ask about one visitor. Behavior's state answers.

Rules
1. Every answer is about the moment of asking and costs no more than a look into a small table.
2. Windows are made of whole buckets (`agents.rules.windows`): `since` is always the start of an hour (UTC), and
   `recent` counts the hours that start at `since` or later. It need not count to more than `COUNTED_MAX`.
3. Names of events are those of `track` calls as they came ("Product Added"). What is no track call
   is counted under these names: `page`, `screen`, and, only where a human probably did it (one half
   or more), `mail_opened` and `mail_clicked`. A track call of such a name is `track:` and that name (`naming`).
4. Kinds, for `CompiledRules.cohorts_touched` and `ScoreRule.points`, are `track:<event name>`, and
   `page` `screen` `identify` `group` `alias` `mail_opened` `mail_clicked` `unsubscribed` `bounced`
   `complained` for what they say; `purchase` (an order was counted otherwise than by one of the
   purchase events, or is worth less by a refund); `session` (one began, ended, or was joined to
   another); `merge` (everything may have changed); `engagement_shown` and the like (see 5);
   `probability` (a predicted probability was worked out anew); `machine` (an open or click was judged to be one's).
   Whatever call it came by: `who` (an id, the address or a consent changed), `trait:<name>` (a trait did),
   `place:<field>` (zone, country, city, locale, device, campaign, referrer or search term did, by a context), `social`
   (nothing is awaited any more),
   `mark:<watch>` (its marks did), `page:<id>` (the count of the pages that a rule means did), `score:<name>:<bound>` (a
   score may have passed it), `born` (a visitor is met first), `run:<path>` (a run began), `time` (only time passed).
   `turn:<trait>`, `views:<id>` and `cart:kept` never happen: by them a condition names what it looks at
   (`agents.rules.keeping`).
5. An answer to an interaction is counted under `engagement_<answer>:<type>`; its kind is `engagement_<answer>`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any, NamedTuple, Protocol

from agents.rules.watches import Mark, PageAsked, ViewsAsked, Watch

LISTS = "lists."
"""Begins the names under which static lists are asked for as traits; no trait is kept by such a name."""


class Cart(NamedTuple):
    """Hold what lies in a cart."""

    items: int
    value: float
    words: frozenset[str]
    """Ids, SKUs, names and categories of its products."""


class Facts(Protocol):
    """Answer what conditions ask about one visitor."""

    asked: dict[str, tuple[datetime, bool]]
    """Cohort -> (moment, whether it held): what is asked again at the same moment is not worked out again."""
    ends: dict[str, tuple[datetime, datetime | None]]
    """Cohort -> (moment, when time alone may change it)."""
    worked_out: dict[str, datetime | None]
    """What was worked out from marks, which no time changes: several conditions ask for the same."""

    @property
    def visitor_id(self) -> str:
        """Return the visitor's id: shares are drawn by it."""
        ...

    @property
    def lifecycle(self) -> str:
        """Return `unknown`, `lead` (known by address or user id) or `customer` (has an order)."""
        ...

    @property
    def email_known(self) -> bool:
        """Say whether an e-mail address is known."""
        ...

    @property
    def user_id_known(self) -> bool:
        """Say whether a user id is known."""
        ...

    @property
    def may_email(self) -> bool:
        """Say whether marketing may be written: consent in force, no refusal, no hard bounce."""
        ...

    @property
    def orders(self) -> int:
        """Return how many orders were counted."""
        ...

    @property
    def order_value(self) -> float:
        """Return the value of all orders in the visitor's own currency, less what was given back of them."""
        ...

    @property
    def session_number(self) -> int:
        """Return which session of this visitor it is: 1 for the first, 0 before it."""
        ...

    @property
    def session_depth(self) -> int:
        """Return how many pages were viewed in the present session, 0 when there is none."""
        ...

    def session_pages(self, views: ViewsAsked) -> int:
        """Count the pages of the present session that are meant."""
        ...

    def trait(self, name: str) -> Any:
        """Return a trait (text, number or yes/no), None if it is not known."""
        ...

    def changed_at(self, trait: str) -> datetime | None:
        """Return since when a trait has another value than before; None: it never changed, or is not known."""
        ...

    def zone(self) -> tzinfo:
        """Return the visitor's time zone, UTC if it is not known."""
        ...

    def presence(self, now: datetime) -> str:
        """Return the social presence: `found`, `none`, `awaited` or `unknown`."""
        ...

    def presence_until(self, now: datetime) -> datetime | None:
        """Return when an awaited presence becomes unknown; None if it is not awaited."""
        ...

    def place(self, field: str) -> str:
        """Return `country`, `city` or `locale`, from traits or else the last context; empty if unknown.

        `device` is `phone`, `tablet` or `desktop`, by the last context.

        Also `referrer` and `search_term`: by which site, and by which words, they last came from elsewhere.
        """
        ...

    def campaign(self, field: str) -> str:
        """Return `source`, `medium`, `name`, `term` or `content` of the last campaign they came by; empty if none."""
        ...

    @property
    def session_seconds(self) -> float:
        """Return how long the present session lasts, by its first and latest activity; 0 when there is none."""
        ...

    @property
    def cart(self) -> Cart:
        """Return what lies in the cart, purchases and the age of the cart aside."""
        ...

    def entered(self, path: str) -> datetime | None:
        """Return when the newest run of a path began, as far as a question of its flow asks; None: it did not."""
        ...

    def known_since(self, what: str) -> datetime | None:
        """Return `first_seen`, `last_seen` or `last_order`, None if it never was."""
        ...

    def machine(self, event: str) -> int:
        """Count those of `mail_opened` or `mail_clicked` that were judged to be a machine's, ever."""
        ...

    def counter(self, event: str) -> int:
        """Return how often an event was counted, ever."""
        ...

    def first(self, event: str) -> datetime | None:
        """Return when an event first happened, None if never."""
        ...

    def last(self, event: str) -> datetime | None:
        """Return when an event last happened, None if never."""
        ...

    def recent(self, event: str, since: datetime) -> int:
        """Count an event in the buckets that start at `since` or later."""
        ...

    def marks(self, watch: Watch) -> Sequence[Mark]:
        """Return the newest bounded marks of a watch, in the order of time."""
        ...

    def looked(self, page: PageAsked, since: datetime | None) -> int:
        """Count the pages that are meant, in the buckets that start at `since` or later; None: ever."""
        ...

    def score(self, name: str, now: datetime) -> float:
        """Return a score, decayed to `now` and cut at its cap; 0 if nothing was scored."""
        ...

    def probability(self, of: str) -> float | None:
        """Return how likely a lead becomes an `opportunity` or a `customer`; None: not known, or no lead."""
        ...
