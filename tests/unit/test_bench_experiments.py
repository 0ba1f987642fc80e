"""Check how the benchmark of split tests counts."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from scripts.bench_experiments import KINDS, LIFTS, RATES, measure, upper_bound


@pytest.mark.parametrize("found", [0, 1, 37, 999, 1_000])
def test_the_bound_is_the_exact_one_of_clopper_and_pearson(found):
    exact = binomtest(found, 1_000).proportion_ci(0.95, method="exact")
    assert upper_bound(found, 1_000) == pytest.approx(exact.high)


def test_equals_have_few_winners_also_in_a_small_measurement():
    said: list[str] = []
    rows = measure(said.append, tests=60, power_tests=10)
    assert len(rows) == len(KINDS) + len(RATES) * len(LIFTS) == len(said)
    assert all(max(row.runs) <= 0.2 for row in rows[: len(KINDS)])
    assert sum(row.value for row in rows[len(KINDS) :]) / 9 > 0.25
