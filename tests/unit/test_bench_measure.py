"""Hold the benchmark's own arithmetic: medians, ratios, limits, and the JSON that others read."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.bench_measure import Pair, limit_row, percentile, row_of, table, write_json

KEYS = {"name", "value", "unit", "against", "ratio", "low", "high", "runs"}


def test_a_ratio_is_the_median_of_the_runs_own_ratios() -> None:
    # The machine was twice as busy in the second run: both sides slowed down alike.
    pairs = [Pair(40.0, 100.0), Pair(20.0, 50.0), Pair(50.0, 100.0)]
    row = row_of("intake", "events/s", pairs, against="insert_many", goal=0.3)
    assert (row.value, row.ratio, row.low, row.high) == (40.0, 0.4, 20.0, 50.0)
    assert row.reached


def test_what_is_not_reached_is_said_in_the_table() -> None:
    low = row_of("processed", "events/s", [Pair(3.0, 10.0)], against="raw", goal=0.4)
    late = limit_row("latency", "ms", [700.0, 600.0, 400.0], 500.0, below=True)
    fast = limit_row("simulator", "events/s", [21_000.0], 20_000.0, below=False)
    assert [row.reached for row in (low, late, fast)] == [False, False, True]
    assert table([low, late, fast]).count("NOT REACHED") == 2


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(each) for each in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)
    assert percentile([7.0], 0.99) == 7.0


def test_the_json_has_commit_machine_and_rows(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    write_json(file, [limit_row("a", "ms", [1.0], 2.0, below=True)])
    told = json.loads(file.read_text())
    assert set(told) == {"commit", "machine", "rows"}
    assert set(told["rows"][0]) >= KEYS
