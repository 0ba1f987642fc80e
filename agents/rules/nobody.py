"""Answer what conditions ask about somebody of whom nothing is known yet: what holds then holds of a new visitor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from agents.rules.facts import Cart
from agents.rules.watches import Mark, PageAsked, ViewsAsked, Watch


class Nobody:
    """Know nothing."""

    visitor_id = ""
    lifecycle = "unknown"
    email_known = False
    user_id_known = False
    may_email = False
    orders = 0
    order_value = 0.0
    session_number = 0
    session_depth = 0
    session_seconds = 0.0
    cart = Cart(0, 0.0, frozenset())

    def __init__(self) -> None:
        self.asked: dict[str, tuple[datetime, bool]] = {}
        self.ends: dict[str, tuple[datetime, datetime | None]] = {}
        self.worked_out: dict[str, datetime | None] = {}

    def session_pages(self, views: ViewsAsked) -> int:
        """Return 0."""
        del views
        return 0

    def trait(self, name: str) -> None:
        """Return None: it is not known."""
        del name

    def entered(self, path: str) -> None:
        """Return None: never."""
        del path

    def known_since(self, what: str) -> None:
        """Return None: never."""
        del what

    def first(self, event: str) -> None:
        """Return None: never."""
        del event

    def last(self, event: str) -> None:
        """Return None: never."""
        del event

    def changed_at(self, trait: str) -> None:
        """Return None: never."""
        del trait

    def presence_until(self, now: datetime) -> None:
        """Return None: nothing is awaited."""
        del now

    def probability(self, of: str) -> None:
        """Return None: nothing was learned."""
        del of

    def zone(self) -> tzinfo:
        """Return UTC."""
        return UTC

    def presence(self, now: datetime) -> str:
        """Return `unknown`."""
        del now
        return "unknown"

    def place(self, field: str) -> str:
        """Return nothing."""
        del field
        return ""

    def campaign(self, field: str) -> str:
        """Return nothing."""
        del field
        return ""

    def counter(self, event: str) -> int:
        """Return 0."""
        del event
        return 0

    def machine(self, event: str) -> int:
        """Return 0."""
        del event
        return 0

    def recent(self, event: str, since: datetime) -> int:
        """Return 0."""
        del event, since
        return 0

    def marks(self, watch: Watch) -> Sequence[Mark]:
        """Return none."""
        del watch
        return ()

    def looked(self, page: PageAsked, since: datetime | None) -> int:
        """Return 0."""
        del page, since
        return 0

    def score(self, name: str, now: datetime) -> float:
        """Return 0."""
        del name, now
        return 0.0
