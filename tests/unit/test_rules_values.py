"""Hold what a value, a day and a regular expression can be asked, how long that takes, and what nobody can meet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from agents.rules.calendar import anniversary_from, begins, moment_of
from agents.rules.condition_models import Condition
from agents.rules.operators import value_test
from agents.rules.value_models import PropertyIs
from config.load import DEFAULTS, read_folder, validate_files


def test_no_regular_expression_takes_longer_than_its_text_is_long() -> None:
    """`^(a+)+$` takes Python's `re` seconds for thirty letters: a marketer must not stop a bot by it."""
    holds = value_test(PropertyIs(matches="^(a+)+$"))
    began = process_time()
    assert not holds("a" * 50_000 + "!")
    assert process_time() - began < 1


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ({"trait": {"name": "a", "matches": "(a"}}, "RE2 cannot read it: missing \\)"),
        ({"trait": {"name": "a", "matches": r"(a)\1"}}, "RE2 cannot read it"),
        ({"trait": {"name": "a", "matches": "((a{100}){100}){100}"}}, "RE2 cannot read it"),
        ({"trait": {"name": "a", "at_least": 5, "at_most": 4}}, "nothing lies between"),
        ({"trait": {"name": "a", "equals": 5, "contains": "b"}}, "ask one thing"),
        ({"trait": {"name": "a", "between": [5, 4]}}, "from the lower number to the higher"),
        ({"trait": {"name": "a", "between": [5]}}, "at least 2"),
        ({"trait": {"name": "a", "between": [5, 6], "at_most": 7}}, "ask one thing"),
        ({"event": {"name": "a", "at_least": 3, "at_most": 2}}, "nothing lies between"),
        ({"event": {"name": "a", "at_least": 64, "same": "sku"}}, "count to 63 at most"),
        ({"date": {"trait": "a"}}, "ask one thing"),
        ({"date": {"in_last_days": 3}}, "one of trait, first, last, of"),
        ({"date": {"trait": "a", "before": "2026-02-30"}}, "a day is written like"),
        ({"date": {"trait": "a", "between": ["2026-03-01", "2026-02-01"]}}, "earlier day"),
        ({"date": {"of": "now", "in_last_days": 3}}, "of now"),
        ({"clock": {"hours": {"from": 9, "to": 9}}}, "no hour lies between"),
        ({"sequence": {"steps": ["a"]}}, "at least 2"),
        ({"unfinished": {"start": "a", "finish": "a", "after_hours": 2}}, "the same event"),
        (
            {"unfinished": {"start": "a", "finish": "b", "after_hours": 24, "within_days": 1}},
            "longer than after_hours",
        ),
        (
            {"page": {"contains": "a", "seconds_at_least": 9, "at_least": 64}},
            "count to 63 at most",
        ),
        ({"sequence": {"steps": [{"page": {}}, "a"]}}, "one of starts_with, contains"),
        ({"sequence": {"steps": [{"name": "a", "page": {"contains": "b"}}, "a"]}}, "or a page"),
        ({"orders": {"at_least": 3, "at_most": 2}}, "nothing lies between"),
        ({"responded": {"kind": "opened", "by": "machine", "within_days": 3}}, "only for ever"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_reason(condition: object, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Condition.model_validate(condition)


def test_bounds_the_wrong_way_round_are_told_to_be_swapped() -> None:
    files = read_folder(DEFAULTS)
    text = files["cohorts.yaml"].rstrip("\n")
    more = "  grown:\n    title: Grown\n    when: {trait: {name: age, between: [30, 18]}}\n"
    files["cohorts.yaml"] = f"{text}\n{more}"
    said = [str(each) for each in validate_files(files)]
    (line,) = [each for each in said if "between goes" in each]
    assert f"cohorts.yaml:{text.count(chr(10)) + 4}: " in line
    assert "swap them" in line
    assert "{" not in line
    assert "'" not in line


def test_a_day_begins_at_the_leap_where_clocks_leap_over_midnight() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    start = begins(date(2026, 4, 24), cairo)
    assert start == datetime(2026, 4, 23, 22, tzinfo=UTC)
    assert (start.astimezone(cairo).hour, start.astimezone(cairo).date().day) == (1, 24)


def test_a_time_without_a_zone_is_one_of_the_visitors_and_what_is_none_is_none() -> None:
    zone = ZoneInfo("America/New_York")
    assert moment_of("2026-01-01T10:00:00", zone) == datetime(2026, 1, 1, 15, tzinfo=UTC)
    assert moment_of("2026-01-01T10:00:00Z", zone) == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert moment_of(1_767_261_600_000, zone) == datetime(2026, 1, 1, 10, tzinfo=UTC)
    for value in (None, True, "soon", "", "0001-01-01", "9999-12-31T23:59:59-12:00", 1e300, [], {}):
        assert moment_of(value, zone) is None


def test_an_anniversary_of_29_february_is_the_28th_in_other_years() -> None:
    born = date(2024, 2, 29)
    assert anniversary_from(born, date(2027, 1, 1)) == date(2027, 2, 28)
    assert anniversary_from(born, date(2028, 1, 1)) == date(2028, 2, 29)
    assert anniversary_from(born, date(2023, 1, 1)) == born


@pytest.mark.parametrize(
    ("condition", "line", "problem"),
    [
        ("{all: [{cohort: customers}, {not: {any: [\n{lifecycle: customer}]}}]}", 1, "ruled out"),
        (
            "{all: [{country: BR},\n{all: [{country: NO}]}]}",
            1,
            "`country: BR` and `country: NO` cannot hold at once",
        ),
        (
            "{all: [{trait: {name: a, equals: 1}},\n{trait: {name: a, equals: 2}}]}",
            1,
            "equals: 2}` cannot",
        ),
        (
            "{any: [{in_cart: true}, {all: [{score: {name: interest, from: 9}},\n{score: {name: interest, to: 9}}]}]}",
            1,
            "`score: {name: interest, from: 9}` and",
        ),
        ("{all: [{may_email: true}, {not:\n{may_email: true}}]}", 0, "ruled out"),
    ],
)
def test_a_condition_that_nobody_can_meet_is_an_error_at_its_line(
    condition: str, line: int, problem: str
) -> None:
    files = read_folder(DEFAULTS)
    first = files["cohorts.yaml"].count("\n") + 2
    indented = condition.replace("\n", "\n      ")
    files["cohorts.yaml"] += f"  nobody:\n    when: {indented}\n"
    (error,) = validate_files(files)
    assert problem in error.problem
    assert (error.file, error.line) == ("cohorts.yaml", first + line)
    assert error.hint


def test_a_condition_that_some_can_meet_is_none() -> None:
    files = read_folder(DEFAULTS)
    files["cohorts.yaml"] += """
  some:
    when:
      any:
        - {lifecycle: customer}
        - all: [{lifecycle: lead}, {not: {lifecycle: customer}}, {not: {lifecycle: unknown}}]
        - all: [{score: {name: interest, from: 5}}, {score: {name: interest, to: 9}}]
        - not: {all: [{country: BR}, {country: NO}]}
"""
    assert validate_files(files) == []


def test_a_day_in_digits_is_that_day_and_a_small_number_in_text_is_no_moment() -> None:
    zone = ZoneInfo("America/New_York")
    for day in ("20261130", " 20261130", 20261130, 20261130.0):
        assert moment_of(day, zone) == datetime(2026, 11, 30, 5, tzinfo=UTC)
    assert moment_of("1767261600", zone) == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert moment_of(20261130.5, UTC) == datetime(1970, 8, 23, 12, 5, 30, 500_000, tzinfo=UTC)
    for value in ("2026", "20261345", 20261345, "99999", "-5", None):
        assert moment_of(value, zone) is None
