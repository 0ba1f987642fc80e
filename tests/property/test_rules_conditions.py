"""Hold compiled conditions against a naive evaluator that reads the YAML and the list of events."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.protocol.draw import share
from agents.rules.compiled import ScoreRule
from agents.rules.condition_models import Condition
from agents.rules.conditions import _COMPILERS, Around, Part, compile_condition
from agents.rules.values import same

NOW = datetime(2026, 3, 4, 15, 27, 31, tzinfo=UTC)
EVENTS = [
    "Product Added",
    "Order Completed",
    "Form Sent",
    "page",
    "mail_opened",
    "mail_clicked",
    "engagement_submitted:opinion_form",
]
PATHS = ["/", "/pricing", "/pricing/big", "/blog/pricing"]
HALF_LIFE_DAYS = 7.0
SCORES = {
    "interest": ScoreRule(
        name="interest",
        half_life_days=HALF_LIFE_DAYS,
        cap=None,
        bands=[(0.0, "cool"), (8.0, "hot")],
        points_by_kind={"page": 1.0, "track:Product Added": 5.0, "screen": 0.0},
    )
}


@dataclass
class ListedFacts:
    """Answer from plain lists, as slowly as it is obvious."""

    events: list[tuple[str, datetime, dict[str, Any]]] = field(default_factory=list)
    pages: list[tuple[str, datetime]] = field(default_factory=list)
    traits: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    campaigns: dict[str, str] = field(default_factory=dict)
    points: float = 0.0
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

    def session_pages(self, texts: tuple[str, ...]) -> int:
        return sum(any(text in path for text in texts) for path in self.session_paths)

    def trait(self, name: str) -> Any:
        return self.traits.get(name)

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

    def recent_with(self, event: str, properties: Mapping[str, Any], since: datetime | None) -> int:
        return sum(
            name == event
            and (since is None or at >= since)
            and all(same(had.get(key), value) for key, value in properties.items())
            for name, at, had in self.events
        )

    def pages_matching(self, text: str, *, prefix: bool, since: datetime | None) -> int:
        return sum(
            (path.startswith(text) if prefix else text in path) and (since is None or at >= since)
            for path, at in self.pages
        )

    def score(self, name: str, now: datetime) -> float:
        assert name == "interest"
        days = (now - NOW) / timedelta(days=1)
        return self.points * 0.5 ** (days / HALF_LIFE_DAYS)


# --------------------------------------------------------------------------- the naive evaluator


def _in_window(at: datetime, now: datetime, asked: dict[str, Any]) -> bool:
    hours = asked.get("within_hours", asked.get("within_days", 0) * 24)
    if not hours:
        return True
    bucket = 3600 if hours <= 168 else 86400
    return at.timestamp() // bucket >= (now.timestamp() - hours * 3600) // bucket


def _count(facts: ListedFacts, asked: dict[str, Any], now: datetime) -> int:
    wanted = asked.get("properties") or {}
    return sum(
        name == asked["name"]
        and _in_window(at, now, asked)
        and all(same(had.get(key), value) for key, value in wanted.items())
        for name, at, had in facts.events
    )


def _trait(value: Any, asked: dict[str, Any]) -> bool:
    if "exists" in asked:
        return (value is not None) == asked["exists"]
    if value is None:
        return False
    if "contains" in asked:
        return str(asked["contains"]).lower() in str(value).lower()
    return any(same(value, wanted) for wanted in asked.get("in", [asked.get("equals")]))


def _in_cart(facts: ListedFacts, now: datetime) -> bool:
    added = facts.last("Product Added")
    bought = facts.last("Order Completed")
    if added is None or (bought is not None and bought >= added):
        return False
    return now - added < timedelta(days=7)


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
            return _trait(facts.traits.get(asked["name"]), asked)
        case "event":
            return _count(facts, asked, now) >= asked.get("at_least", 1)
        case "not_event":
            return _count(facts, asked, now) == 0
        case "responded":
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
            return deep and facts.session_number >= asked.get("number_at_least", 0)
        case "page":
            seen = [
                path.startswith(asked["starts_with"])
                if "starts_with" in asked
                else asked["contains"] in path
                for path, at in facts.pages
                if _in_window(at, now, asked)
            ]
            return sum(seen) >= asked.get("at_least", 1)
        case "orders":
            worth = facts.order_value >= asked.get("value_at_least", 0)
            return worth and facts.orders >= asked.get("at_least", 0)
        case "campaign":
            return all(facts.campaigns.get(key, "") == value for key, value in asked.items())
        case "in_cart":
            return _in_cart(facts, now) == asked
        case "country":
            return facts.places.get("country", "").lower() == asked.lower()
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


# ------------------------------------------------------------------------------------ strategies


def _windowed(base: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    window = st.one_of(
        st.just({}),
        st.builds(lambda h: {"within_hours": h}, st.sampled_from([1, 5, 24, 30, 168, 169, 200])),
        st.builds(lambda d: {"within_days": d}, st.sampled_from([1, 3, 7, 8, 30])),
    )
    return st.builds(lambda left, right: left | right, base, window)


def _with(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


NAMES = st.sampled_from(EVENTS)
PROPERTIES = st.sampled_from([{"size": 5}, {"size": "5", "color": "red"}, {"color": "blue"}])
SOME = st.integers(1, 3)
LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "probability": st.builds(
        lambda of, band: {"of": of} | band,
        st.sampled_from(["opportunity", "customer"]),
        st.sampled_from([{"from": 0.25}, {"to": 0.25}, {"from": 0.25, "to": 1.0}, {"from": 0.0}]),
    ),
    "lifecycle": st.sampled_from(["unknown", "lead", "customer"]),
    "known": st.sampled_from(["email", "user_id"]),
    "may_email": st.booleans(),
    "in_cart": st.booleans(),
    "trait": st.builds(
        lambda name, asked: {"name": name} | asked,
        st.sampled_from(["city", "vip", "age"]),
        st.sampled_from(
            [
                {"equals": "rio"},
                {"equals": True},
                {"in": [30, "Rio"]},
                {"contains": "ri"},
                {"exists": True},
                {"exists": False},
            ]
        ),
    ),
    "event": _windowed(
        st.builds(lambda a, b: a | b, _with(at_least=SOME, properties=PROPERTIES), _with())
    ).flatmap(lambda asked: NAMES.map(lambda name: asked | {"name": name})),
    "not_event": _windowed(_with(properties=PROPERTIES)).flatmap(
        lambda asked: NAMES.map(lambda name: asked | {"name": name})
    ),
    "responded": _windowed(
        st.builds(
            lambda kind, more: kind | more,
            st.sampled_from(
                [
                    {"kind": "opened"},
                    {"kind": "clicked"},
                    {"kind": "submitted", "to": "opinion_form"},
                ]
            ),
            _with(at_least=SOME),
        )
    ),
    "page": _windowed(
        st.sampled_from(
            [
                {"starts_with": "/pricing"},
                {"contains": "pricing"},
                {"contains": "big", "at_least": 2},
            ]
        )
    ),
    "cohort": st.just("known"),
    "score": st.sampled_from(
        [{"from": 8.0}, {"to": 8.0}, {"from": 2.0, "to": 8.0}, {"from": -4.0, "to": 0.5}]
    ).map(lambda asked: asked | {"name": "interest"}),
    "session": st.sampled_from(
        [
            {"number_at_least": 2},
            {"number_at_least": 1, "depth_at_least": 3},
            {"depth_at_least": 1, "pages_contain": ["pricing", "/b"]},
            {"pages_contain": ["big"], "pages_at_least": 2},
        ]
    ),
    "orders": st.sampled_from([{"at_least": 1}, {"value_at_least": 50.0}, {"at_least": 2}]),
    "campaign": st.sampled_from([{"source": "news"}, {"source": "ads", "medium": "cpc"}]),
    "country": st.sampled_from(["BR", "no"]),
    "locale": st.sampled_from(["pt", "pt-BR", "en"]),
    "social": st.sampled_from(
        [
            {"presence": "awaited"},
            {"presence": "unknown"},
            {"presence": "found", "profile": "personal"},
            {"presence": "none"},
            {"activity": "dormant"},
        ]
    ),
    "share": st.sampled_from([{"salt": "a", "to": 0.5}, {"salt": "b", "from": 0.3}]),
}

LEAF = st.one_of([value.map(lambda v, k=key: {k: v}) for key, value in LEAVES.items()])
CONDITIONS = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=8,
)

AGO = st.one_of(
    st.integers(0, 9 * 24 * 3600),
    st.integers(0, 40 * 24 * 3600),
    # Around the edges of buckets, where windows are decided.
    st.sampled_from([h * 3600 + d for h in (0, 1, 24, 168, 192, 720) for d in (1650, 1651, 1652)]),
)
MOMENTS = AGO.map(lambda seconds: NOW - timedelta(seconds=seconds))
HAD = st.sampled_from([{}, {"size": 5}, {"size": "5", "color": "Red"}, {"color": "blue"}])
FACTS = st.builds(
    ListedFacts,
    events=st.lists(st.tuples(NAMES, MOMENTS, HAD), max_size=12),
    pages=st.lists(st.tuples(st.sampled_from(PATHS), MOMENTS), max_size=6),
    traits=_with(
        city=st.sampled_from(["Rio", "Berlin"]),
        vip=st.booleans(),
        age=st.sampled_from([30, "30"]),
        social_presence=st.sampled_from(["found", "none"]),
        social_profile=st.sampled_from(["personal", "automated"]),
        social_activity=st.sampled_from(["active", "dormant"]),
    ),
    places=_with(
        country=st.sampled_from(["BR", "NO"]), locale=st.sampled_from(["pt-BR", "pt", "en-GB"])
    ),
    campaigns=_with(source=st.sampled_from(["news", "ads"]), medium=st.just("cpc")),
    points=st.sampled_from([0.0, -6.0, 1.0, 2.0, 7.9, 8.0, 33.3]),
    chances=_with(
        opportunity=st.sampled_from([0.1, 0.25]), customer=st.sampled_from([0.0, 0.5, 1.0])
    ),
    visitor_id=st.sampled_from(["v1", "v2", "v3"]),
    lifecycle=LEAVES["lifecycle"],
    email_known=st.booleans(),
    user_id_known=st.booleans(),
    may_email=st.booleans(),
    orders=st.integers(0, 2),
    order_value=st.sampled_from([0.0, 49.9, 50.0]),
    session_number=st.integers(0, 3),
    session_depth=st.integers(0, 4),
    session_paths=st.lists(st.sampled_from(PATHS), max_size=4),
    asked_about_at=st.none() | st.integers(0, 900).map(lambda ago: NOW - timedelta(seconds=ago)),
)


def compiled(rule: dict[str, Any]) -> Part:
    """Compile a condition beside a cohort `known`, which is: an address is known."""

    def cohort(name: str) -> Part:
        assert name == "known"
        return compile_condition(Condition.model_validate({"known": "email"}), around)

    around = Around(SCORES, frozenset({"Order Completed"}), cohort)
    return compile_condition(Condition.model_validate(rule), around)


# ----------------------------------------------------------------------------------------- laws


@settings(max_examples=400, deadline=None)
@given(CONDITIONS, FACTS)
def test_a_compiled_condition_says_what_the_naive_evaluator_says(
    rule: dict[str, Any], facts: ListedFacts
) -> None:
    assert compiled(rule).test(facts, NOW) == naive(rule, facts, NOW)


@settings(max_examples=300, deadline=None)
@given(CONDITIONS, FACTS, st.lists(st.floats(0, 1), max_size=6), st.integers(0, 90 * 24))
def test_nothing_changes_by_time_alone_before_until(
    rule: dict[str, Any], facts: ListedFacts, parts: list[float], hours: int
) -> None:
    part = compiled(rule)
    until = part.until(facts, NOW) if part.until is not None else None
    assert until is None or until > NOW
    late = timedelta(seconds=1) if "'score'" in str(rule) else timedelta(microseconds=1)
    end = NOW + timedelta(hours=hours) if until is None else max(NOW, until - late)
    before = naive(rule, facts, NOW)
    for share_of_time in [*parts, 1.0]:
        assert naive(rule, facts, NOW + share_of_time * (end - NOW)) == before


@settings(max_examples=150, deadline=None)
@given(LEAF, FACTS)
def test_going_from_until_to_until_meets_every_change_and_ends(
    rule: dict[str, Any], facts: ListedFacts
) -> None:
    part = compiled(rule)
    now, steps = NOW, 0
    while part.until is not None and (until := part.until(facts, now)) is not None:
        now, steps = until, steps + 1
        assert part.test(facts, now) == naive(rule, facts, now)
        assert steps < 60, "a visitor who does nothing is not asked for ever"


def test_every_condition_that_can_be_written_can_be_compiled_and_is_drawn_here() -> None:
    fields = Condition.model_fields
    assert set(_COMPILERS) == set(fields)
    assert {field.alias or name for name, field in fields.items()} == {
        *LEAVES,
        "all",
        "any",
        "not",
    }
