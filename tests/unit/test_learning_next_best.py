"""Check the choice of the template: Thompson's probabilities by quadrature, exact and never 0."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from agents.protocol.draw import Draw
from learning.serving.next_best import (
    FLOOR,
    best_probabilities,
    choose_template,
    policy_name,
    posteriors,
)
from messaging.vocabulary.records import Snapshot


def counted(version: int = 3, **arms: tuple[float, float]) -> Snapshot:
    """Build a snapshot with (successes, exposures) by arm."""
    return Snapshot(
        policy=policy_name("lead", "known"),
        version=version,
        arms=list(arms),
        arrays={
            "successes": [won for won, _ in arms.values()],
            "exposures": [seen for _, seen in arms.values()],
        },
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1, 1, 1], [1, 1, 1]),
        ([2, 5, 1], [9, 30, 4]),
        ([1e4, 1.01e4, 300], [9e4, 8.99e4, 2_700]),
        ([1, 3, 2e3], [1, 3, 98e3]),
        ([5e4, 1], [1, 1]),
        ([11, 12, 13, 14, 15, 16, 17, 18, 19, 20], [100] * 10),
    ],
)
def test_quadrature_equals_sampled_thompson(a, b):
    samples = 200_000
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    drawn = np.random.default_rng(5).beta(a, b, size=(samples, len(a))).argmax(axis=1)
    sampled = np.bincount(drawn, minlength=len(a)) / samples
    computed = np.asarray(best_probabilities(a, b))
    sigma = np.sqrt(sampled * (1 - sampled) / samples)
    assert (np.abs(computed - sampled) <= 4 * sigma + len(a) * FLOOR + 1e-4).all()


def test_two_arms_match_the_closed_form():
    """P(Beta(a, 1) > Beta(c, 1)) = a / (a + c)."""
    first, second = best_probabilities(np.array([3.0, 2.0]), np.array([1.0, 1.0]))
    assert first == pytest.approx(0.6, abs=2 * FLOOR)
    assert first + second == pytest.approx(1.0, abs=1e-12)


def test_a_hopeless_template_keeps_the_floor():
    choice = choose_template(counted(a=(9e4, 1e5), b=(0, 1e5)), ["a", "b"], Draw("x"), refused={})
    assert choice.probabilities == pytest.approx([1 - FLOOR, FLOOR])


def test_evidence_beyond_the_bound_still_sums_to_one():
    choice = choose_template(counted(a=(3e9, 1e10), b=(1, 2)), ["a", "b"], Draw("x"), refused={})
    assert sum(choice.probabilities) == pytest.approx(1.0, abs=1e-12)
    assert min(choice.probabilities) >= FLOOR


def test_a_new_template_starts_at_its_siblings_rate():
    a, b = posteriors(counted(old=(100, 1_000), older=(100, 1_000)), ["new"])
    assert (a / (a + b))[0] == pytest.approx(0.1, abs=0.002)
    chance = choose_template(
        counted(old=(100, 1_000)), ["old", "new"], Draw("x"), refused={}
    ).probabilities[1]
    assert 0.2 < chance < 0.5, "it gets its share, not nearly all mail as from Beta(1, 1)"


def test_without_a_snapshot_every_template_is_equally_likely_and_the_policy_named():
    name = policy_name("lead", "known")
    choice = choose_template(None, ["a", "b", "c", "d"], Draw("x"), refused={}, policy=name)
    assert choice.probabilities == [0.25] * 4
    assert (choice.policy, choice.policy_version) == ("next_best/lead/known", 0)


def test_empirical_frequencies_match_the_propensities():
    snapshot, draws = counted(a=(12, 100), b=(15, 100), c=(9, 100)), 20_000
    seen = Counter(
        choose_template(snapshot, ["a", "b", "c"], Draw(f"s{n}"), refused={}).arm
        for n in range(draws)
    )
    chances = choose_template(snapshot, ["a", "b", "c"], Draw("x"), refused={}).probabilities
    for arm, chance in zip("abc", chances, strict=True):
        sigma = (draws * chance * (1 - chance)) ** 0.5
        assert abs(seen[arm] - draws * chance) <= 3 * sigma


def test_two_snapshots_of_one_version_are_not_taken_for_each_other():
    """Two simulated worlds live in one process and publish the same policy and version."""
    here = choose_template(counted(a=(50, 100), b=(1, 100)), ["a", "b"], Draw("x"), refused={})
    there = choose_template(counted(a=(1, 100), b=(50, 100)), ["a", "b"], Draw("x"), refused={})
    assert here.probabilities[0] == pytest.approx(there.probabilities[1])
    assert here.probabilities[0] > 0.9


def test_what_the_caller_does_with_a_choice_does_not_reach_the_next_one():
    snapshot = counted(a=(5, 10), b=(5, 10))
    first = choose_template(snapshot, ["a", "b"], Draw("x"), refused={})
    before = list(first.probabilities)
    first.probabilities[0] = 7.0
    second = choose_template(snapshot, ["a", "b"], Draw("x"), refused={})
    assert second.probabilities == before


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -5.0, 1e300])
def test_a_broken_number_in_a_snapshot_leaves_a_valid_choice(bad):
    choice = choose_template(counted(a=(bad, bad), b=(1, 9)), ["a", "b"], Draw("x"), refused={})
    assert sum(choice.probabilities) == pytest.approx(1.0)
    assert min(choice.probabilities) > 0


def test_no_template_allowed_says_what_was_refused():
    with pytest.raises(ValueError, match=r"no arm is allowed: 1 refused \(weekly_cap 1\)"):
        choose_template(None, ["a"], Draw("x"), refused={"a": "weekly_cap"})
    with pytest.raises(ValueError, match="no candidate was given"):
        choose_template(None, [], Draw("x"), refused={})
