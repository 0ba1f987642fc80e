"""Try what Behavior counts of a busy visitor: many names, for months."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.behavior_bot import layout
from agents.behavior_bot.bot import BehaviorBot
from agents.behavior_bot.orders import orders_value
from agents.behavior_bot.state import BehaviorState, Stamped
from agents.behavior_bot.tallies import FIRST_HOUR, HOURS_IN_ALL_MAX, HOURS_MAX, NAMES_MAX
from agents.protocol.known import TIME_BYTES, knows, remember
from agents.rules.naming import OTHER
from tests.behavior_builders import START, Ann, a_track, a_view_of, an_identify

DAY = timedelta(days=1)


def visits_of(ann: Ann, first_day: int, last_day: int, names: list[str]) -> None:
    for day in range(first_day, last_day):
        at = START + day * DAY
        ann.sees(
            *(
                a_track(day * 100 + n, name, at=at + n * timedelta(hours=1))
                for n, name in enumerate(names)
            )
        )


def test_who_does_much_is_still_known_to_have_ordered() -> None:
    """Twenty kinds of events a day for six weeks after an order, which none of them pushes out."""
    unbought = {"not_event": {"name": "Order Completed", "within_days": 90}}
    ann = Ann(
        a_view_of([unbought, {"event": {"name": "Did 3", "at_least": 30, "within_days": 60}}])
    )
    ann.sees(an_identify(1, "u1"), a_track(2, "Order Completed", properties={"order_id": "o"}))
    assert "c0" not in ann.state.cohorts
    visits_of(ann, 1, 45, [f"Did {n}" for n in range(20)])
    assert "c0" not in ann.state.cohorts
    assert "c1" in ann.state.cohorts
    assert sum(len(each.hours) for each in ann.state.tallies.values()) <= HOURS_IN_ALL_MAX
    assert ann.state.let_go > 0


def test_a_made_up_name_for_each_event_pushes_out_nothing_that_rules_ask_for() -> None:
    asked = {"all": [{"event": {"name": "Signed", "within_days": 90}}, {"event": {"name": "Last"}}]}
    ann = Ann(a_view_of([asked]))
    ann.sees(an_identify(1, "u1"), a_track(2, "Signed"))
    ann.sees(*(a_track(n, f"Looked at {n}") for n in range(3, 3 + 3 * NAMES_MAX)))
    ann.sees(a_track(1_000, "Last"))
    assert ann.state.counters["Signed"] == ann.state.counters["Last"] == 1
    assert ann.state.cohorts == ["c0"]
    assert ann.state.counters[f"Looked at {2 + 3 * NAMES_MAX}"] == 1, "the newest names stand apart"
    assert len(ann.state.tallies) <= NAMES_MAX
    assert sum(ann.state.counters.values()) == 3 + 3 * NAMES_MAX
    assert ann.state.counters[OTHER] > 2 * NAMES_MAX


def test_days_are_the_visitors_and_a_new_zone_is_asked_at_once() -> None:
    """30 days before 2026-12-24T02:00Z is the 24th in Berlin, the 23rd in New York."""
    rule = {"event": {"name": "Signed", "within_days": 30}}
    ann = Ann(a_view_of([rule]))
    at = START.replace(day=24, hour=0)
    berlin, new_york = ({"timezone": zone} for zone in ("Europe/Berlin", "America/New_York"))
    ann.sees(an_identify(1, "u1", context=berlin), a_track(2, "Signed", at=at - timedelta(hours=2)))
    now = at + timedelta(days=30, hours=2)
    ann.wakes_until(now)
    assert ann.state.cohorts == []
    ann.sees(an_identify(4, "u1", at=now, context=new_york))
    assert ann.state.cohorts == ["c0"]


def test_a_state_of_the_first_layout_is_read() -> None:
    hour = FIRST_HOUR + 1_000
    old = [5, hour * 3600.0, {hour: 2, hour - 1: 1}, {hour // 24: 3, hour // 24 - 9: 2}, 0, 7]
    state = BehaviorState(email=Stamped("ann@example.com", 1.0, 1))
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(state))
    fields[BehaviorState.__struct_fields__.index("tallies")] = {"page": old}
    fields[BehaviorState.__struct_fields__.index("orders_older")] = 0.0
    body = msgspec.msgpack.encode(
        fields[: BehaviorState.__struct_fields__.index("let_go")]
    )  # it counted nothing that was let go
    found = BehaviorBot().upgrade(1, body)
    noon = (hour // 24 - 9) * 24 + 12 - FIRST_HOUR
    assert found.tallies["page"].hours == {1_000: 2, 999: 1, noon: 2}
    assert (found.tallies["page"].count, found.tallies["page"].first) == (5, 7)
    assert found.address == "ann@example.com"


def test_orders_of_layout_2_are_known_by_name_and_worth_what_they_were() -> None:
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(BehaviorState()))
    names = remember(b"", "o1", 0, 9)[TIME_BYTES:] + remember(b"", "o2", 0, 9)[TIME_BYTES:]
    fields[BehaviorState.__struct_fields__.index("order_names")] = names
    fields[BehaviorState.__struct_fields__.index("orders_older")] = 30.0
    fields[BehaviorState.__struct_fields__.index("orders")] = {"o3": [12.0, 5.0, ""]}
    found = layout.read(2, msgspec.msgpack.encode(fields))
    assert [knows(found.order_names, each) for each in ("o1", "o2", "o3")] == [True, True, False]
    assert (found.orders_older, orders_value(found)) == ({"": 18.0}, 30.0), "what was one sum stays"


def test_a_layout_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no layout 9"):
        layout.read(9, b"\x90")


@pytest.mark.parametrize("at_least", [HOURS_MAX + 1, 1_000])
def test_a_rule_cannot_count_further_than_is_kept(at_least: int) -> None:
    rule: dict[str, Any] = {"event": {"name": "page", "at_least": at_least, "within_days": 30}}
    with pytest.raises(ValueError, match=f"count to {HOURS_MAX} at most"):
        a_view_of([rule])
    del rule["event"]["within_days"]
    a_view_of([rule])
