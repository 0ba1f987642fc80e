"""Hold compiled conditions against a naive evaluator that reads the YAML and the list of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.rules.compiled import ScoreRule
from agents.rules.condition_models import Condition
from agents.rules.conditions import _COMPILERS, compile_condition
from agents.rules.facts import Cart
from agents.rules.parts import Around, Part
from agents.rules.watches import PATH
from tests.drawn_rules import CONDITIONS, LEAF, LEAVES, NAMES, ZONES, having
from tests.naive_rules import HALF_LIFE_DAYS, ListedFacts, naive

NOW = datetime(2026, 3, 4, 15, 27, 31, tzinfo=UTC)
PATHS = ["/", "/pricing", "/pricing/big", "/blog/pricing"]
SCORES = {
    "interest": ScoreRule(
        name="interest",
        half_life_days=HALF_LIFE_DAYS,
        cap=None,
        bands=[(0.0, "cool"), (8.0, "hot")],
        points_by_kind={"page": 1.0, "track:Product Added": 5.0, "screen": 0.0},
    )
}


AGO = st.one_of(
    st.integers(0, 9 * 24 * 3600),
    st.integers(0, 40 * 24 * 3600),
    # Around the edges of buckets, where windows are decided.
    st.sampled_from([h * 3600 + d for h in (0, 1, 24, 168, 192, 720) for d in (1650, 1651, 1652)]),
)
MOMENTS = AGO.map(lambda seconds: NOW - timedelta(seconds=seconds))
HAD = st.sampled_from([{}, {"size": 5}, {"size": "5", "color": "Red"}, {"color": "blue"}])


LEFT = st.just("Page Left")
LOOKS = st.builds(
    lambda path, seconds: {"path": path, "seconds_visible": seconds},
    st.sampled_from(PATHS),
    st.sampled_from([3, 19.9, 20, 75.5]),
)


def on_a_path(event: tuple[str, datetime, dict[str, Any]]) -> st.SearchStrategy[Any]:
    """Give a page its path."""
    name, at, had = event
    if name != "page":
        return st.just(event)
    return st.sampled_from(PATHS).map(lambda path: (name, at, had | {PATH: path}))


FACTS = st.builds(
    ListedFacts,
    events=st.lists(
        st.tuples(NAMES, MOMENTS, HAD).flatmap(on_a_path) | st.tuples(LEFT, MOMENTS, LOOKS),
        max_size=12,
    ),
    pages=st.lists(st.tuples(st.sampled_from(PATHS), MOMENTS), max_size=6),
    traits=having(
        city=st.sampled_from(["Rio", "Berlin"]),
        vip=st.booleans(),
        age=st.sampled_from([30, "30"]),
        social_presence=st.sampled_from(["found", "none"]),
        social_profile=st.sampled_from(["personal", "automated"]),
        social_activity=st.sampled_from(["active", "dormant"]),
        renewal=st.sampled_from(
            [
                "2026-03-09",
                "2024-02-29",
                "2026-03-29",
                "2026-03-04T22:30:00",
                "2026-03-08T05:00:00Z",
            ]
        ),
    ).map(lambda traits: traits | ({"lists.vip": True} if "age" in traits else {})),
    changes=having(city=MOMENTS, vip=MOMENTS),
    since=having(first_seen=MOMENTS, last_seen=MOMENTS, last_order=MOMENTS),
    machines=having(mail_opened=st.integers(1, 3)),
    zone_name=st.sampled_from(ZONES),
    entered_at=st.none() | MOMENTS,
    session_seconds=st.sampled_from([0.0, 179.9, 180.0]),
    cart=st.sampled_from(
        [
            Cart(0, 0.0, frozenset()),
            Cart(1, 10.0, frozenset({"Lamp"})),
            Cart(3, 51.0, frozenset({"cup"})),
        ]
    ),
    places=having(
        referrer=st.just("www.search.example/find"),
        search_term=st.sampled_from(["lamp", "Lamps"]),
        city=st.sampled_from(["Rio", "Berlin"]),
        country=st.sampled_from(["BR", "NO"]),
        locale=st.sampled_from(["pt-BR", "pt", "en-GB"]),
        device=st.sampled_from(["phone", "desktop"]),
    ),
    campaigns=having(source=st.sampled_from(["news", "ads"]), medium=st.just("cpc")),
    points=st.sampled_from([0.0, -6.0, 1.0, 2.0, 7.9, 8.0, 33.3]),
    chances=having(
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

    around = Around(SCORES, frozenset({"Order Completed"}), cohort, path="welcome")
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
        if steps == 60 and "clock" in rule:
            break  # that goes on for ever, as clocks do
        assert steps < 70, "a visitor who does nothing is not asked for ever"


def test_every_condition_that_can_be_written_can_be_compiled_and_is_drawn_here() -> None:
    fields = Condition.model_fields
    assert set(_COMPILERS) == set(fields)
    assert {field.alias or name for name, field in fields.items()} == {
        *LEAVES,
        "all",
        "any",
        "not",
    }
