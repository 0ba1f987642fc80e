"""Check arms weighed by context: exact sums, shrinking, what has earned its place, and propensities by inverse gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from learning.serving.contextual import (
    FLOOR,
    INPUT_MAX,
    Belief,
    expected,
    gamma_of,
    inverse_gap,
    with_level,
)
from learning.training.earned import SHRUNK, Earned
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
    return Belief(common + apart, common)


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
    before = earned.sums.squares.copy(), earned.gains.copy(), earned.beliefs[1].arms.copy()
    told = np.array(arms), np.array(inputs), np.array(rewards)
    with pytest.raises(ValueError, match=said):
        earned.learn(*told)
    with pytest.raises(ValueError, match=said):
        earned.sums.add(*told)
    assert (earned.sums.squares == before[0]).all()
    assert (earned.gains == before[1]).all()
    assert (earned.beliefs[1].arms == before[2]).all()


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
    assert useful.acting > 0
    assert useless.acting == 0


def test_what_was_earned_fades_with_what_was_learned():
    earned = Earned(ARMS, INPUTS)
    earned.learn(*answers(400))
    before = earned.sums.answers.copy(), earned.gains.copy(), earned.acting
    earned.fade(0.5)
    assert earned.sums.answers == pytest.approx(before[0] / 2)
    assert earned.gains == pytest.approx(before[1] / 2)
    assert earned.answers == pytest.approx(200)
    assert earned.acting == before[2]


def test_probabilities_are_those_of_the_paper():
    chances = inverse_gap(np.array([0.1, 0.3, 0.2]), 90.0)
    unmixed = [1 / (3 + 90 * 0.2), 0.0, 1 / (3 + 90 * 0.1)]
    unmixed[1] = 1.0 - unmixed[0] - unmixed[2]
    assert chances == pytest.approx([(1 - FLOOR) * each + FLOOR / 3 for each in unmixed])


def test_before_any_answer_every_arm_is_as_likely():
    chances = inverse_gap(expected(Earned(4, 2).beliefs[0], np.zeros(2)), gamma_of(0.0))
    assert chances == pytest.approx(np.full(4, 0.25))


def test_a_mean_that_is_no_number_is_never_the_best():
    chances = inverse_gap(np.array([[math.nan, 0.2, 0.1], [math.inf, -math.inf, math.nan]]), 1e6)
    assert chances[0].argmax() == 1
    assert np.isfinite(chances).all()
    assert chances.sum(axis=1) == pytest.approx([1.0, 1.0])
