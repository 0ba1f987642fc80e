"""In the demo the world goes slowly while a person is in the shop, and no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from scripts.demo_company import SLOW_SECONDS_MAX, SPEED, STAYS_SECONDS, Company

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOLD = {"first_sale_seconds": 20.0, "rows_taken": 3.0, "rows_of": 11.0}
ALL = SOLD | {"rows_taken": 11.0}


def test_nobody_in_the_shop_holds_nothing() -> None:
    assert Company().held(0.0, ALL) is None


def test_while_somebody_is_there_the_world_goes_so_fast_and_no_faster() -> None:
    company = Company()
    company.seen(NOON, 0.0)
    for seconds in (0.0, 1.0, 20.0, 40.0):
        assert company.held(seconds, ALL) == NOON + timedelta(seconds=seconds * SPEED)
    assert company.held(STAYS_SECONDS, ALL) is None


def test_another_page_is_the_same_stay_and_one_after_it_a_new_one() -> None:
    company = Company()
    company.seen(NOON, 0.0)
    company.seen(NOON + timedelta(minutes=17), 34.0)
    assert company.held(60.0, ALL) == NOON + timedelta(minutes=30)
    later = NOON + timedelta(days=1)
    company.seen(later, 200.0)
    assert company.held(200.0, ALL) == later


def test_before_the_first_sale_nobody_slows_the_world() -> None:
    company = Company()
    company.seen(NOON, 0.0)
    assert company.held(1.0, {}) is None
    assert company.held(1.0, {"rows_taken": 1.0, "rows_of": 11.0}) is None


def test_before_every_row_was_taken_all_stays_together_are_bounded() -> None:
    company = Company()
    slow = 0
    for second in range(600):
        company.seen(NOON, float(second))
        slow += company.held(second + 0.5, SOLD) is not None
    assert SLOW_SECONDS_MAX - 2 <= slow <= SLOW_SECONDS_MAX + 2
    company.seen(NOON, 700.0)
    assert company.held(700.0, ALL) == NOON
