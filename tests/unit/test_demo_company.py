"""In the demo the world goes slowly while a person is in the shop, and no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from scripts.demo_company import LINGERS_SECONDS, SPEED, STAYS_SECONDS, Company

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOLD = {
    "first_sale_seconds": 20.0,
    "rows_taken": 3.0,
    "rows_of": 11.0,
    "spare_seconds": 200.0,
}
SPENT = SOLD | {"spare_seconds": 0.0}
ALL = SPENT | {"rows_taken": 11.0}


def held(company: Company, seconds: float, demo: dict[str, float], *, watched: bool = True):
    return company.held(NOON, seconds, demo, watched=watched)


def test_nobody_in_the_shop_holds_nothing() -> None:
    assert held(Company(), 0.0, ALL) is None
    assert held(Company(), 0.0, ALL, watched=False) is None


def test_while_somebody_is_there_the_world_goes_so_fast_and_no_faster() -> None:
    company = Company()
    company.seen(0.0)
    for seconds in (0.0, 1.0, 20.0, STAYS_SECONDS - 1.0):
        assert held(company, seconds, ALL) == NOON + timedelta(seconds=seconds * SPEED)
    assert held(company, STAYS_SECONDS, ALL) is None


def test_who_closed_the_shop_holds_it_only_a_little_longer() -> None:
    company = Company()
    company.seen(0.0)
    assert held(company, LINGERS_SECONDS - 1.0, ALL, watched=False) is not None
    assert held(company, LINGERS_SECONDS, ALL, watched=False) is None


def test_another_page_is_the_same_stay_and_one_after_it_a_new_one() -> None:
    company = Company()
    for seconds in (0.0, 100.0, 200.0):
        company.seen(seconds)
        assert held(company, seconds, ALL) == NOON + timedelta(seconds=seconds * SPEED)
    assert held(company, 400.0, ALL) is None
    company.seen(500.0)
    later = NOON + timedelta(days=1)
    assert company.held(later, 500.0, ALL, watched=True) == later


def test_before_the_first_sale_nobody_slows_the_world_and_then_who_came_before_does() -> None:
    company = Company()
    company.seen(0.0)
    assert held(company, 1.0, {}) is None
    assert held(company, 1.0, {"rows_taken": 1.0, "rows_of": 11.0}) is None
    assert held(company, 9.0, SOLD) == NOON


def test_without_time_to_spare_nobody_slows_it_until_every_row_was_taken() -> None:
    company = Company()
    company.seen(0.0)
    assert held(company, 1.0, SOLD) is not None
    assert held(company, 2.0, SPENT) is None
    assert held(company, 3.0, SOLD) is None, "it would go by fits and starts"
    assert held(company, 4.0, ALL) is not None
