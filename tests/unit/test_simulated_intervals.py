"""The intervals that a simulation states: what further audiences come to lies in them as often as they say."""

from __future__ import annotations

import math

import pytest

from scripts.bounds import next_count, share_of, tolerance
from scripts.lift import CERTAIN
from scripts.simulation import lift_of
from tests.equality.intervals import ENOUGH, Asked, counts_of, is_inside, lived, shares, stated

ASKED = Asked(visitors=60, days=14, seeds=12)
FURTHER = 20


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_stage_s_count_lies_in_the_stated_interval_for_nine_of_ten_further_audiences() -> None:
    bounds = stated(ASKED)
    found = shares(is_inside(bounds, counts_of(lived(ASKED, n))) for n in range(FURTHER))
    stages = {key: share for key, share in found.items() if key[0] == "stages"}
    assert [name for _, _, name in stages] == ["cart", "invited", "opened", "talk", "visited"]
    assert {key: share for key, share in stages.items() if share < ENOUGH} == {}
    widths = [high - low for (kind, _, _), (low, high) in bounds.items() if kind == "stages"]
    assert max(widths) < ASKED.visitors / 2, "an interval that says nothing holds everything"


def test_the_more_audiences_have_lived_the_narrower_is_the_interval() -> None:
    assert tolerance(2) > tolerance(5) > tolerance(20) > 1.96
    few, many = next_count([8, 10, 12], 1_000), next_count([8, 10, 12] * 8, 1_000)
    assert few.low <= many.low < 10 < many.high <= few.high


@pytest.mark.parametrize("counts", [[0], [0, 0, 0], [50], [50, 50], [0] * 60, [50] * 60, [7, 7]])
def test_an_interval_stays_among_the_people_that_there_are(counts: list[int]) -> None:
    for found, most in ((next_count(counts, 50), 50.0), (share_of(counts, 50), 1.0)):
        assert 0.0 <= found.low <= found.mean <= found.high <= most
        assert found.low < found.high, "none so far is not never, and all not always"


@pytest.mark.parametrize("people", [2, 40, 5_000])
@pytest.mark.parametrize(
    ("before", "after"), [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (3.0, 3.0)]
)
def test_where_all_people_do_the_same_the_lift_has_an_interval_still(
    people: int, before: float, after: float
) -> None:
    """Bonett and Price (2012): nobody who differed so far does not prove that nobody ever will."""
    lift = lift_of([before] * people, [after] * people)
    assert lift.low <= lift.lift <= lift.high
    assert 0.0 < lift.high - lift.low < 20.0 / people
    assert abs(lift.lift) != 1.0 or max(abs(lift.low), abs(lift.high)) == 1.0, "no share is above 1"


def test_the_interval_of_a_lift_is_that_of_the_paper() -> None:
    """Bonett and Price (2012): of n pairs b went one way and c the other."""
    b, c, n = 3, 1, 44
    before, after = [0.0] * b + [1.0] * c + [0.0] * (n - b - c), [1.0] * b + [0.0] * (n - b)
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = CERTAIN * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    lift = lift_of(before, after)
    assert (lift.low, lift.high) == pytest.approx((p - q - half, p - q + half))
