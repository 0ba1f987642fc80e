"""Hold what is refused as a contradiction against visitors: whatever is refused must hold for none of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.rules.atoms import Origin
from agents.rules.condition_models import Condition
from agents.rules.contradictions import contradiction, rules_out
from agents.rules.domains import LIFECYCLES
from agents.rules.models import Cohort, Score
from agents.rules.satisfying import Around
from agents.rules.value_models import PropertyIs
from agents.rules.value_sense import can_be
from tests.drawn_rules import ASKED, CONDITIONS, LEAVES
from tests.naive_history import facts_at
from tests.naive_rules import HALF_LIFE_DAYS, ListedFacts, _value, naive
from tests.property.test_rules_conditions import FACTS, NOW
from tests.property.test_rules_incremental import STARTS, STEPS, happenings

AROUND = Around(
    {"known": Cohort(when=Condition(known="email"))},
    {"interest": Score(half_life_days=HALF_LIFE_DAYS, points={"page": 1.0})},
)
NEAR = (
    ("lifecycle", "known", "may_email", "orders", "probability", "cohort", "in_list"),
    ("event", "not_event", "responded", "sequence", "unfinished"),
    ("event", "not_event", "date", "in_cart", "cart", "orders"),
    ("date", "clock"),
    ("trait", "city", "referrer", "search_term"),
    ("session",),
    ("page",),
    ("score", "share", "probability"),
    ("country", "locale", "device", "campaign", "social"),
)
"""Conditions that speak of the same things: of others hardly any two exclude each other."""


def near(keys: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw many conditions of some kinds, some of them one of several: any two of them must not clash by mistake."""
    leaf = st.one_of([LEAVES[key].map(lambda v, k=key: {k: v}) for key in keys]).map(about_few)
    some = st.lists(leaf, min_size=1, max_size=3).map(lambda parts: {"any": parts})
    return st.lists(leaf | leaf | leaf | some, min_size=12, max_size=24)


FEW = {"Form Sent": "Order Completed", "page": "Product Added", "mail_clicked": "mail_opened"}
FEW["engagement_submitted:opinion_form"] = "mail_opened"
"""Names of events that stand for others here: conditions on different events hardly ever speak of each other."""


def about_few(leaf: dict[str, Any]) -> dict[str, Any]:
    ((operator, said),) = leaf.items()
    if operator not in ("event", "not_event", "date"):
        return leaf
    if "first" in said or "last" in said:
        said = {key: each for key, each in said.items() if key != "first"}
        said["last"] = "Product Added"
    return {
        operator: said | {"name": FEW.get(said["name"], said["name"])} if "name" in said else said
    }


CLOSE = st.sampled_from(NEAR).flatmap(near)
TREES = st.lists(CONDITIONS, min_size=1, max_size=4)


def as_they_are(facts: ListedFacts) -> ListedFacts:
    """Return facts that go together: drawn one by one they are nobody's."""
    lifecycle = "customer" if facts.orders else "unknown"
    if not facts.orders and (facts.email_known or facts.user_id_known):
        lifecycle = "lead"
    depth = max(facts.session_depth, len(facts.session_paths))
    is_one = depth or facts.session_seconds
    since = facts.since if facts.orders else facts.since | {"last_order": None}
    return replace(
        facts,
        events=[(FEW.get(name, name), at, had) for name, at, had in facts.events],
        lifecycle=lifecycle,
        may_email=facts.may_email and facts.email_known,
        order_value=facts.order_value if facts.orders else 0.0,
        chances=facts.chances if lifecycle == "lead" else {},
        session_depth=depth,
        session_number=max(facts.session_number, 1 if is_one else 0),
        since=since,
    )


def asked(rule: dict[str, Any]) -> Origin:
    return Origin((), Condition.model_validate(rule), wanted=True)


def as_met(parts: list[dict[str, Any]], facts: ListedFacts, now: datetime) -> dict[str, Any]:
    """Return a rule that this visitor meets at this moment: each part, or its opposite."""
    return {"all": [part if naive(part, facts, now) else {"not": part} for part in parts]}


@settings(max_examples=400, deadline=None)
@given(CLOSE | CLOSE | TREES, FACTS.map(as_they_are))
def test_what_somebody_meets_is_not_refused(
    parts: list[dict[str, Any]], facts: ListedFacts
) -> None:
    rule = as_met(parts, facts, NOW)
    assert not rules_out([asked(rule)], AROUND), facts


def test_whoever_there_is_by_address_id_consent_and_orders_is_not_refused() -> None:
    leaves: list[dict[str, Any]] = [{"lifecycle": each} for each in LIFECYCLES]
    leaves += [{"known": each} for each in ("email", "user_id")]
    leaves += [{"may_email": True}, {"may_email": False}, {"orders": {"at_least": 1}}]
    leaves += [{"orders": {"value_at_least": 5.0}}, {"orders": {"at_most": 0}}]
    for address, user, may, orders in product((False, True), repeat=4):
        facts = as_they_are(
            ListedFacts(
                email_known=address,
                user_id_known=user,
                may_email=may,
                orders=int(orders),
                order_value=9.0,
            )
        )
        assert not rules_out([asked(as_met(leaves, facts, NOW))], AROUND), facts


@settings(max_examples=100, deadline=None)
@given(
    CLOSE | TREES,
    STARTS,
    st.lists(STEPS, min_size=1, max_size=8),
    st.lists(st.floats(0, 1), max_size=4),
)
def test_what_somebody_meets_in_some_history_is_not_refused(
    parts: list[dict[str, Any]], start: datetime, drawn: list[Any], stops: list[float]
) -> None:
    past: list[Any] = []
    for each in happenings(start, drawn):
        past.append(each)
        for stop in (0.0, *stops):
            now = each.taken_at + timedelta(days=stop * 10)
            rule = as_met(parts, facts_at(now, past, "v1"), now)
            assert not rules_out([asked(rule)], AROUND), (now, past)


@settings(max_examples=100, deadline=None)
@given(CLOSE, FACTS.map(as_they_are), st.randoms(use_true_random=False))
def test_a_branch_that_somebody_meets_with_the_rest_is_not_refused(
    parts: list[dict[str, Any]], facts: ListedFacts, chance: Any
) -> None:
    leaves = [part for part in parts if not part.keys() & {"all", "any", "not"}]
    met = as_met(leaves or [{"in_cart": True}], facts, NOW)["all"]
    branch = {"any": [{"all": [*met]}, {"not": met[0]}]}
    rest = chance.sample(met, len(met) // 2)
    found = contradiction(Condition.model_validate({"all": [branch, *rest]}), (), AROUND)
    assert found is None or found[0][:4] == ("all", 0, "any", 1), found


# ------------------------------------------------------------------------------------- values

VALUES = st.one_of(
    st.none(),
    st.sampled_from(["Rio", "rio ", "Berlin", "bo", "30", "29.5", "x", "", True, False, 30, 1.0]),
    st.integers(-2, 40),
    st.floats(-2, 40),
)
ASKS = ASKED | st.sampled_from(
    [
        {"equals": 30},
        {"in": ["berlin", "bo", 29.5]},
        {"starts_with": "R"},
        {"starts_with": "ri"},
        {"ends_with": "lin"},
        {"contains": "rl"},
        {"at_least": 29.6},
        {"equals": "true"},
    ]
)


@settings(max_examples=1_000, deadline=None)
@given(st.lists(ASKS, min_size=1, max_size=4), VALUES)
def test_of_a_value_nothing_is_refused_that_some_value_does(
    asks: list[dict[str, Any]], value: Any
) -> None:
    text = value.strip() if isinstance(value, str) else value
    questions = [(PropertyIs.model_validate(each), _value(text, each)) for each in asks]
    assert can_be(questions)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ASKS, st.booleans()), min_size=1, max_size=3))
def test_what_a_value_can_be_does_not_depend_on_the_order(
    asks: list[tuple[dict[str, Any], bool]],
) -> None:
    questions = [(PropertyIs.model_validate(each), passed) for each, passed in asks]
    assert can_be(questions) == can_be(questions[::-1])
