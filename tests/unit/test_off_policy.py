"""Check the values of policies from the logs of others: published formulas, their intervals, and when to be silent."""

from __future__ import annotations

import math

import numpy as np
import pytest

from learning.evaluation.off_policy import (
    EFFECTIVE_MIN,
    Logged,
    Z,
    checked,
    doubly_robust,
    estimates,
    ips,
    limit_of,
    snips,
    switching,
)
from learning.evaluation.off_policy_worlds import coverage, made_up

# Five answers: rewards, propensities of what was taken, and the evaluated policy's probability of the same.
REWARDS = [1.0, 0.0, 1.0, 0.0, 1.0]
TAKEN_BY = [0.5, 0.25, 0.8, 0.5, 0.025]
EVALUATED = [0.25, 0.5, 0.8, 0.0, 0.5]
FORETOLD = [0.6, 0.2, 0.7, 0.3, 0.5]
FORETOLD_POLICY = [0.5, 0.4, 0.6, 0.2, 0.3]
WEIGHTS = [0.5, 2.0, 1.0, 0.0, 20.0]


def five() -> Logged:
    return Logged(
        np.array(REWARDS),
        np.array(TAKEN_BY),
        np.array(EVALUATED),
        np.array(FORETOLD),
        np.array(FORETOLD_POLICY),
    )


def test_inverse_propensities_by_hand():
    # Horvitz and Thompson: (0.5·1 + 2·0 + 1·1 + 0·0 + 20·1) / 5
    assert ips(five()).value == pytest.approx(21.5 / 5, abs=1e-12)


def test_self_normalised_by_hand():
    # Swaminathan and Joachims: the same sum over the sum of the weights
    assert snips(five()).value == pytest.approx(21.5 / 23.5, abs=1e-12)


def test_doubly_robust_by_hand():
    # Dudík, Langford, Li: q(policy) + w (r − q)
    each = [0.5 + 0.5 * 0.4, 0.4 - 2 * 0.2, 0.6 + 1 * 0.3, 0.2, 0.3 + 20 * 0.5]
    assert doubly_robust(five()).value == pytest.approx(sum(each) / 5, abs=1e-12)


def test_switching_trusts_the_model_alone_above_its_limit():
    # Wang, Agarwal, Dudík: the weight of 20 is above the limit
    each = [0.5 + 0.5 * 0.4, 0.4 - 2 * 0.2, 0.6 + 1 * 0.3, 0.2, 0.3]
    assert switching(five(), above=10.0).value == pytest.approx(sum(each) / 5, abs=1e-12)
    assert switching(five(), above=100.0).value == pytest.approx(doubly_robust(five()).value)


def test_a_model_speaks_alone_only_where_its_bias_costs_less_than_the_weights():
    rare = np.arange(2_000) % 1_000 == 0
    propensities, evaluated = np.where(rare, 0.001, 0.5), np.full(2_000, 0.5)
    rewards = np.where(rare, 1.0, 0.5)
    right = Logged(rewards, propensities, evaluated, rewards - 0.001, rewards)
    wrong = Logged(rewards, propensities, evaluated, rewards - 0.9, rewards)
    assert limit_of(right) < 500 < limit_of(wrong)
    assert switching(wrong).value == pytest.approx(doubly_robust(wrong).value)


def test_the_effective_number_of_answers_is_kishs():
    assert five().effective == pytest.approx(23.5**2 / (0.25 + 4 + 1 + 400))
    equal = Logged(np.ones(7), np.full(7, 0.5), np.full(7, 0.5))
    assert equal.effective == pytest.approx(7.0)


def test_the_interval_of_a_mean_is_the_normal_one():
    values = np.array(WEIGHTS) * np.array(REWARDS)
    error = values.std(ddof=1) / math.sqrt(5)
    told = ips(five())
    assert (told.low, told.high) == pytest.approx((4.3 - Z * error, 4.3 + Z * error))


def test_a_policy_valued_on_its_own_log_has_the_logs_mean():
    logged = Logged(np.array([1.0, 0.0, 0.0, 1.0]), np.full(4, 0.3), np.full(4, 0.3))
    assert [ips(logged).value, snips(logged).value] == pytest.approx([0.5, 0.5])


def test_a_log_that_overlaps_too_little_gets_no_verdict_and_says_why():
    told = ips(five())
    assert not told.verdict
    assert "effective answers, fewer than 1,000" in told.reason
    count = int(EFFECTIVE_MIN)
    enough = ips(Logged(np.ones(count), np.full(count, 0.5), np.full(count, 0.5)))
    assert enough.verdict
    assert enough.reason == ""


def test_a_policy_that_takes_nothing_of_what_was_taken_gets_no_verdict():
    logged = Logged(np.ones(2_000), np.full(2_000, 0.5), np.zeros(2_000))
    assert [each.verdict for each in estimates(logged)] == [False, False]
    assert math.isnan(snips(logged).value)


def test_an_empty_log_gets_no_verdict():
    empty = Logged(np.zeros(0), np.zeros(0), np.zeros(0))
    assert [each.verdict for each in estimates(empty)] == [False, False]


def test_without_a_model_only_the_weighted_values_are_told():
    logged = Logged(np.array(REWARDS), np.array(TAKEN_BY), np.array(EVALUATED))
    assert [each.method for each in estimates(logged)] == ["ips", "snips"]
    with pytest.raises(ValueError, match="foretold_taken and foretold_policy"):
        doubly_robust(logged)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"propensities": [0.5, 0.25, 0.8, 0.5, 0.0]}, "propensities must lie in"),
        ({"propensities": [0.5, 0.25, 0.8, 0.5, 1.5]}, "propensities must lie in"),
        ({"evaluated": [0.5, 0.25, 0.8, 0.5, -0.1]}, "evaluated must lie in"),
        ({"rewards": [1.0, math.nan, 0.0, 0.0, 0.0]}, "rewards holds a value that is no number"),
        ({"foretold_taken": [math.inf] * 5}, "foretold_taken holds a value that is no number"),
        ({"evaluated": [0.5] * 4}, "evaluated has 4 values, rewards has 5"),
    ],
)
def test_what_is_no_log_is_refused_with_its_reason(changed, said):
    parts = {
        "rewards": REWARDS,
        "propensities": TAKEN_BY,
        "evaluated": EVALUATED,
        "foretold_taken": FORETOLD,
        "foretold_policy": FORETOLD_POLICY,
    } | changed
    with pytest.raises(ValueError, match=said):
        checked(Logged(**{name: np.array(values) for name, values in parts.items()}))


def test_a_made_up_logs_policy_has_the_value_that_its_world_says():
    rng = np.random.default_rng(1)
    for world in [made_up(20_000, rng) for _ in range(3)]:
        for each in estimates(world.logged):
            assert each.value == pytest.approx(world.truth, abs=0.03)
            assert each.verdict


def test_intervals_hold_the_truth_in_about_95_percent_of_made_up_logs():
    covered = coverage(logs=150, answers=5_000, rng=np.random.default_rng(7))
    assert set(covered) == {"ips", "snips", "dr", "switch-dr"}
    for method, found in covered.items():
        assert found.verdicts > 75
        # On 100 logs the share itself is off by .022 (one standard error).
        assert found.share >= 0.89, f"{method}: {found}"
