"""Check arms weighed by context: exact sums, shrinking, what has earned its place, exact propensities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from learning.serving.contextual import (
    FLOOR,
    INPUT_MAX,
    SHARPNESS,
    Belief,
    by_evidence,
    decide,
    with_level,
)
from learning.training.earned import LEVEL_MAX, SHRUNK, SPREAD, Earned
from learning.training.ridge import CONTEXT, INTERCEPT, REWARD_MAX, SHARED, Sums, solve

ARMS, INPUTS = 3, 4


def answers(count: int, seed: int = 0, arms: int = ARMS):
    """Build answers whose reward depends on the arm and, for arm 1, on the first input."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, arms, count)
    inputs = rng.normal(size=(count, INPUTS))
    rewards = 0.1 * chosen + np.where(chosen == 1, 0.3 * inputs[:, 0], 0.0)
    return chosen, inputs, rewards + 0.1 * rng.normal(size=count)


def by_one_large_system(arms, inputs, rewards, own: float) -> Belief:
    """Solve the same ridge regression with all its K · D + D unknowns at once."""
    size = INPUTS + 1
    x = with_level(inputs)
    wide = np.zeros((len(arms), size * (ARMS + 1)))
    wide[:, :size] = x
    for row, arm in enumerate(arms):
        wide[row, size * (arm + 1) : size * (arm + 2)] = x[row]
    prior = [SHARED, *[CONTEXT] * INPUTS, *[INTERCEPT, *[own] * INPUTS] * ARMS]
    weights = np.linalg.solve(wide.T @ wide + np.diag(prior), wide.T @ rewards)
    common, apart = weights[:size], weights[size:].reshape(ARMS, size)
    return Belief(common + apart, common, np.bincount(arms, minlength=ARMS) + INTERCEPT)


@pytest.mark.parametrize("own", [30.0, 1500.0])
def test_the_belief_is_the_exact_posterior_mean(own):
    told = answers(200)
    sums = Sums.empty(ARMS, INPUTS)
    sums.add(*told)
    wanted = by_one_large_system(*told, own)
    belief = solve(sums, own)
    assert belief.arms == pytest.approx(wanted.arms, abs=1e-9)
    assert belief.common == pytest.approx(wanted.common, abs=1e-9)


def test_without_context_arms_differ_in_their_level_alone():
    chosen, _, rewards = answers(200)
    told = chosen, np.zeros((200, INPUTS)), rewards
    sums = Sums.empty(ARMS, INPUTS)
    sums.add(*told)
    assert solve(sums, math.inf).arms == pytest.approx(
        by_one_large_system(*told, 1e9).arms, abs=1e-6
    )


def test_an_arm_without_answers_is_believed_to_be_like_its_siblings():
    chosen, inputs, rewards = answers(300, arms=2)
    for own in SHRUNK:
        sums = Sums.empty(ARMS, INPUTS)
        sums.add(chosen, inputs, rewards)
        belief = solve(sums, own)
        assert belief.arms[2] == pytest.approx(belief.common)
        assert belief.arms[0, 0] < belief.arms[2, 0] < belief.arms[1, 0]


def test_one_by_one_and_all_at_once_are_the_same_sums():
    chosen, inputs, rewards = answers(50)
    whole, single = Sums.empty(ARMS, INPUTS), Sums.empty(ARMS, INPUTS)
    whole.add(chosen, inputs, rewards)
    for arm, x, reward in zip(chosen, with_level(inputs), rewards, strict=True):
        single.add_one(int(arm), x, float(reward))
    assert single.squares == pytest.approx(whole.squares)
    assert single.products == pytest.approx(whole.products)
    assert (single.answers == whole.answers).all()


@pytest.mark.parametrize(
    ("arms", "inputs", "rewards", "said"),
    [
        ([3], [[0.0] * INPUTS], [1.0], "none of the 3"),
        ([-1], [[0.0] * INPUTS], [1.0], "none of the 3"),
        ([0], [[0.0] * INPUTS], [math.nan], "no number"),
        ([0], [[0.0] * INPUTS], [2 * REWARD_MAX], "no number"),
        ([0], [[0.0] * (INPUTS + 1)], [1.0], "inputs"),
        ([0, 1], [[0.0] * INPUTS] * 2, [1.0], "rewards"),
    ],
)
def test_what_is_no_answer_is_refused_and_changes_nothing(arms, inputs, rewards, said):
    earned = Earned(ARMS, INPUTS)
    earned.learn(*answers(100))
    before = earned.sums.squares.copy(), earned.lost.copy(), earned.belief.arms.copy()
    told = np.array(arms), np.array(inputs), np.array(rewards)
    with pytest.raises(ValueError, match=said):
        earned.learn(*told)
    with pytest.raises(ValueError, match=said):
        earned.sums.add(*told)
    assert (earned.sums.squares == before[0]).all()
    assert (earned.lost == before[1]).all()
    assert (earned.belief.arms == before[2]).all()


@pytest.mark.parametrize(
    ("arm", "width", "reward"),
    [(3, 5, 1.0), (-1, 5, 1.0), (0, 6, 1.0), (0, 5, math.nan), (0, 5, -math.inf)],
)
def test_what_is_no_answer_is_refused_alone_too(arm, width, reward):
    sums = Sums.empty(ARMS, INPUTS)
    with pytest.raises(ValueError, match=r"arm|inputs|reward"):
        sums.add_one(arm, np.ones(width), reward)
    assert not sums.squares.any()


def test_an_input_that_is_no_number_or_beyond_all_measure_weighs_like_a_rare_one():
    x = with_level(np.array([math.nan, math.inf, 1e12, -1e12]))
    assert x.tolist() == [1.0, 0.0, 0.0, INPUT_MAX, -INPUT_MAX]


def test_useless_inputs_do_not_act_and_what_foretells_does():
    rng = np.random.default_rng(3)
    useful, useless = Earned(2, 5), Earned(2, 5)
    for _ in range(40):
        arms, inputs = rng.integers(0, 2, 100), rng.normal(size=(100, 5))
        chance = np.clip(0.3 + 0.15 * np.where(arms == 1, inputs[:, 0], 0.0), 0.0, 1.0)
        useful.learn(arms, inputs, (rng.random(100) < chance).astype(float))
        useless.learn(arms, inputs, (rng.random(100) < 0.3).astype(float))
    assert useful.weights[0] < 0.01
    assert useless.weights[0] > 0.4
    assert useless.weights[-1] < 0.05, "what would read most into them has faded out"


def test_what_was_earned_fades_with_what_was_learned():
    earned = Earned(ARMS, INPUTS)
    earned.learn(*answers(400))
    before = earned.sums.answers.copy(), earned.lost.copy(), earned.noise
    earned.fade(0.5)
    assert earned.sums.answers == pytest.approx(before[0] / 2)
    assert earned.lost == pytest.approx(before[1] / 2)
    assert earned.answers == pytest.approx(200)
    assert earned.noise == pytest.approx(before[2], rel=0.2)


def test_probabilities_are_those_of_the_paper():
    means, answers, noise = np.array([0.1, 0.3, 0.2]), np.array([40.0, 10.0, 1.0]), 0.2
    chances = by_evidence(means, answers, noise)
    weights = np.exp(-SHARPNESS * answers * np.array([0.2, 0.0, 0.1]) ** 2 / (2 * noise))
    assert chances == pytest.approx((1 - FLOOR) * weights / weights.sum() + FLOOR / 3)


def test_the_unit_of_rewards_does_not_matter():
    means, answers = np.array([0.1, 0.3, 0.2]), np.array([40.0, 10.0, 5.0])
    cents = by_evidence(100 * means, answers, 100**2 * 0.2)
    assert by_evidence(means, answers, 0.2) == pytest.approx(cents)


def test_of_arms_that_look_alike_the_one_less_known_is_tried_more():
    chances = by_evidence(np.array([0.3, 0.2, 0.2]), np.array([100.0, 100.0, 5.0]), 0.1)
    assert chances[2] > 5 * chances[1]


def test_before_any_answer_every_arm_is_as_likely():
    earned = Earned(4, 2)
    means = earned.means(np.zeros((1, 2)))
    assert by_evidence(means, earned.belief.answers, earned.noise) == pytest.approx(
        np.full((1, 4), 0.25)
    )


def test_a_prior_level_is_worth_more_the_less_arms_differ_beside_the_noise():
    rng = np.random.default_rng(0)
    for rate, unit in ((0.05, 1.0), (0.4, 1.0), (0.4, 1_000.0)):
        earned = Earned(2, 1)
        assert earned.level == LEVEL_MAX, "nothing is known of any level"
        for _ in range(50):
            arms, inputs = rng.integers(0, 2, 100), rng.normal(size=(100, 1))
            earned.learn(arms, inputs, unit * (rng.random(100) < rate))
        assert earned.level == pytest.approx((1 - rate) / (SPREAD**2 * rate), rel=0.25)


def test_two_bad_answers_do_not_shut_an_arm_out():
    earned = Earned(2, 1)
    arms, none = np.array([0] * 300 + [1] * 20), np.zeros((320, 1))
    earned.learn(arms, none, np.array([1.0, *[0.0] * 9] * 30 + [0.0] * 20))
    chances = by_evidence(earned.means(none[:1]), earned.belief.answers, earned.noise)[0]
    assert chances[1] > 0.1


def test_the_drawn_arm_is_that_of_the_uniform_number():
    earned = Earned(3, 2)
    earned.learn(np.array([0, 1, 2] * 30), np.zeros((90, 2)), np.array([0.0, 0.5, 0.4] * 30))
    x = np.array([0.1, -0.2])
    _, chances = decide(earned.belief, earned.noise, x, 0.0)
    edges = [0.0, *np.cumsum(chances)]
    for arm in range(3):
        middle = (edges[arm] + edges[arm + 1]) / 2
        assert decide(earned.belief, earned.noise, x, float(middle))[0] == arm
    assert decide(earned.belief, earned.noise, x, 1.0 - 1e-17)[0] == 2


def test_the_noise_is_what_the_belief_that_acts_left_unsaid():
    earned = Earned(2, 1)
    rng = np.random.default_rng(0)
    for _ in range(20):
        arms = rng.integers(0, 2, 100)
        earned.learn(arms, rng.normal(size=(100, 1)), 3.0 + 2.0 * rng.normal(size=100))
    assert earned.noise == pytest.approx(4.0, rel=0.1)


def test_rewards_that_never_vary_leave_one_arm():
    chances = by_evidence(np.array([1.0, 0.5]), np.array([10.0, 10.0]), 0.0)
    assert chances == pytest.approx([1 - FLOOR / 2, FLOOR / 2])


def test_a_mean_that_is_no_number_is_never_the_best():
    means = np.array([[math.nan, 0.2, 0.1], [math.inf, -math.inf, math.nan]])
    chances = by_evidence(means, np.full(3, 1e6), 0.1)
    assert chances[0].argmax() == 1
    assert np.isfinite(chances).all()
    assert chances.sum(axis=1) == pytest.approx([1.0, 1.0])
