"""Hold Behavior's state to the law that order does not matter: late events and late merges end alike."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.behavior_bot.merge import pack, unpack
from agents.behavior_bot.orders import orders_value
from messaging.vocabulary.messages import StateMerged
from tests.behavior_builders import (
    START,
    Ann,
    a_page,
    a_record,
    a_track,
    a_view_of,
    an_identify,
)

LATER = START.replace(year=2027)


def events() -> st.SearchStrategy[Any]:
    """Draw a kind and a time: within four hours, for sessions beyond the newest eight are a number."""
    return st.tuples(st.integers(0, 6), st.integers(0, 140))


def a_refund(number: int) -> dict[str, Any]:
    """Return one of six refunds: a part of one of three orders or all of it, so that one is told again at times."""
    amount = {"total": 1.1 + number % 3} if number % 2 else {}
    return {"order_id": f"o{number % 3}", "refund_id": f"r{number % 6}"} | amount


def an_order(number: int) -> dict[str, Any]:
    """Return one of three orders: two in currencies of their own, one that names none."""
    own = {"currency": ("EUR", "USD")[number % 3]} if number % 3 < 2 else {}
    return {"order_id": f"o{number % 3}", "total": 4 + number % 3} | own


def numbered(drawn: list[tuple[int, int]]) -> list[Any]:
    makers = [
        lambda n: a_page(n, path=f"/{n % 3}", context={"locale": f"l{n}"}),
        lambda n: a_track(n, "Product Added", properties={"sku": f"{n % 2}"}),
        lambda n: an_identify(n, "u1", email=f"p{n % 3}@example.com", traits={"plan": n % 4}),
        lambda n: a_track(n, "Order Completed", properties=an_order(n)),
        lambda n: a_record(n, type="group", groupId="g", anonymousId=f"b{n % 20}"),
        lambda n: an_identify(n, "u1", traits={"email_consent": n % 2 == 0}),
        lambda n: a_track(n, "Order Refunded", properties=a_refund(n)),
    ]
    # The second is part of the position as well, so that two events never share one.
    return [makers[kind](second * 100 + each) for each, (kind, second) in enumerate(drawn)]


def seen(ann: Ann) -> tuple[Any, ...]:
    """Return what must not depend on the order; points are rounded, for floats are summed."""
    state = ann.state
    return (
        state.counters,
        {name: (t.last, t.hours) for name, t in state.tallies.items()},
        state.user_ids,
        state.anonymous_ids,
        state.email,
        state.traits,
        state.consents,
        state.places,
        {name: (round(p.value, 6), p.at) for name, p in state.scores.items()},
        [(span.start, span.last, span.depth) for span in state.sessions],
        state.sessions_before,
        (state.orders.keys(), state.orders_count, orders_value(state)),
        state.recent,
        state.pages,
        state.marks,
        state.turns,
        state.cart,
        state.first_seen,
    )


KEEPING = a_view_of(
    [
        {"event": {"name": "Product Added", "properties": {"sku": "1"}, "at_least": 2}},
        {"sequence": {"steps": ["Product Added", "Order Completed"], "span_hours": 1}},
        {"event": {"name": "Order Completed", "same": "order_id", "at_least": 2}},
        {"trait": {"name": "plan", "changed": {"within_days": 366}}},
        {"cart": {"items_at_least": 2}},
    ]
)
"""Cohorts that want something kept of events one by one."""


def after(records: list[Any]) -> Ann:
    ann = Ann(KEEPING)
    ann.now = LATER
    ann.sees(*records)
    return ann


@settings(max_examples=60, deadline=None)
@given(
    st.lists(events(), max_size=12).flatmap(
        lambda e: st.tuples(st.just(e), st.permutations(range(len(e))))
    )
)
def test_events_in_any_order_end_in_the_same_state(drawn: Any) -> None:
    records = numbered(drawn[0])
    assert seen(after([records[index] for index in drawn[1]])) == seen(after(records))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(events(), st.integers(0, 2)), min_size=1, max_size=14))
def test_it_does_not_matter_which_part_was_the_youngers_nor_when_it_came(drawn: Any) -> None:
    """0: an event of the older before the merge, 1: of the younger, 2: of the older after the merge."""
    records = numbered([event for event, _ in drawn])
    parts: list[list[Any]] = [[], [], []]
    for record, (_, part) in zip(records, drawn, strict=True):
        parts[part].append(record)
    ann, young = after(parts[0]), after(parts[1])
    body = pack(young.state)
    ann.take(StateMerged(ann.visitor, LATER, "b" * 24, body))
    ann.sees(*parts[2])
    whole = after(records)
    assert seen(ann) == seen(whole)
    assert ann.state.cohorts == whole.state.cohorts
    assert unpack(body) == young.state
