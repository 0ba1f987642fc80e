"""Check the statistics of split tests: against formulas of the literature, and by all that can happen."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom, multinomial

from learning.evaluation.experiment import (
    ALPHA,
    HOLDOUT,
    RATIO_ALPHA,
    Count,
    begin,
    learn,
    strengths,
)
from learning.evaluation.sequential import (
    LIFTS,
    OUTCOMES,
    grown,
    log_bets,
    log_evidence,
    log_needed,
    log_ratio_evidence,
    rate_interval,
)
from learning.evaluation.watching import counts_at_looks, decide, watch
from learning.serving.split_test import ALARM, NO_DIFFERENCE, RUNNING, WINNER
from tests.experiment_builders import a_test, seeded


def probabilities(share: float, better: float, other: float) -> np.ndarray:
    """Return how likely each outcome of two variants is."""
    return np.array(
        [share * better, share * (1 - better), (1 - share) * other, (1 - share) * (1 - other)]
    )


@pytest.mark.parametrize("pooled", [0.001, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("rate", [0.0, 0.02, 0.5, 1.0])
def test_a_bet_is_fair_among_equals_whatever_their_rate(pooled, share, rate):
    gains = np.exp(log_bets(pooled, share)) @ probabilities(share, rate, rate)
    assert gains == pytest.approx(np.ones(len(LIFTS)))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_bet_loses_on_a_worse_variant_and_gains_on_one_as_good_as_betted(share):
    losing = np.exp(log_bets(0.1, share)) @ probabilities(share, 0.09, 0.11)
    assert (losing < 1.0).all()
    for place, lift in enumerate(LIFTS):
        better, other = 0.1 * (1 + (1 - share) * lift), 0.1 * (1 - share * lift)
        growth = log_bets(0.1, share)[place] @ probabilities(share, better, other)
        assert growth > 0.0


def test_all_ways_six_visitors_can_go_come_to_an_evidence_of_one_on_average():
    total = 0.0
    share, rate = 0.3, 0.4
    chances = probabilities(share, rate, rate)
    for way in itertools.product(range(OUTCOMES), repeat=6):
        logs, seen = np.zeros(len(LIFTS)), np.zeros(OUTCOMES)
        for outcome in way:
            one = np.eye(OUTCOMES)[outcome]
            logs = grown(logs, seen, one, share)
            seen += one
        total += math.exp(log_evidence(logs)) * float(np.prod(chances[list(way)]))
    assert total == pytest.approx(1.0)


def test_a_bundle_grows_the_evidence_like_its_visitors_at_the_same_rate():
    seen, bundle = np.array([10.0, 90.0, 8.0, 92.0]), np.array([3.0, 7.0, 1.0, 9.0])
    bets = log_bets((18 + 2) / (200 + 20), 0.5)
    assert grown(np.zeros(len(LIFTS)), seen, bundle, 0.5) == pytest.approx(bets @ bundle)


@pytest.mark.parametrize(("yes", "visitors"), [(0, 40), (3, 50), (25, 50), (50, 50)])
def test_the_ends_of_an_interval_are_where_the_beta_binomial_martingale_reaches_its_bound(
    yes, visitors
):
    ends = rate_interval(yes, visitors, 0.05)
    mixed = math.exp(
        math.lgamma(yes + 0.5)
        + math.lgamma(visitors - yes + 0.5)
        - math.lgamma(visitors + 1.0)
        - math.log(math.pi)
    )
    for end in ends:
        if 0.0 < end < 1.0:
            at_end = binom.pmf(yes, visitors, end) / math.comb(visitors, yes)
            assert mixed / at_end == pytest.approx(20.0, rel=1e-6)
    assert ends[0] <= yes / visitors <= ends[1]


def test_an_interval_holds_the_rate_at_every_one_of_two_thousand_looks():
    draws = seeded(11).random((200, 2_000)) < 0.1
    missed = 0
    for yes in draws.cumsum(axis=1):
        looks = ((int(yes[n - 1]), n) for n in range(1, 2_001))
        ends = (rate_interval(*look) for look in itertools.islice(looks, 0, None, 20))
        missed += any(not low <= 0.1 <= high for low, high in ends)
    assert missed <= 10


def test_no_rate_is_known_of_nobody_and_more_conversions_than_visitors_are_refused():
    assert rate_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 of 2 visitors"):
        rate_interval(3, 2)


def test_the_evidence_of_the_ratio_is_one_on_average_where_the_shares_hold():
    shares, visitors = [0.5, 0.3, 0.2], 9
    total = 0.0
    for a in range(visitors + 1):
        for b in range(visitors + 1 - a):
            counts = [a, b, visitors - a - b]
            chance = multinomial.pmf(counts, visitors, shares)
            total += chance * math.exp(log_ratio_evidence(counts, shares))
    assert total == pytest.approx(1.0)


def test_a_winner_of_two_needs_evidence_of_forty_and_each_more_variant_more():
    assert math.exp(log_needed(2, 0.05)) == pytest.approx(40.0)
    assert math.exp(log_needed(5, 0.05)) == pytest.approx(100.0)


def test_a_clear_winner_is_named_once_the_fewest_are_enough_and_stays():
    experiment = begin(a_test(a=0.5, b=0.5, visitors_min=200))
    learn(experiment, {"a": Count(199, 20), "b": Count(199, 60)})
    assert experiment.verdict == RUNNING
    assert strengths(experiment)["b"] >= 1.0
    learn(experiment, {"a": Count(1, 0), "b": Count(1, 0)})
    assert (experiment.verdict, experiment.winner) == (WINNER, "b")
    learn(experiment, {"a": Count(500, 250), "b": Count(500, 0)})
    assert (experiment.verdict, experiment.winner) == (WINNER, "b")
    assert experiment.counts["a"] == Count(700, 270)


def test_a_test_of_equals_ends_without_a_winner_at_its_largest_sample():
    experiment = begin(a_test(a=0.5, b=0.5, visitors_max=1_000))
    learn(experiment, {"a": Count(999, 100), "b": Count(1_000, 101)})
    assert experiment.verdict == RUNNING
    learn(experiment, {"a": Count(1, 0)})
    assert (experiment.verdict, experiment.winner) == (NO_DIFFERENCE, "")


def test_a_variant_that_loses_its_visitors_raises_the_alarm_before_any_winner():
    experiment = begin(a_test(a=0.5, b=0.5))
    learn(experiment, {"a": Count(600, 60), "b": Count(400, 200)})
    assert (experiment.verdict, experiment.winner) == (ALARM, "")


def test_the_alarm_is_raised_behind_a_verdict_too():
    """Those who had been assigned while the test ran are counted when they are known."""
    experiment = begin(a_test(a=0.5, b=0.5, visitors_min=200))
    learn(experiment, {"a": Count(200, 20), "b": Count(200, 60)})
    assert (experiment.verdict, experiment.winner) == (WINNER, "b")
    learn(experiment, {"a": Count(1_000, 100), "b": Count(100, 30)})
    assert (experiment.verdict, experiment.winner) == (ALARM, "")


def test_uneven_shares_that_hold_are_no_alarm():
    experiment = begin(a_test(a=0.8, b=0.2))
    learn(experiment, {"a": Count(800, 80), "b": Count(200, 20)})
    assert experiment.verdict == RUNNING


def test_held_out_visitors_are_counted_and_decide_nothing():
    experiment = begin(a_test(a=0.5, b=0.5))
    learn(experiment, {HOLDOUT: Count(5_000, 4_000)})
    assert experiment.verdict == RUNNING
    assert experiment.counts[HOLDOUT] == Count(5_000, 4_000)
    assert set(strengths(experiment).values()) == {0.0}


def test_watching_many_tests_at_once_comes_to_what_each_test_comes_to_by_itself():
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    counts = counts_at_looks([0.1, 0.1, 0.3], [*shares.values()], (12, 900), seeded(2))
    watched = decide(counts, [*shares.values()], visitors_min=30)
    for place, test in enumerate(counts):
        experiment = begin(a_test(visitors_min=30, **shares))
        for look in np.diff(test, axis=0, prepend=0):
            arms = zip(shares, look, strict=True)
            learn(experiment, {n: Count(int(yes + no), int(yes)) for n, (yes, no) in arms})
            if experiment.verdict != RUNNING:
                break
        named = experiment.variants.index(experiment.winner) if experiment.winner else -1
        assert named == watched.winners[place]
        known = sum(experiment.counts[name].visitors for name in shares)
        assert known == watched.decided_after[place]
    assert set(watched.winners.tolist()) <= {-1, 2}
    assert (watched.winners == 2).sum() >= 6


@pytest.mark.parametrize("as_they_come", [False, True])
@pytest.mark.parametrize(("variants", "rate"), [(2, 0.02), (2, 0.1), (2, 0.3), (3, 0.1), (4, 0.3)])
def test_of_two_hundred_tests_of_equals_watched_after_each_visitor_few_have_a_winner(
    variants, rate, as_they_come
):
    watched = watch(
        [rate] * variants,
        [1.0 / variants] * variants,
        tests=200,
        visitors=1_000,
        rng=seeded(variants),
        visitors_min=20,
        as_they_come=as_they_come,
    )
    # 5 % at most are false; 18 or more of 200 happen by luck once in a hundred times.
    assert (watched.winners >= 0).sum() < 18


def test_a_rate_that_drifts_for_all_alike_makes_no_winner():
    false = 0
    for seed in range(40):
        rng, experiment = seeded(seed), begin(a_test(a=0.5, b=0.5))
        for day in range(60):
            rate = 0.05 + 0.3 * (day % 7 in (5, 6))
            sent = rng.multinomial(50, [0.5, 0.5])
            said = rng.binomial(sent, rate)
            learn(experiment, {n: Count(int(sent[i]), int(said[i])) for i, n in enumerate("ab")})
        false += experiment.verdict == WINNER
    assert false <= 5


def test_false_alarms_about_the_shares_are_rare_under_looks_without_a_pause():
    draws = seeded(5).random((500, 2_000)) < 0.3
    first = draws.cumsum(axis=1)
    alarms = 0
    for counts in first:
        every = range(10, 2_000, 10)
        looks = ([int(counts[n - 1]), n - int(counts[n - 1])] for n in every)
        alarms += any(
            log_ratio_evidence(look, [0.3, 0.7]) >= -math.log(RATIO_ALPHA) for look in looks
        )
    assert alarms <= 4


def test_most_tests_of_a_variant_half_as_good_again_find_it_in_a_thousand_of_each():
    watched = watch([0.1, 0.15], [0.5, 0.5], tests=200, visitors=2_000, rng=seeded(3))
    assert (watched.winners == 1).sum() >= 120
    assert (watched.winners == 0).sum() <= 200 * ALPHA
    assert np.median(watched.decided_after) < 1_700
