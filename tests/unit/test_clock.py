"""The world clock: UTC, or gated by what is due."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.clock import (
    GatedClock,
    Grant,
    Hands,
    RealClock,
    clock_from,
    granted,
    read,
    seconds_to,
)

START = datetime(2017, 6, 1, tzinfo=UTC)


def hands(speed: float = 60.0, limit_minutes: float = 5.0, machine: float = 100.0) -> Hands:
    return Hands(START, machine, speed, START + timedelta(minutes=limit_minutes))


def test_a_gated_clock_stands_at_its_start_until_it_is_granted_a_limit():
    clock = GatedClock(START, math.inf)
    assert clock.now() == START
    assert clock.seconds_until(START + timedelta(microseconds=1)) is None


def test_it_goes_at_its_speed_and_stops_at_the_limit():
    assert read(hands(), 102.0) == START + timedelta(minutes=2)
    assert read(hands(), 1e12) == START + timedelta(minutes=5)


def test_infinite_speed_stands_at_the_limit():
    assert read(hands(math.inf), 100.0) == START + timedelta(minutes=5)


def test_a_standstill_is_not_caught_up_when_the_limit_is_raised():
    """After an hour at the limit a new grant lets it go on at its speed, not jump."""
    later = granted(hands(), Grant(START, START + timedelta(days=1), 60.0), 3700.0)
    assert read(later, 3700.0) == START + timedelta(minutes=5)
    assert read(later, 3701.0) == START + timedelta(minutes=6)


def test_a_clock_that_lags_behind_the_keeper_moves_up_to_it():
    grant = Grant(START + timedelta(minutes=4), START + timedelta(minutes=9), 60.0)
    assert read(granted(hands(), grant, 100.0), 100.0) == START + timedelta(minutes=4)


def test_a_grant_that_comes_late_changes_neither_limit_nor_time():
    late = Grant(START - timedelta(days=1), START - timedelta(days=1), 60.0)
    after = granted(hands(), late, 101.0)
    assert after.limit == hands().limit
    assert read(after, 101.0) == read(hands(), 101.0)


def test_the_wait_is_known_up_to_the_limit_and_unknown_past_it():
    assert seconds_to(hands(), 100.0, START - timedelta(days=1)) == 0.0
    assert seconds_to(hands(), 100.0, START + timedelta(minutes=3)) == pytest.approx(3.0)
    assert seconds_to(hands(), 100.0, START + timedelta(minutes=6)) is None


moves = st.lists(
    st.tuples(
        st.floats(0, 1e6),
        st.floats(-1e6, 1e6),
        st.floats(-1e6, 1e6),
        st.sampled_from([0.5, 1.0, 60.0, 1e9, math.inf]),
    ),
    max_size=30,
)


@given(moves)
def test_world_time_never_goes_back_nor_past_the_limit(steps):
    """Whatever is granted, whenever."""
    now, machine, seen = hands(1.0), 100.0, START
    for passed, world, limit, speed in steps:
        machine += passed
        shown = read(now, machine)
        assert seen <= shown <= now.limit
        grant = Grant(START + timedelta(seconds=world), START + timedelta(seconds=limit), speed)
        now = granted(now, grant, machine)
        seen = read(now, machine)
        assert shown <= seen <= now.limit


def test_a_grant_says_whether_it_allows_more():
    clock = GatedClock(START, math.inf)
    further = Grant(START, START + timedelta(minutes=5), math.inf)
    assert clock.grant(further)
    assert not clock.grant(further)
    assert clock.now() == START + timedelta(minutes=5)


@pytest.mark.parametrize("speed", [60.0, math.inf])
def test_a_clock_catches_up_with_what_others_did_and_never_goes_back(speed):
    clock = GatedClock(START, speed)
    later = START + timedelta(hours=3)
    clock.catch_up(later)
    assert clock.now() == later
    clock.catch_up(START)
    assert clock.now() == later
    assert clock.limit == later, "no further than where others were"


def test_the_real_clock_is_utc_and_knows_every_wait():
    clock = clock_from(None, 1.0)
    assert type(clock) is RealClock
    assert clock.now().tzinfo is UTC
    assert clock.seconds_until(START) == 0.0
    assert clock.seconds_until(clock.now() + timedelta(hours=1)) == pytest.approx(3600, abs=5)


def test_a_position_makes_the_clock_a_gated_one_also_at_speed_one():
    assert clock_from(START, 1.0).now() == START


def test_what_was_so_much_world_time_ago_was_less_machine_time_ago():
    clock = GatedClock(START, 60.0)
    clock.catch_up(START + timedelta(minutes=5))
    assert clock.seconds_since(START) == pytest.approx(5.0, abs=0.1)
    assert clock.seconds_since(START + timedelta(hours=1)) == 0.0
    jumping = GatedClock(START, math.inf)
    jumping.catch_up(START + timedelta(days=1))
    assert jumping.seconds_since(START) == 0.0
