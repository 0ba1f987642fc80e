"""The benchmark of the rules: what it compares differs in the number of cohorts alone, and its year has bounds."""

from __future__ import annotations

from scripts.bench_cohorts import IN_ALL, OF_PATH, bare_view_of, measure, view_of
from scripts.bench_measure import Row


def test_five_cohorts_are_held_against_five_hundred() -> None:
    few, many = bare_view_of(0).rules, bare_view_of(IN_ALL - len(OF_PATH)).rules
    assert set(few.cohorts) == OF_PATH
    assert (len(few.cohorts), len(many.cohorts)) == (5, 500)
    assert (few.interactions, list(few.paths)) == ({}, ["lead-to-customer"])
    assert few.paths == many.paths
    assert len(view_of(0).rules.interactions) > 0


def test_the_rows_say_cost_and_bytes() -> None:
    rows: dict[str, Row] = {row.name: row for row in measure(lambda _: None, events=200, runs=1)}
    assert list(rows) == ["rules", "rules_routine", "rules_memory"]
    assert "with 5 cohorts" in rows["rules"].notes[0]
    assert "with 15 cohorts" in rows["rules_routine"].notes[0]
    assert rows["rules_memory"].reached, rows["rules_memory"].notes
