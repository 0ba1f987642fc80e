"""Hold windows over hundreds of events of many names against the list of events itself."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.behavior_bot.facts import VisitorFacts
from agents.behavior_bot.state import BehaviorState, Stamped, Tally
from agents.behavior_bot.tallies import HOURS_IN_ALL_MAX, put_in_hours, tally_of
from agents.rules.condition_models import Condition
from agents.rules.conditions import compile_condition
from agents.rules.parts import Around, Part
from agents.rules.windows import left_at, window_start

DAYS = 120
BEGIN = datetime(2026, 1, 15, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]
"""Over the change of clocks in March; half an hour off; beyond the line of dates."""


def compiled(rule: dict[str, Any]) -> Part:
    """Compile a condition that refers to nothing."""

    def none(name: str) -> Part:
        raise AssertionError(name)

    return compile_condition(Condition.model_validate(rule), Around({}, frozenset(), none))


def happen(times: Mapping[str, list[datetime]], order: random.Random) -> BehaviorState:
    """Return the state of whoever did all that, in an order drawn."""
    state = BehaviorState()
    events = [(at, name) for name, each in times.items() for at in each]
    order.shuffle(events)
    for at, name in events:
        tally = tally_of(state, name, ())
        tally.count += 1
        put_in_hours(state, tally, at.timestamp())
    return state


def since(now: datetime, days: int | None, hours: int | None, zone: str) -> datetime:
    """Return the start of a window, worked out by the calendar."""
    back = now - timedelta(hours=days * 24 if days is not None else hours or 0)
    if days is None or days <= 7:
        return back.replace(minute=0, second=0, microsecond=0)
    local = back.astimezone(ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return midnight.astimezone(UTC).replace(minute=0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    names=st.integers(1, 60),
    a_day=st.integers(1, 30),
    zone=st.sampled_from(ZONES),
    days=st.sampled_from([None, 1, 7, 8, 30, 90]),
)
def test_a_window_over_hundreds_of_events_says_what_their_list_says(
    seed: int, names: int, a_day: int, zone: str, days: int | None
) -> None:
    chance = random.Random(seed)
    times: dict[str, list[datetime]] = {}
    for _ in range(a_day * DAYS):
        at = BEGIN + timedelta(seconds=chance.randrange(DAYS * 86_400))
        times.setdefault(f"Event {chance.randrange(names) ** 2 // names}", []).append(at)
    now = BEGIN + timedelta(days=DAYS, seconds=chance.randrange(86_400))
    state = happen(times, chance)
    state.places["zone"] = Stamped(zone, 1.0, 1)
    facts = VisitorFacts("v", state, now.timestamp(), {}, "explicit")
    window = {"within_days": days} if days is not None else {"within_hours": 5}
    start = since(now, days, 5, zone)
    sure = min(100, HOURS_IN_ALL_MAX // len(times))
    for name, each in times.items():
        found = sum(at >= start for at in each)
        asked = chance.randint(1, sure)
        rule = {"event": {"name": name, "at_least": asked, **window}}
        assert compiled(rule).test(facts, now) == (found >= asked), (name, asked, found)
        assert compiled({"not_event": {"name": name, **window}}).test(facts, now) == (not found)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), names=st.integers(1, 40))
def test_which_hours_are_kept_does_not_depend_on_the_order_they_came_in(
    seed: int, names: int
) -> None:
    chance = random.Random(seed)
    times: dict[str, list[datetime]] = {}
    for _ in range(1_500):
        at = BEGIN + timedelta(hours=chance.randrange(DAYS * 24))
        times.setdefault(f"Event {chance.randrange(names)}", []).append(at)

    def kept(state: BehaviorState) -> dict[str, Tally]:
        return dict(sorted(state.tallies.items()))

    one, other = happen(times, random.Random(seed + 1)), happen(times, random.Random(seed + 2))
    assert kept(one) == kept(other)
    assert sum(len(tally.hours) for tally in one.tallies.values()) <= HOURS_IN_ALL_MAX


@settings(max_examples=300, deadline=None)
@given(
    seconds=st.integers(0, 400 * 86_400),
    zone=st.sampled_from(ZONES),
    hours=st.integers(1, 40 * 24),
)
def test_a_moment_leaves_its_window_when_it_is_said(seconds: int, zone: str, hours: int) -> None:
    at, where = BEGIN + timedelta(seconds=seconds), ZoneInfo(zone)
    leaves = left_at(at, hours, where)
    second = timedelta(seconds=1)
    assert at >= window_start(leaves - second, hours, where)
    assert at < window_start(leaves, hours, where)
