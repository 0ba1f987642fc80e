"""The intervals that a simulation states: what further audiences come to lies in them as often as they say."""

from __future__ import annotations

import pytest

from scripts.bounds import next_count, share_of, tolerance
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


@pytest.mark.parametrize("counts", [[0], [0, 0, 0], [50], [50, 50]])
def test_an_interval_stays_among_the_people_that_there_are(counts: list[int]) -> None:
    for found, most in ((next_count(counts, 50), 50.0), (share_of(counts, 50), 1.0)):
        assert 0.0 <= found.low <= found.mean <= found.high <= most
    assert next_count(counts, 50).low < next_count(counts, 50).high, "none so far is not never"
