"""Check beliefs in hours of the week: shrinking, sharing, exact propensities, and how a shape comes to act."""

from __future__ import annotations

import math

import numpy as np
import pytest

from learning.serving.hours import (
    FIRST,
    LEVEL,
    SHAPES,
    Shape,
    belief,
    best_slots,
    everybody,
    kept,
    own,
    spread,
)
from learning.serving.send_time import EXPLORED, SLOTS
from learning.training.shapes import HALF_LIFE_WEEKS, LEAD, Past, Shapes

ALONE = Shape(math.inf, 0.0, 0.0, 10.0)
MONDAY_9, TUESDAY_9 = 9, 24 + 9


def weeks_at(slot: int, weeks: float) -> np.ndarray:
    """Build the counts of somebody who was there in one slot in each of these weeks."""
    there = np.zeros(SLOTS)
    there[slot] = weeks
    return there


def test_who_has_shown_nothing_has_everybodys_hours():
    rates = np.linspace(0.0, 0.5, SLOTS)
    said = belief(rates, own(np.zeros(SLOTS), ALONE), 0.0, ALONE)
    assert said == pytest.approx(rates)


def test_a_leads_own_weeks_weigh_against_everybodys_as_the_prior_says():
    rates = np.full(SLOTS, 0.1)
    said = belief(rates, own(weeks_at(MONDAY_9, 10.0), ALONE), 10.0, ALONE)
    assert said[MONDAY_9] == pytest.approx((10 * 0.1 + 10) / 20)
    assert said[TUESDAY_9] == pytest.approx(10 * 0.1 / 20)


def test_the_same_hour_of_other_days_says_what_the_shape_lets_it_say():
    shape = Shape(math.inf, 0.0, 0.5, 10.0)
    said = own(weeks_at(MONDAY_9, 4.0), shape)
    assert said[MONDAY_9] == pytest.approx(4.0)
    assert said[TUESDAY_9] == pytest.approx(2.0)
    assert said[TUESDAY_9 + 1] == 0.0


def test_neighbouring_hours_share_over_the_weeks_end():
    said = own(weeks_at(0, 1.0), Shape(math.inf, 1.0, 0.0, 10.0))
    assert said.sum() == pytest.approx(1.0)
    assert said[SLOTS - 1] == pytest.approx(said[1])
    assert said[0] > said[1] > said[2] > 0.0


def test_what_a_count_says_is_shared_with_all_and_cannot_be_written_to():
    assert spread(1.0, 0.0).sum(axis=1) == pytest.approx(np.ones(SLOTS))
    assert spread(1.0, 0.5).sum(axis=1) == pytest.approx(np.full(SLOTS, 4.0))
    with pytest.raises(ValueError, match="read-only"):
        spread(1.0, 0.0)[0, 0] = 2.0


def test_before_any_week_every_hour_is_alike():
    assert everybody(np.zeros(SLOTS), 0.0, 1.0) == pytest.approx(np.full(SLOTS, LEVEL))


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_broken_number_counts_as_nothing(broken):
    rates = np.full(SLOTS, 0.1)
    rates[3] = broken
    said = belief(rates, np.zeros(SLOTS), 0.0, ALONE)
    assert said[3] == 0.0
    assert np.isfinite(said).all()


def test_the_best_allowed_slot_has_95_percent_and_the_twelve_best_share_5_evenly():
    believed = np.arange(SLOTS, dtype=float)
    slots, chances = best_slots(believed, np.arange(SLOTS) < 100)
    assert slots.tolist() == list(range(99, 87, -1))
    assert chances[0] == pytest.approx(1 - EXPLORED + EXPLORED / 12)
    assert chances[1:] == pytest.approx(np.full(11, EXPLORED / 12))


def test_equal_slots_are_ranked_by_their_number():
    slots, chances = best_slots(np.zeros(SLOTS), np.isin(np.arange(SLOTS), [7, 5, 6]))
    assert slots.tolist() == [5, 6, 7]
    assert chances.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (np.zeros(SLOTS, bool), "no hour of the week is allowed"),
        (np.ones(24, bool), "each of the 168 hours"),
        (np.ones(SLOTS), "yes or no"),
    ],
)
def test_what_allows_no_hour_is_refused(allowed, said):
    with pytest.raises(ValueError, match=said):
        best_slots(np.zeros(SLOTS), allowed)


def test_a_week_fades_to_a_half_in_a_half_life():
    past = Past.empty(1)
    hits = np.zeros((1, SLOTS), dtype=bool)
    hits[0, 5] = True
    past.week_over(4.0, np.array([0]), hits)
    for _ in range(4):
        past.week_over(4.0, np.array([], dtype=np.int64), np.zeros((0, SLOTS), dtype=bool))
    assert past.there[0, 5] == pytest.approx(0.5)
    assert past.weeks[0] == pytest.approx(0.5)
    assert kept(4.0) ** 4 == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("leads", "hits", "said"),
    [
        ([0, 0], np.zeros((2, SLOTS), bool), "twice"),
        ([2], np.zeros((1, SLOTS), bool), "none of the 2"),
        ([-1], np.zeros((1, SLOTS), bool), "none of the 2"),
        ([0], np.zeros((1, 24), bool), "168 slots"),
        ([0], np.full((1, SLOTS), 1e4), "yes or no"),
    ],
)
def test_what_is_no_week_is_refused_and_changes_nothing(leads, hits, said):
    past = Past.empty(2)
    past.week_over(8.0, np.array([0]), np.ones((1, SLOTS), bool))
    before = past.there.copy(), past.weeks.copy()
    with pytest.raises(ValueError, match=said):
        past.week_over(8.0, np.array(leads), hits)
    assert (past.there == before[0]).all()
    assert (past.weeks == before[1]).all()


def test_the_middle_shape_acts_until_another_leads_by_more_than_luck():
    shapes = Shapes()
    assert shapes.acting == FIRST
    ahead = np.zeros(len(SHAPES))
    ahead[3] = LEAD - 0.5
    shapes.week_over(ahead)
    assert shapes.acting == FIRST
    shapes.week_over(ahead)
    assert shapes.acting == 3


def test_another_shape_leads_when_the_world_has_changed():
    shapes = Shapes()
    first, then = np.zeros(len(SHAPES)), np.zeros(len(SHAPES))
    first[3], then[5] = 10.0, 10.0
    for _ in range(50):
        shapes.week_over(first)
    weeks = 0
    while shapes.acting != 5:
        shapes.week_over(then)
        weeks += 1
    assert weeks <= 2 * HALF_LIFE_WEEKS, "what was learned in fifty weeks does not act for long"


@pytest.mark.parametrize("broken", [math.nan, math.inf, -1.0])
def test_scores_that_are_no_counts_are_refused_and_change_nothing(broken):
    shapes = Shapes()
    hits = np.zeros(len(SHAPES))
    hits[0] = broken
    with pytest.raises(ValueError, match="count"):
        shapes.week_over(hits)
    assert not shapes.hits.any()
