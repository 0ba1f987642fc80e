"""Tell what a list of events says of a visitor, each time from the beginning: no state, no order of arrival."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.rules.facts import Cart
from agents.rules.watches import PATH
from tests.naive_rules import ListedFacts

IDLE = timedelta(minutes=30)
JUDGED_AFTER = timedelta(seconds=2)
"""A click waits so long for the others of a scanner."""
POINTS = {"page": 1.0, "Product Added": 5.0}


@dataclass(frozen=True)
class Happened:
    """Hold one event: what, when, and when it was taken."""

    number: int
    kind: str
    """`page`, `track`, `identify`, `opened`, `clicked` or `submitted`."""
    at: datetime
    taken_at: datetime
    name: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, Any] = field(default_factory=dict)
    path: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    human: bool = True

    def counts(self, now: datetime) -> bool:
        """Say whether it is known by now, and done by a human."""
        return self.human and (self.kind != "clicked" or now >= self.taken_at + JUDGED_AFTER)

    @property
    def counted_as(self) -> str:
        """Return the name under which conditions count it."""
        return {
            "track": self.name,
            "opened": "mail_opened",
            "clicked": "mail_clicked",
            "submitted": "engagement_submitted:opinion_form",
        }.get(self.kind, self.kind)


def facts_at(now: datetime, happened: list[Happened], visitor: str) -> ListedFacts:
    """Return what is to be known at a moment of everything that was taken until then."""
    known = sorted((e for e in happened if e.counts(now)), key=lambda e: (e.at, e.number))
    calls = [e for e in known if e.kind in ("page", "track", "identify")]
    traits = _latest(calls, lambda e: e.traits)
    email = traits.pop("email", None)
    consent = traits.pop("email_consent", None)
    places = _latest(calls, _places)
    places |= {"city": traits["city"]} if "city" in traits else {}  # what they say goes first
    orders = {e.properties["order_id"]: e for e in calls if e.name == "Order Completed"}
    facts = ListedFacts(
        events=[(e.counted_as, e.at, _told(e)) for e in known],
        pages=[(e.path, e.at) for e in known if e.kind == "page"],
        traits=traits,
        places=places,
        campaigns=places.pop("campaign", {}),
        points=sum(
            POINTS.get(e.counted_as, 0.0) * 0.5 ** ((now - e.at) / timedelta(days=7)) for e in calls
        ),
        points_at=now,
        visitor_id=visitor,
        lifecycle="customer" if orders else "lead" if email else "unknown",
        email_known=email is not None,
        may_email=email is not None and consent is True,
        orders=len(orders),
        order_value=_order_value(list(orders.values())),
        zone_name=places.pop("zone", "UTC"),
        cart=_cart(calls),
        changes=_changes(calls, traits),
        machines={"mail_opened": sum(not e.human for e in happened)},
    )
    facts.since = {"first_seen": min(e.at for e in calls)} if calls else {}
    if orders:
        facts.since["last_order"] = max(e.at for e in orders.values())
    _visits(facts, [e for e in known if e.kind not in ("identify", "opened")], now)
    return facts


def _order_value(orders: list[Happened]) -> float:
    """Return the worth of the orders in the currency of the first that names one, those that name none included."""
    told = [(e.at, e.properties["currency"]) for e in orders if "currency" in e.properties]
    own = min(told)[1] if told else None
    return float(
        sum(e.properties["total"] for e in orders if e.properties.get("currency", own) == own)
    )


def _told(event: Happened) -> dict[str, Any]:
    return event.properties | ({PATH: event.path} if event.kind == "page" else {})


def _latest(events: list[Happened], told: Any) -> dict[str, Any]:
    """Return what was told last of each thing."""
    return {name: value for event in events for name, value in told(event).items()}


def _places(event: Happened) -> dict[str, Any]:
    context = event.context
    found = {"zone": context.get("timezone"), "locale": context.get("locale")}
    found |= {name: context.get("location", {}).get(name) for name in ("country", "city")}
    found["campaign"] = context.get("campaign")
    agent = context.get("userAgent")
    found["device"] = {"i": "phone", "X": "desktop"}[agent.partition("(")[2][0]] if agent else None
    if "page" in context and "referrer" in context["page"]:
        found |= {"referrer": "www.search.example/find", "search_term": "lamp"}
    return {name: value for name, value in found.items() if value is not None}


def _cart(calls: list[Happened]) -> Cart:
    bought = max((e.at for e in calls if e.name == "Order Completed"), default=None)
    pieces: dict[str, int] = {}
    for event in calls:
        sign = {"Product Added": 1, "Product Removed": -1}.get(event.name, 0)
        product = event.properties.get("product_id", "")
        if sign and (bought is None or event.at > bought):
            pieces[product] = pieces.get(product, 0) + sign
    held = {product: count for product, count in pieces.items() if count > 0}
    value = 10.0 * held.get("lamp", 0)
    return Cart(sum(held.values()), value, frozenset(product for product in held if product))


def _changes(calls: list[Happened], traits: dict[str, Any]) -> dict[str, datetime]:
    """Return since when each trait has its value; of one value told twice a day the first time counts."""
    found = {}
    for trait, value in traits.items():
        first: dict[tuple[Any, str], datetime] = {}
        for event in calls:
            if trait in event.traits:
                told = (event.at.astimezone(UTC).date(), str(event.traits[trait]))
                first.setdefault(told, event.at)
        others = [at for (_, text), at in first.items() if text != str(value)]
        if others:
            own = [
                at for (_, text), at in first.items() if text == str(value) and at >= max(others)
            ]
            found[trait] = min([*own] or [max(others)])
    return found


def _visits(facts: ListedFacts, active: list[Happened], now: datetime) -> None:
    """Cut activity into sessions: whatever is less than half an hour apart is one."""
    visits: list[list[Happened]] = []
    for event in active:
        if visits and event.at < visits[-1][-1].at + IDLE:
            visits[-1].append(event)
        else:
            visits.append([event])
    facts.session_number = len(visits)
    if not visits:
        return
    facts.since["last_seen"] = visits[-1][-1].at
    if now < visits[-1][-1].at + IDLE:
        paths = [event.path for event in visits[-1] if event.kind == "page"]
        facts.session_depth, facts.session_paths = len(paths), paths
        facts.session_seconds = (visits[-1][-1].at - visits[-1][0].at).total_seconds()
