"""Answer what conditions ask about one visitor (`agents.rules.facts`), from Behavior's state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from math import fsum
from typing import Any
from zoneinfo import ZoneInfo

from agents.behavior_bot.knowing import (
    changed_at,
    may_email,
    place_of,
    presence_of,
    trait_of,
    zone_of,
)
from agents.behavior_bot.orders import orders_value
from agents.behavior_bot.sessions import present
from agents.behavior_bot.state import DAY_SECONDS, BehaviorState, InCart, Tally
from agents.behavior_bot.tallies import hour_of
from agents.rules.compiled import PURCHASE_EVENTS, ScoreRule
from agents.rules.facts import Cart
from agents.rules.watches import Mark, PageAsked, ViewsAsked, Watch

MAIL_FACTS = frozenset({"mail_opened", "mail_clicked"})
"""Of these, conditions count only what a human probably did."""


class VisitorFacts:
    """Look at one visitor's state at one moment."""

    __slots__ = (
        "_consent",
        "_depth",
        "_may_email",
        "_now",
        "_pages",
        "_places",
        "_recent",
        "_scores",
        "_standing",
        "_state",
        "_value",
        "_zone",
        "asked",
        "ends",
        "visitor_id",
        "worked_out",
    )

    def __init__(
        self,
        visitor: str,
        state: BehaviorState,
        now: float,
        scores: Mapping[str, ScoreRule],
        consent: str,
    ) -> None:
        self.visitor_id = visitor
        self._state = state
        self._now = now
        self._scores = scores
        self._consent = consent
        self._depth = -1
        self._value: float | None = None
        self._may_email: bool | None = None
        self._zone: tzinfo | None = None
        self.asked: dict[str, tuple[datetime, bool]] = {}
        self.ends: dict[str, tuple[datetime, datetime | None]] = {}
        self.worked_out: dict[str, datetime | None] = {}
        self._pages: dict[str, int] = {}
        """Question -> pages of the session that it means: several cohorts ask for the same ones."""
        self._places: dict[str, str] = {}
        """Field -> what is known of it: a cohort for each country asks for the same one."""
        self._standing: dict[str, tuple[datetime, float]] = {}
        """Score -> (moment, value): a cohort's test and its `until` ask for the same one."""
        self._recent: dict[tuple[str, datetime], int] = {}
        """(Event, since) -> count: cohorts ask for the same event in windows of the same length."""

    @property
    def lifecycle(self) -> str:
        """Return `unknown`, `lead` or `customer`."""
        if self._state.orders_count:
            return "customer"
        return "lead" if self._state.email is not None or self._state.user_ids else "unknown"

    @property
    def email_known(self) -> bool:
        """Say whether an e-mail address is known."""
        return self._state.email is not None

    @property
    def user_id_known(self) -> bool:
        """Say whether a user id is known."""
        return bool(self._state.user_ids)

    @property
    def may_email(self) -> bool:
        """Say whether marketing may be written to the address."""
        if self._may_email is None:
            self._may_email = may_email(self._state, self._consent)
        return self._may_email

    @property
    def orders(self) -> int:
        """Return how many orders were counted."""
        return self._state.orders_count

    @property
    def order_value(self) -> float:
        """Return the value of all orders in the visitor's own currency, less what was given back of them."""
        if self._value is None:
            self._value = orders_value(self._state)
        return self._value

    @property
    def session_number(self) -> int:
        """Return which session of this visitor it is."""
        return self._state.sessions_before + len(self._state.sessions)

    @property
    def session_depth(self) -> int:
        """Return how many pages were viewed in the present session."""
        if self._depth < 0:
            span = present(self._state, self._now)
            self._depth = span.depth if span is not None else 0
        return self._depth

    def session_pages(self, views: ViewsAsked) -> int:
        """Count the pages of the present session that are meant.

        Of what was not counted as it came (nobody asked yet, or an older product kept the state) the newest pages tell:
        never more than there were.
        """
        known = self._pages.get(views.id)
        if known is None:
            known, span = 0, present(self._state, self._now)
            if span is not None:
                newest = [path for at, path in self._state.pages if at >= span.start]
                seen = sum([_holds_any(path, views.texts) for path in newest])
                known = max(seen, span.viewed.get(views.id, 0))
            self._pages[views.id] = known
        return known

    def trait(self, name: str) -> Any:
        """Return a trait, None if it is not known."""
        return trait_of(self._state, name)

    def changed_at(self, trait: str) -> datetime | None:
        """Return since when a trait has another value than before, None if that is not known."""
        at = changed_at(self._state, trait)
        return datetime.fromtimestamp(at, UTC) if at is not None else None

    def zone(self) -> tzinfo:
        """Return the visitor's time zone, UTC if it is not known."""
        if self._zone is None:
            name = zone_of(self._state)
            self._zone = ZoneInfo(name) if name else UTC
        return self._zone

    def presence(self, now: datetime) -> str:
        """Return the social presence: `found`, `none`, `awaited` or `unknown`."""
        return presence_of(self._state, now.timestamp())

    def presence_until(self, now: datetime) -> datetime | None:
        """Return when an awaited presence becomes unknown; None if it is not awaited."""
        if self.presence(now) != "awaited":
            return None
        return datetime.fromtimestamp(self._state.social_until, UTC)

    def place(self, field: str) -> str:
        """Return `country`, `city`, `locale`, `referrer` or `search_term`; empty if unknown."""
        known = self._places.get(field)
        if known is None:
            known = self._places[field] = place_of(self._state, field)
        return known

    def campaign(self, field: str) -> str:
        """Return a field of the last campaign; empty if none."""
        stamp = self._state.places.get("campaign")
        return str(stamp.value.get(field, "")) if stamp is not None else ""

    @property
    def session_seconds(self) -> float:
        """Return how long the present session lasts, 0 when there is none."""
        span = present(self._state, self._now)
        return span.last - span.start if span is not None else 0.0

    @property
    def cart(self) -> Cart:
        """Return what was put into the cart, and not taken out, since the last purchase."""
        bought = max((self._last(event) for event in PURCHASE_EVENTS), default=0.0)
        return in_cart([entry for entry in self._state.cart if entry.at > bought])

    def entered(self, path: str) -> datetime | None:
        """Return when the newest run of a path began, as far as a question of its flow asks."""
        at = self._state.entered.get(path)
        return datetime.fromtimestamp(at, UTC) if at is not None else None

    def known_since(self, what: str) -> datetime | None:
        """Return `first_seen`, `last_seen` or `last_order`, None if it never was."""
        state = self._state
        match what:
            case "first_seen":
                at = state.first_seen
            case "last_seen":
                at = state.sessions[-1].last if state.sessions else 0.0
            case _:
                at = max((order.at for order in state.orders.values()), default=0.0)
        return datetime.fromtimestamp(at, UTC) if at else None

    def machine(self, event: str) -> int:
        """Count the opens or clicks that were judged to be a machine's."""
        tally = self._state.tallies.get(event)
        waiting = sum(answer.kind == event for answer in self._state.waiting)
        return tally.count - tally.human - waiting if tally is not None else 0

    def counter(self, event: str) -> int:
        """Return how often an event was counted, ever."""
        tally = self._state.tallies.get(event)
        if tally is None:
            return 0
        return tally.human if event in MAIL_FACTS else tally.count

    def last(self, event: str) -> datetime | None:
        """Return when an event last happened, None if never."""
        at = self._last(event)
        return datetime.fromtimestamp(at, UTC) if at else None

    def _last(self, event: str) -> float:
        tally = self._state.tallies.get(event)
        return tally.last if tally is not None else 0.0

    def first(self, event: str) -> datetime | None:
        """Return when an event first happened, None if never."""
        tally = self._state.tallies.get(event)
        if tally is None or not tally.first:
            return None
        return datetime.fromtimestamp(tally.first, UTC)

    def recent(self, event: str, since: datetime) -> int:
        """Count an event in the buckets that start at `since` or later."""
        known = self._recent.get((event, since))
        if known is None:
            tally = self._state.tallies.get(event)
            known = _since(tally, since.timestamp()) if tally is not None else 0
            self._recent[event, since] = known
        return known

    def marks(self, watch: Watch) -> Sequence[Mark]:
        """Return the newest bounded marks of a watch, in the order of time."""
        return self._state.marks.get(watch.id, ())

    def looked(self, page: PageAsked, since: datetime | None) -> int:
        """Count the pages that are meant, in the buckets that start at `since` or later; None: ever."""
        tally = self._state.looked.get(page.id)
        if tally is None:
            return 0
        return tally.count if since is None else _since(tally, since.timestamp())

    def score(self, name: str, now: datetime) -> float:
        """Return a score, decayed to `now` and cut at its cap."""
        known = self._standing.get(name)
        if known is not None and known[0] is now:
            return known[1]
        rule, points = self._scores.get(name), self._state.scores.get(name)
        if rule is None or points is None:
            return 0.0
        value = standing(points.value, points.at, rule, now.timestamp())
        self._standing[name] = (now, value)
        return value

    def probability(self, of: str) -> float | None:
        """Return a predicted probability as it was last worked out, None if there is none."""
        chance = self._state.chances.get(of)
        return chance.value if chance is not None else None


def in_cart(entries: Iterable[InCart]) -> Cart:
    """Return what is left of what was put in and taken out, at each product's newest price."""
    pieces: dict[str, int] = {}
    newest: dict[str, InCart] = {}
    for entry in entries:
        pieces[entry.product] = pieces.get(entry.product, 0) + entry.quantity
        newest[entry.product] = entry
    held = [newest[product] for product, count in pieces.items() if count > 0]
    return Cart(
        items=sum(pieces[entry.product] for entry in held),
        value=fsum(pieces[entry.product] * entry.price for entry in held),
        words=frozenset(word for entry in held for word in entry.words),
    )


@lru_cache(maxsize=8_192)
def _holds_any(path: str, texts: tuple[str, ...]) -> bool:
    """Say whether a path contains any of some texts. Sites have few paths, and each is asked for at each page."""
    return any(text in path for text in texts)


def standing(value: float, at: float, rule: ScoreRule, now: float) -> float:
    """Return what points of a moment are worth now."""
    if rule.half_life_days is not None:
        value *= faded(now - at, rule.half_life_days)
    return value if rule.cap is None else min(value, rule.cap)


def faded(seconds: float, half_life_days: float) -> float:
    """Return which part of points is left after some time.

    >>> faded(86400.0, 1.0)
    0.5
    """
    return 1.0 if seconds <= 0 else float(0.5 ** (seconds / (half_life_days * DAY_SECONDS)))


def _since(tally: Tally, start: float) -> int:
    """Sum the hours from a start on."""
    if tally.last < start:
        return 0
    first = hour_of(start)
    return sum([count for hour, count in tally.hours.items() if hour >= first])
