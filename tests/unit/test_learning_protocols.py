"""Check the protocols by which learning is measured, on worlds small enough to know the answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from learning.protocols import opens, randomised, weeks, weeks_worlds
from learning.protocols.inputs import codes_of, standardised
from learning.protocols.logs import logged
from learning.protocols.weeks_peers import PEERS
from learning.serving.send_time import SLOTS

WEEK = SLOTS * 3600
MONDAY = 4 * 86_400
"""The first Monday after the epoch."""


def readers(habits: list[int], count: int) -> weeks.Weeks:
    """Build a log of people who are there at their own slot in each of so many weeks."""
    rows = [
        (f"u{who}", MONDAY + week * WEEK + slot * 3600)
        for who, slot in enumerate(habits)
        for week in range(count)
    ]
    return weeks.weeks_of([who for who, _ in rows], [float(at) for _, at in rows])


# ------------------------------------------------------------------------------ weeks


def test_an_hour_is_hit_by_who_chose_it_or_the_one_before():
    log = readers([10], 5)
    assert log.count == 1
    assert [np.flatnonzero(row).tolist() for row in log.hits] == [[9, 10]] * 5


def test_the_first_hour_of_a_week_is_hit_from_the_last_of_the_week_before():
    log = readers([0], 5)
    assert [np.flatnonzero(row).tolist() for row in log.hits] == [[0, 167]] * 4 + [[0]]


def test_who_is_seldom_there_is_left_out_and_equal_times_count_once():
    often = [("a", MONDAY + week * WEEK) for week in range(weeks.LEAD_WEEKS_MIN)] * 3
    seldom = [("b", MONDAY + week * WEEK) for week in range(weeks.LEAD_WEEKS_MIN - 1)]
    rows = often + seldom
    log = weeks.weeks_of([who for who, _ in rows], [float(at) for _, at in rows])
    assert log.count == 1
    assert len(log.leads) == weeks.LEAD_WEEKS_MIN


@pytest.mark.parametrize(
    ("seconds", "said"), [([0.0, math.nan], "no time"), ([0.0, 1e12], "weeks apart")]
)
def test_times_that_are_none_are_refused(seconds, said):
    with pytest.raises(ValueError, match=said):
        weeks.weeks_of(["a", "a"], seconds)


def test_an_empty_log_is_one_without_leads():
    log = weeks.weeks_of([], [])
    assert log.count == 0
    assert log.by_week() == []


def test_own_habits_are_found_where_everybody_has_another():
    rng = np.random.default_rng(2)
    log = readers(rng.integers(8, 160, 40).tolist(), 12)
    hit = weeks.live_learned(log).hit(rng)
    last = log.week >= 8
    assert hit[last].mean() > 0.9
    assert PEERS["global greedy"](log, rng)[last].mean() < 0.2


def test_everybodys_hour_is_kept_where_nobody_has_a_habit():
    rng = np.random.default_rng(3)
    rows = []
    for week in range(25):
        for who in range(30):
            slot = 34 if rng.random() < 0.5 else int(rng.integers(0, SLOTS))
            rows.append((f"u{who}", MONDAY + week * WEEK + slot * 3600.0))
    log = weeks.weeks_of([who for who, _ in rows], [at for _, at in rows])
    learned = weeks.live_learned(log).hit(rng)
    one = PEERS["global greedy"](log, rng)
    assert learned.mean() > one.mean() - 0.05


def test_most_of_what_own_hours_are_worth_is_won_after_twelve_weeks():
    world = weeks_worlds.made_up(120, 13, np.random.default_rng(0))
    lived = weeks.live_learned(world.log)
    assert weeks_worlds.gain(world, lived, 0) < 0.2
    assert weeks_worlds.gain(world, lived, 4) >= 0.4
    assert weeks_worlds.gain(world, lived, 12) >= 0.8


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_lives_through_any_log(name):
    hit = PEERS[name](readers([10, 50, 50], 6), np.random.default_rng(0))
    assert hit.shape == (18,)
    assert set(hit.tolist()) <= {0.0, 1.0}


# ------------------------------------------------------------------------------ opens


def opened(own: bool, leads: int = 60):
    """Build opens: everybody's hour is the day's campaign, or each lead has an hour of their own on all days."""
    rng = np.random.default_rng(4)
    rows = []
    for lead in range(leads):
        hour = int(rng.integers(6, 22))
        for day in range(7):
            rows += [(f"u{lead}", day, hour if own else 8 + day)] * 2
    return opens.counts_of([u for u, _, _ in rows], [d for _, d, _ in rows], [h for *_, h in rows])


def test_echoes_of_campaigns_are_not_taken_for_habits():
    held = opens.predict(opened(own=False), np.random.default_rng(0))
    total = held.opens.sum()
    assert held.hits[opens.LEARNED].sum() / total == 1.0
    assert held.hits[opens.OWN].sum() / total < 0.5
    assert set(held.priors) == {math.inf}


def test_habits_are_followed_once_they_have_shown_that_it_pays():
    held = opens.predict(opened(own=True), np.random.default_rng(0))
    total = held.opens.sum()
    assert held.hits[opens.LEARNED].sum() / total > 0.95
    assert held.hits[opens.WEEKDAY].sum() / total < 0.5


# ------------------------------------------------------------------------------ randomised tests


def test_a_replay_counts_only_the_rows_whose_arm_was_chosen():
    rng = np.random.default_rng(5)
    arms = rng.integers(0, 2, 4_000)
    test = randomised.Randomised(
        rng.normal(size=(4_000, 2)), arms, (arms == 1).astype(float), ["a", "b"]
    )
    lived = randomised.replay(test, randomised.Learned, rng)
    assert 1_600 < lived.counted < 2_400
    assert lived.mean > 0.9, "the better arm was found"
    assert randomised.replay(test, randomised.Uniform, rng).mean == pytest.approx(0.5, abs=0.04)


def test_where_context_matters_less_than_half_of_the_regret_is_left():
    x, chances = randomised.where_context_matters(8_000, np.random.default_rng(5))
    learned = randomised.regret(x, chances, randomised.Learned, np.random.default_rng(0))
    without = randomised.regret(x, chances, randomised.BetaThompson, np.random.default_rng(0))
    assert learned <= 0.5 * without


def test_where_no_context_matters_nothing_is_lost_for_it():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(8_000, 15))
    chances = np.tile([0.10, 0.16, 0.12], (8_000, 1))
    learned = randomised.regret(x, chances, randomised.Learned, np.random.default_rng(0))
    without = randomised.regret(x, chances, randomised.BetaThompson, np.random.default_rng(0))
    assert learned <= without + 0.003


def test_a_cross_fitted_policy_never_learned_from_the_rows_that_value_it():
    rng = np.random.default_rng(7)
    arms = rng.integers(0, 2, 3_000)
    x = rng.normal(size=(3_000, 4))
    noise = randomised.Randomised(x, arms, rng.normal(size=3_000), ["a", "b"])
    policy, model = randomised.cross_fitted(noise, rng)
    values = randomised.valued(noise, policy, model, np.full(3_000, 0.5))
    assert policy.sum(axis=1) == pytest.approx(np.ones(3_000))
    # Learned from its own rows, it would be worth what it remembers of their noise.
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(3_000)


# ------------------------------------------------------------------------------ logs and columns


def test_a_policy_is_how_often_its_own_log_shows_each_arm_at_each_position():
    places = [("1", "a"), ("1", "b"), ("2", "a"), ("2", "c")]
    other = [("1", "a"), ("1", "a"), ("1", "b"), ("2", "a")]
    log = logged(places, np.full(4, 0.5), np.array([1.0, 0.0, 1.0, 0.0]), other)
    assert log.evaluated == pytest.approx([2 / 3, 1 / 3, 1.0, 0.0])
    assert log.foretold_taken is not None
    assert np.isfinite(log.foretold_taken).all()


def test_text_columns_become_inputs_of_mean_0_and_variance_1():
    inputs = standardised(
        {
            "few": ["1", "2", "", "3"],
            "same": ["x"] * 4,
            "kind": ["a", "b", "a", "c"],
            "wide": ["0", "10", "1000", "inf"],
        }
    )
    assert inputs.shape == (4, 4), "a category is told against its most frequent value"
    assert inputs.mean(axis=0) == pytest.approx(np.zeros(4))
    assert inputs.std(axis=0) == pytest.approx(np.ones(4))
    assert standardised({"same": ["x", "x"]}).shape == (2, 0)


def test_rare_categories_are_one():
    assert codes_of([*"aaabbcd"], 2).tolist() == [0, 0, 0, 1, 1, 2, 2]
