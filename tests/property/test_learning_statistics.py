"""Check what is learned as sums: any order, any number of processes, any numbers at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.evaluation.off_policy import Logged, estimates
from learning.serving.contextual import FLOOR, by_evidence, expected
from learning.serving.hours import SHAPES, belief, best_slots, everybody, own
from learning.serving.send_time import EXPLORED_SLOTS, SLOTS
from learning.training.earned import SHRUNK
from learning.training.ridge import Sums, solve
from learning.training.shapes import Past

ANY = st.floats(allow_nan=True, allow_infinity=True)
SEEDS = st.integers(0, 2**32 - 1)
ARMS, INPUTS = 3, 4
quick = settings(max_examples=60, deadline=None)


def drawn(seed: int, count: int):
    rng = np.random.default_rng(seed)
    return rng.integers(0, ARMS, count), rng.normal(size=(count, INPUTS)), rng.normal(size=count)


@quick
@given(
    means=st.lists(st.lists(ANY, min_size=4, max_size=4), min_size=1, max_size=5),
    answers=st.lists(st.floats(0, 1e9), min_size=4, max_size=4),
    noise=st.floats(0, 1e9),
)
def test_propensities_sum_to_one_and_none_is_below_the_floor(means, answers, noise):
    chances = by_evidence(np.array(means), np.array(answers), noise)
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(means)), abs=1e-12)
    assert (chances >= FLOOR / 4 - 1e-15).all()
    each = [by_evidence(np.array(row), np.array(answers), noise) for row in means]
    assert chances == pytest.approx(np.array(each)), "one lead is decided like many"


@quick
@given(means=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8), answers=st.floats(0, 1e6))
def test_of_arms_known_as_well_a_better_one_is_never_less_likely(means, answers):
    chances = by_evidence(np.array(means), np.full(len(means), answers), 0.2)
    assert (np.diff(chances[np.argsort(means)]) >= -1e-12).all()


@quick
@given(
    seed=SEEDS,
    broken=st.lists(ANY, max_size=6),
    allowed=st.lists(st.integers(0, SLOTS - 1), min_size=1, max_size=30),
    shape=st.sampled_from(SHAPES),
    weeks=st.floats(0, 200),
)
def test_propensities_of_hours_are_exact_whatever_is_stored(seed, broken, allowed, shape, weeks):
    rates = np.random.default_rng(seed).random(SLOTS)
    rates[: len(broken)] = broken
    believed = belief(rates, np.zeros(SLOTS), weeks, shape)
    slots, chances = best_slots(believed, np.isin(np.arange(SLOTS), allowed))
    assert set(slots.tolist()) <= set(allowed)
    assert len(slots) == len(set(slots.tolist())) == min(len(set(allowed)), EXPLORED_SLOTS)
    assert math.fsum(chances.tolist()) == pytest.approx(1.0, abs=1e-12)
    assert (chances > 0.0).all()
    assert believed[slots[0]] == believed[np.array(allowed)].max()


@quick
@given(seed=SEEDS, cuts=st.lists(st.integers(0, 40), max_size=4))
def test_sums_of_several_processes_are_those_of_one_in_any_order(seed, cuts):
    arms, inputs, rewards = drawn(seed, 40)
    whole = Sums.empty(ARMS, INPUTS)
    whole.add(arms, inputs, rewards)
    parts = np.split(np.random.default_rng(seed).permutation(40), sorted(cuts))
    merged = Sums.empty(ARMS, INPUTS)
    for rows in parts:
        part = Sums.empty(ARMS, INPUTS)
        part.add(arms[rows], inputs[rows], rewards[rows])
        merged.merge(part)
    assert merged.squares == pytest.approx(whole.squares, abs=1e-9)
    assert merged.products == pytest.approx(whole.products, abs=1e-9)
    for shrunk in SHRUNK:
        assert solve(merged, shrunk).arms == pytest.approx(solve(whole, shrunk).arms, abs=1e-8)


@quick
@given(seed=SEEDS, by=st.floats(0, 1))
def test_fading_and_merging_may_come_in_any_order(seed, by):
    one, other = Sums.empty(ARMS, INPUTS), Sums.empty(ARMS, INPUTS)
    one.add(*drawn(seed, 20))
    other.add(*drawn(seed + 1, 20))
    first, then = Sums.empty(ARMS, INPUTS), Sums.empty(ARMS, INPUTS)
    for part in (one, other):
        first.merge(part)
    first.fade(by)
    for part in (one, other):
        part.fade(by)
        then.merge(part)
    assert first.squares == pytest.approx(then.squares, abs=1e-9)
    assert first.answers == pytest.approx(then.answers, abs=1e-9)


@quick
@given(
    inputs=st.lists(st.lists(ANY, min_size=INPUTS, max_size=INPUTS), min_size=1, max_size=6),
    rewards=st.lists(ANY, min_size=6, max_size=6),
    arms=st.lists(st.integers(-2, ARMS + 1), min_size=6, max_size=6),
)
def test_whatever_comes_is_refused_or_leaves_a_belief_of_numbers(inputs, rewards, arms):
    count = len(inputs)
    sums = Sums.empty(ARMS, INPUTS)
    told = np.array(arms[:count]), np.array(inputs), np.array(rewards[:count])
    try:
        sums.add(*told)
    except ValueError:
        assert not sums.answers.any()
        assert not sums.squares.any()
        return
    for shrunk in SHRUNK:
        said = expected(solve(sums, shrunk), np.array(inputs))
        assert np.isfinite(said).all()


@quick
@given(seed=SEEDS, cut=st.integers(0, 6))
def test_weeks_of_several_processes_add_up(seed, cut):
    rng = np.random.default_rng(seed)
    leads, hits = rng.permutation(6), rng.random((6, SLOTS)) < 0.1
    whole, one, other = Past.empty(6), Past.empty(6), Past.empty(6)
    for _ in range(3):
        whole.week_over(8.0, leads, hits)
        one.week_over(8.0, leads[:cut], hits[:cut])
        other.week_over(8.0, leads[cut:], hits[cut:])
    other.merge(one)
    assert other.there == pytest.approx(whole.there)
    assert other.rates(1.0) == pytest.approx(whole.rates(1.0))


@quick
@given(seed=SEEDS, shape=st.sampled_from(SHAPES))
def test_a_belief_stays_a_chance(seed, shape):
    rng = np.random.default_rng(seed)
    past = Past.empty(4)
    for _ in range(5):
        leads = np.flatnonzero(rng.random(4) < 0.7)
        past.week_over(shape.half_life, leads, rng.random((len(leads), SLOTS)) < 0.3)
    rates = everybody(past.there.sum(axis=0), float(past.weeks.sum()), shape.kernel)
    said = belief(rates, own(past.there, shape), past.weeks, shape)
    assert ((said >= 0.0) & (said <= 1.0)).all()


@quick
@given(seed=SEEDS, count=st.integers(1, 30))
def test_values_from_a_log_are_those_of_the_formulas_written_as_loops(seed, count):
    rng = np.random.default_rng(seed)
    r, p, e = rng.normal(size=count), rng.uniform(0.05, 1, count), rng.random(count)
    taken, policy = rng.normal(size=(2, count))
    told = {each.method: each.value for each in estimates(Logged(r, p, e, taken, policy))}
    w = [e[i] / p[i] for i in range(count)]
    assert told["ips"] == pytest.approx(sum(w[i] * r[i] for i in range(count)) / count, abs=1e-9)
    weighed = sum(w[i] * r[i] for i in range(count)) / sum(w)
    assert told["snips"] == pytest.approx(weighed, abs=1e-9)
    robust = sum(policy[i] + w[i] * (r[i] - taken[i]) for i in range(count)) / count
    assert told["dr"] == pytest.approx(robust, abs=1e-9)
