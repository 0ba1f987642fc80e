"""Check how it is kept when somebody was there: which hours stay, in how few bytes, in whatever order they come."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest

from learning.serving.presence import (
    AGE_HOURS_MAX,
    HOUR_SECONDS,
    MONDAY_SECONDS,
    OCCASIONS_MAX,
    Presence,
    absorb,
    before_week,
    hour_of,
    hours_before,
    hours_of,
    note,
    put_in,
)
from learning.serving.send_time import SLOTS

BYTES_MAX = 400
WEEK = 2_900


def at(hour: int) -> float:
    """Return a moment within an hour."""
    return MONDAY_SECONDS + hour * HOUR_SECONDS + 1234.5


def noted(hours: list[int]) -> Presence:
    """Build what is kept of somebody who was there in these hours, in this order."""
    presence = Presence()
    for hour in hours:
        note(presence, at(hour))
    return presence


def test_an_hour_counts_once_however_much_is_done_in_it():
    presence = Presence()
    assert [note(presence, at(WEEK * SLOTS + hour)) for hour in (5, 5, 5, 6, 5)] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert (hours_of(presence) - WEEK * SLOTS).tolist() == [5, 6]


def test_two_years_of_history_are_kept_in_400_bytes():
    """Somebody who is there in nine hours of each week; and one who is there all the time."""
    draw = random.Random(1)
    busy = noted([WEEK * SLOTS + h for h in sorted(draw.sample(range(104 * SLOTS), 104 * 9))])
    always = noted([WEEK * SLOTS + hour for hour in range(3 * SLOTS)])
    for presence in (busy, always):
        assert len(msgspec.msgpack.encode(presence)) <= BYTES_MAX
        assert len(hours_of(presence)) == OCCASIONS_MAX


def test_the_newest_stay():
    hours = [WEEK * SLOTS + 7 * number for number in range(3 * OCCASIONS_MAX)]
    assert hours_of(noted(hours)).tolist() == hours[-OCCASIONS_MAX:]


@pytest.mark.parametrize("seed", range(30))
def test_the_order_in_which_hours_come_changes_nothing(seed):
    draw = random.Random(seed)
    weeks = draw.choice((2, 30, 900))
    hours = [WEEK * SLOTS + draw.randrange(weeks * SLOTS) for _ in range(400)]
    others = draw.sample(hours, len(hours))
    half, rest = noted(others[:150]), noted(others[150:])
    absorb(half, rest)
    assert noted(hours) == noted(others) == half
    newest = sorted({*hours})[-OCCASIONS_MAX:]
    start = newest[-1] // SLOTS * SLOTS
    assert hours_of(half).tolist() == [hour for hour in newest if hour >= start - AGE_HOURS_MAX]


def test_what_is_older_than_two_bytes_can_say_is_let_go():
    presence = noted([WEEK * SLOTS - AGE_HOURS_MAX - 1, WEEK * SLOTS - AGE_HOURS_MAX, WEEK * SLOTS])
    assert (hours_of(presence) - WEEK * SLOTS).tolist() == [-AGE_HOURS_MAX, 0]


def test_a_time_before_weeks_are_counted_is_none():
    presence = Presence()
    assert not note(presence, 0.0)
    assert presence == Presence()


def test_what_lies_before_a_week_travels_as_it_is_kept():
    presence = noted([WEEK * SLOTS - 5, WEEK * SLOTS - 1, WEEK * SLOTS, WEEK * SLOTS + 3])
    before = hours_before(presence.week, presence.before)
    assert (before - WEEK * SLOTS).tolist() == [-5, -1]
    assert before_week(hours_of(presence), WEEK) == presence.before


@pytest.mark.parametrize("broken", [b"", b"\x01", b"\x05\x00\x01"])
def test_what_is_no_packing_gives_what_it_can(broken):
    assert len(hours_before(WEEK, broken)) == len(broken) // 2


def test_nothing_is_packed_as_nothing():
    presence = noted([WEEK * SLOTS])
    put_in(presence, np.zeros(0, dtype=np.int64))
    assert presence == Presence()
    assert hour_of(at(77)) == 77
