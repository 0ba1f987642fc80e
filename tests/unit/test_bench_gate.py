"""Check how the benchmark of the publication gate counts."""

from __future__ import annotations

from scripts.bench_gate import CANDIDATES, measure


def test_a_small_measurement_has_a_row_for_updates_each_candidate_and_the_cost():
    said: list[str] = []
    rows = measure(said.append, worlds=4)
    updates, candidates, cost = rows[:2], rows[2 : 2 + len(CANDIDATES)], rows[-1]
    assert len(rows) == 2 + len(CANDIDATES) + 1
    assert len(said) == 4
    assert all(row.runs[0] <= 0.1 for row in updates)
    assert [row.runs[0] >= 0.5 for row in candidates] == [True, True, False]
    assert len(cost.runs) == 4
