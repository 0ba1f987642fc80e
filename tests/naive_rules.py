"""Evaluate conditions as their words say, from plain lists of events: slow, and obvious."""

from __future__ import annotations

import calendar
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from agents.protocol.draw import share
from agents.rules.event_models import MARKS_MAX
from agents.rules.facts import Cart
from agents.rules.values import same
from agents.rules.watches import PATH, Mark, PageAsked, ViewsAsked, Watch

HALF_LIFE_DAYS = 7.0
SOURCES = ("trait", "first", "last", "of")


@dataclass
class ListedFacts:
    """Answer from plain lists, as slowly as it is obvious."""

    events: list[tuple[str, datetime, dict[str, Any]]] = field(default_factory=list)
    pages: list[tuple[str, datetime]] = field(default_factory=list)
    traits: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    campaigns: dict[str, str] = field(default_factory=dict)
    points: float = 0.0
    points_at: datetime = datetime(2026, 3, 4, 15, 27, 31, tzinfo=UTC)
    chances: dict[str, float] = field(default_factory=dict)
    visitor_id: str = "v1"
    lifecycle: str = "unknown"
    email_known: bool = False
    user_id_known: bool = False
    may_email: bool = False
    orders: int = 0
    order_value: float = 0.0
    session_number: int = 0
    session_depth: int = 0
    session_paths: list[str] = field(default_factory=list)
    asked: dict[str, tuple[datetime, bool]] = field(default_factory=dict)
    ends: dict[str, tuple[datetime, datetime | None]] = field(default_factory=dict)
    worked_out: dict[str, datetime | None] = field(default_factory=dict)
    session_seconds: float = 0.0
    cart: Cart = field(default_factory=lambda: Cart(0, 0.0, frozenset()))
    changes: dict[str, datetime] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    machines: dict[str, int] = field(default_factory=dict)
    zone_name: str = "UTC"
    entered_at: datetime | None = None
    """When the run began in whose flow is asked."""
    asked_about_at: datetime | None = None
    """When Social was asked; it is awaited for ten minutes."""

    def presence(self, now: datetime) -> str:
        if "social_presence" in self.traits:
            return str(self.traits["social_presence"])
        return "awaited" if self.presence_until(now) is not None else "unknown"

    def presence_until(self, now: datetime) -> datetime | None:
        if self.asked_about_at is None or "social_presence" in self.traits:
            return None
        until = self.asked_about_at + timedelta(minutes=10)
        return until if now < until else None

    def probability(self, of: str) -> float | None:
        return self.chances.get(of)

    def session_pages(self, views: ViewsAsked) -> int:
        return sum(views.means(path) for path in self.session_paths)

    def trait(self, name: str) -> Any:
        return self.traits.get(name)

    def changed_at(self, trait: str) -> datetime | None:
        return self.changes.get(trait)

    def zone(self) -> tzinfo:
        return ZoneInfo(self.zone_name)

    def entered(self, path: str) -> datetime | None:
        return self.entered_at if path else None

    def known_since(self, what: str) -> datetime | None:
        return self.since.get(what)

    def machine(self, event: str) -> int:
        return self.machines.get(event, 0)

    def place(self, field: str) -> str:
        return self.places.get(field, "")

    def campaign(self, field: str) -> str:
        return self.campaigns.get(field, "")

    def counter(self, event: str) -> int:
        return sum(name == event for name, _, _ in self.events)

    def last(self, event: str) -> datetime | None:
        return max((at for name, at, _ in self.events if name == event), default=None)

    def recent(self, event: str, since: datetime) -> int:
        assert since.minute == since.second == since.microsecond == 0, "windows are whole buckets"
        return sum(name == event and at >= since for name, at, _ in self.events)

    def first(self, event: str) -> datetime | None:
        return min((at for name, at, _ in self.events if name == event), default=None)

    def marks(self, watch: Watch) -> list[Mark]:
        marks = [
            mark for name, at, had in self.events for mark in watch.marks(name, had, at.timestamp())
        ]
        return sorted(marks)[-MARKS_MAX:]

    def looked(self, page: PageAsked, since: datetime | None) -> int:
        return sum(page.means(path) and (since is None or at >= since) for path, at in self.pages)

    def score(self, name: str, now: datetime) -> float:
        assert name == "interest"
        days = (now - self.points_at) / timedelta(days=1)
        return self.points * 0.5 ** (days / HALF_LIFE_DAYS)


# --------------------------------------------------------------------------- the naive evaluator


def _in_window(facts: ListedFacts, at: datetime, now: datetime, asked: dict[str, Any]) -> bool:
    if asked.get("since_entry"):
        return facts.entered_at is not None and at > facts.entered_at
    hours = asked.get("within_hours", asked.get("within_days", 0) * 24)
    if not hours:
        return True
    first = datetime.fromtimestamp(now.timestamp() - hours * 3600, UTC)
    if hours <= 168:
        return at.timestamp() // 3600 >= first.timestamp() // 3600
    # A day begins with the UTC hour in which its midnight lies.
    day = first.astimezone(facts.zone()).date()
    midnight = datetime(day.year, day.month, day.day, tzinfo=facts.zone()).timestamp()
    return at.timestamp() >= midnight // 3600 * 3600


def _matching(facts: ListedFacts, asked: dict[str, Any] | str) -> Iterator[tuple[datetime, Any]]:
    """Give time and properties of the events that are so."""
    asked = {"name": asked} if isinstance(asked, str) else asked
    for name, at, had in facts.events:
        wanted = (asked.get("properties") or {}).items()
        if "page" in asked:
            path, page = had.get(PATH, ""), asked["page"]
            is_so = (
                path.startswith(page.get("starts_with", "")) and page.get("contains", "") in path
            )
            if name != "page" or not is_so:
                continue
        if name == asked.get("name", "page") and all(
            _value(had.get(key), each) for key, each in wanted
        ):
            yield at, had


def _count(facts: ListedFacts, asked: dict[str, Any], now: datetime) -> int:
    found = [had for at, had in _matching(facts, asked) if _in_window(facts, at, now, asked)]
    if "same" not in asked:
        return len(found)
    keys = Counter(str(had[asked["same"]]).lower() for had in found if asked["same"] in had)
    return max(keys.values(), default=0)


def _keyed(facts: ListedFacts, step: Any, key: str | None) -> list[tuple[str, datetime]]:
    found = [(had.get(key), at) for at, had in _matching(facts, step)]
    return [(str(value).lower(), at) for value, at in found if key is None or value is not None]


def _sequence(facts: ListedFacts, asked: dict[str, Any], now: datetime) -> bool:
    key = asked.get("same")
    span = timedelta(hours=asked.get("span_hours", 10**6))
    for way in itertools.product(*(_keyed(facts, step, key) for step in asked["steps"])):
        times = [at for _, at in way]
        rises = all(one < other for one, other in itertools.pairwise(times))
        is_one = key is None or len({each for each, _ in way}) == 1
        if (
            rises
            and is_one
            and times[-1] - times[0] <= span
            and _in_window(facts, times[-1], now, asked)
        ):
            return True
    return False


def _unfinished(facts: ListedFacts, asked: dict[str, Any], now: datetime) -> bool:
    key = asked.get("same")
    finished = _keyed(facts, asked["finish"], key)
    return any(
        not any(at < later and (key is None or each == other) for other, later in finished)
        and at + timedelta(hours=asked["after_hours"]) <= now
        and _in_window(facts, at, now, asked)
        for each, at in _keyed(facts, asked["start"], key)
    )


def _value(value: Any, asked: Any) -> bool:
    """Ask a value what a trait, a property or a place can be asked."""
    ((operator, wanted), *more) = asked.items() if isinstance(asked, dict) else [("equals", asked)]
    if operator == "exists":
        return (value is not None) == wanted
    if value is None:
        return False
    text = str(value).lower()
    match operator:
        case "equals":
            return same(value, wanted)
        case "in":
            return any(same(value, each) for each in wanted)
        case "contains":
            return wanted.lower() in text
        case "starts_with":
            return text.startswith(wanted.lower())
        case "ends_with":
            return text.endswith(wanted.lower())
        case "matches":
            return re.search(wanted, str(value), re.IGNORECASE) is not None
    bounds = dict([(operator, wanted), *more])
    if operator == "between":
        bounds = {"at_least": wanted[0], "at_most": wanted[1]}
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9.]+", text):
        return False
    return bounds.get("at_least", -math.inf) <= float(text) <= bounds.get("at_most", math.inf)


def _date_asked(facts: ListedFacts, asked: dict[str, Any], now: datetime) -> datetime | None:
    if "trait" in asked:
        text = facts.traits.get(asked["trait"], "")
        if not text.startswith("20"):
            return None
        at = datetime.fromisoformat(text)
        return at if at.tzinfo is not None else at.replace(tzinfo=facts.zone())
    if "first" in asked:
        return facts.first(asked["first"])
    if "last" in asked:
        return facts.last(asked["last"])
    return now if asked["of"] == "now" else facts.since.get(asked["of"])


def _date(facts: ListedFacts, asked: dict[str, Any], now: datetime) -> bool:
    at = _date_asked(facts, asked, now)
    if at is None:
        return False
    zone = facts.zone()
    today, day = now.astimezone(zone).date(), at.astimezone(zone).date()
    ((question, given),) = (item for item in asked.items() if item[0] not in SOURCES)
    match question:
        case "between":
            return date.fromisoformat(given[0]) <= day <= date.fromisoformat(given[1])
        case "before":
            return day < date.fromisoformat(given)
        case "after":
            return day > date.fromisoformat(given)
        case "in_last_hours":
            return timedelta(0) <= now - at < timedelta(hours=given)
        case "in_next_hours":
            return timedelta(0) < at - now <= timedelta(hours=given)
        case "in_last_days":
            return 0 <= (today - day).days <= given
        case "in_next_days":
            return 0 <= (day - today).days <= given
        case "days_after":
            return (today - day).days == given
        case "days_after_anniversary":
            return _returns(day, today - timedelta(days=given))
    return any(_returns(day, today + timedelta(days=ahead)) for ahead in range(given + 1))


def _returns(day: date, on: date) -> bool:
    leaps = (day.month, day.day) == (2, 29) and not calendar.isleap(on.year)
    return on >= day and (on.month, on.day) == ((2, 28) if leaps else (day.month, day.day))


def _clock(facts: ListedFacts, asked: dict[str, Any], now: datetime) -> bool:
    there = now.astimezone(facts.zone())
    if "weekdays" in asked and f"{there:%a}".lower() not in asked["weekdays"]:
        return False
    if "hours" not in asked:
        return True
    start, end = asked["hours"]["from"], asked["hours"]["to"]
    return there.hour in {hour % 24 for hour in range(start, end if start < end else end + 24)}


def _in_cart(facts: ListedFacts, now: datetime) -> bool:
    added = facts.last("Product Added")
    bought = facts.last("Order Completed")
    if added is None or (bought is not None and bought >= added):
        return False
    return now - added < timedelta(days=7)


def _looks(asked: dict[str, Any]) -> dict[str, Any]:
    """Say the same of the event that tells how long a page was seen."""
    path = {key: asked[key] for key in ("starts_with", "contains") if key in asked}
    seconds = {"at_least": asked["seconds_at_least"]}
    rest = {key: asked[key] for key in asked if key.startswith(("within", "at_least", "since"))}
    properties = {"path": path, "seconds_visible": seconds}
    return {"event": rest | {"name": "Page Left", "properties": properties}}


def naive(rule: dict[str, Any], facts: ListedFacts, now: datetime) -> bool:  # noqa: C901
    """Evaluate a condition as its words say."""
    ((operator, asked),) = rule.items()
    match operator:
        case "all":
            return all(naive(each, facts, now) for each in asked)
        case "any":
            return any(naive(each, facts, now) for each in asked)
        case "not":
            return not naive(asked, facts, now)
        case "lifecycle":
            return facts.lifecycle == asked
        case "known":
            return facts.email_known if asked == "email" else facts.user_id_known
        case "may_email":
            return facts.may_email == asked
        case "trait":
            if "changed" in asked:
                at = facts.changes.get(asked["name"])
                return at is not None and _in_window(facts, at, now, asked["changed"])
            rest = {key: each for key, each in asked.items() if key != "name"}
            return _value(facts.traits.get(asked["name"]), rest)
        case "in_list":
            return facts.traits.get(f"lists.{asked}") is True
        case "event":
            count = _count(facts, asked, now)
            return asked.get("at_least", 1) <= count <= asked.get("at_most", math.inf)
        case "sequence":
            return _sequence(facts, asked, now)
        case "unfinished":
            return _unfinished(facts, asked, now)
        case "date":
            return _date(facts, asked, now)
        case "clock":
            return _clock(facts, asked, now)
        case "cart":
            held = facts.cart
            enough = held.items >= asked.get("items_at_least", 1)
            low, high = asked.get("value_at_least", 0), asked.get("value_at_most", math.inf)
            wanted = asked.get("contains")
            found = wanted is None or any(_value(word, wanted) for word in held.words)
            return _in_cart(facts, now) and enough and low <= held.value <= high and found
        case "referrer" | "search_term" | "city":
            return _value(facts.places.get(operator), asked)
        case "not_event":
            return _count(facts, asked, now) == 0
        case "responded":
            if asked.get("by") == "machine":
                return facts.machines.get(f"mail_{asked['kind']}", 0) >= asked.get("at_least", 1)
            to = asked.get("to", "email")
            name = f"engagement_{asked['kind']}:{to}" if to != "email" else f"mail_{asked['kind']}"
            asked = asked | {"name": name}
            return _count(facts, asked, now) >= asked.get("at_least", 1)
        case "cohort":
            return facts.email_known
        case "score":
            value = facts.score("interest", now)
            return asked.get("from", -math.inf) <= value < asked.get("to", math.inf)
        case "session":
            deep = facts.session_depth >= asked.get("depth_at_least", 0)
            texts = asked.get("pages_contain")
            seen = [p for p in facts.session_paths if any(text in p for text in texts or [])]
            deep = deep and (texts is None or len(seen) >= asked.get("pages_at_least", 1))
            deep = deep and facts.session_seconds >= 60 * asked.get("minutes_at_least", 0)
            most = asked.get("number_at_most", math.inf)
            return deep and asked.get("number_at_least", 0) <= facts.session_number <= most
        case "page" if "seconds_at_least" in asked:
            return naive(_looks(asked), facts, now)
        case "page" if "since_entry" in asked:
            path = {key: asked[key] for key in ("starts_with", "contains") if key in asked}
            seen_since = [
                at
                for at, _ in _matching(facts, {"page": path})
                if _in_window(facts, at, now, asked)
            ]
            return len(seen_since) >= asked.get("at_least", 1)
        case "page":
            seen = [
                path.startswith(asked["starts_with"])
                if "starts_with" in asked
                else asked["contains"] in path
                for path, at in facts.pages
                if _in_window(facts, at, now, asked)
            ]
            return sum(seen) >= asked.get("at_least", 1)
        case "orders":
            low, high = asked.get("value_at_least", 0), asked.get("value_at_most", math.inf)
            worth = low <= facts.order_value <= high
            return worth and asked.get("at_least", 0) <= facts.orders <= asked.get("at_most", 99)
        case "campaign":
            return all(facts.campaigns.get(key, "") == value for key, value in asked.items())
        case "in_cart":
            return _in_cart(facts, now) == asked
        case "country":
            return facts.places.get("country", "").lower() == asked.lower()
        case "device":
            return facts.places.get("device") == asked
        case "locale":
            parts = facts.places.get("locale", "").lower().split("-")
            return parts[: asked.count("-") + 1] == asked.lower().split("-")
        case "social":
            known = facts.traits.get("social_presence")
            asked_at = facts.asked_about_at
            waits = asked_at is not None and now - asked_at < timedelta(minutes=10)
            said = known or ("awaited" if waits else "unknown")
            had = facts.traits | {"social_presence": said}
            return all(had.get(f"social_{name}") == value for name, value in asked.items())
        case "probability":
            value = facts.chances.get(asked["of"])
            end = asked.get("to", 1)
            return value is not None and value >= asked.get("from", 0) and (value < end or end == 1)
        case "share":
            place = share(asked["salt"], facts.visitor_id)
            return asked.get("from", 0) <= place < asked.get("to", 1)
    raise AssertionError(operator)
