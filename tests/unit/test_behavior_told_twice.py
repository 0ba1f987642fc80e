"""One order that the shop and its payments both tell of is one: in counters, scores, cohorts and entries."""

from __future__ import annotations

from typing import Any

import pytest

from agents.behavior_bot.merge import pack
from messaging.vocabulary.events import Record
from messaging.vocabulary.messages import StateMerged
from tests.behavior_builders import ANN, START, Ann, a_track, a_view, a_view_of, default_rules

WANTED = a_view_of(
    [
        {"event": {"name": "Order Completed", "at_least": 2}},
        {"event": {"name": "Order Completed", "at_least": 2, "within_days": 30}},
        {"event": {"name": "Order Completed", "properties": {"sku": "x"}, "at_least": 2}},
        {"event": {"name": "Order Completed", "properties": {"sku": "x"}}},
        {"sequence": {"steps": ["Order Completed", "Order Completed"], "span_hours": 48}},
    ]
)
SITE, STRIPE = {"order_id": "o1", "total": 5, "sku": "x"}, {"order_id": "o1", "total": 5}


def a_buyer(*records: Record) -> Ann:
    ann = Ann(WANTED)
    ann.sees(*records)
    return ann


def told(second: int, properties: dict[str, Any]) -> Record:
    return a_track(second, "Order Completed", properties=properties)


@pytest.mark.parametrize("pair", [(SITE, STRIPE), (STRIPE, SITE), (SITE, SITE)])
@pytest.mark.parametrize("seconds", [(1, 9000), (9000, 1), (1, 2)])
def test_an_order_that_is_told_twice_counts_once(pair: Any, seconds: tuple[int, int]) -> None:
    """Late or early, and whichever of the two names the product."""
    ann = a_buyer(*(told(second, each) for second, each in zip(seconds, pair, strict=True)))
    state = ann.state
    assert state.counters == {"Order Completed": 1}
    assert sum(state.tallies["Order Completed"].hours.values()) == 1
    assert {each for each in state.cohorts if each.startswith("c")} == {"c3"}
    assert len(state.recent) == 1


@pytest.mark.parametrize("seconds", [(1, 9000), (9000, 1)])
def test_two_visitors_who_heard_of_one_order_and_are_one_count_it_once(seconds: Any) -> None:
    older, younger = a_buyer(told(seconds[0], SITE)), a_buyer(told(seconds[1], STRIPE))
    older.take(StateMerged(ANN, START, "b" * 24, pack(younger.state)))
    assert older.state.counters == {"Order Completed": 1}
    assert {each for each in older.state.cohorts if each.startswith("c")} == {"c3"}


def test_two_orders_are_two() -> None:
    ann = a_buyer(told(1, SITE), told(2, SITE | {"order_id": "o2"}))
    assert ann.state.counters == {"Order Completed": 2}
    assert {each for each in ann.state.cohorts if each.startswith("c")} == {
        f"c{n}" for n in range(5)
    }


def test_the_second_telling_gives_no_points() -> None:
    rule = next(
        (
            r
            for r in default_rules().scores.values()
            if r.points_by_kind.get("track:Order Completed")
        ),
        None,
    )
    assert rule is not None, "the routine scores a purchase"
    once, twice = Ann(a_view()), Ann(a_view())
    once.sees(told(1, SITE))
    twice.sees(told(1, SITE), told(2, STRIPE))
    [one, two] = [each.state.scores[rule.name].value for each in (once, twice)]
    assert two == pytest.approx(one, rel=1e-4)
