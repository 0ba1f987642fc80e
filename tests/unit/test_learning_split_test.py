"""Check how a split test is served: by its shares, by its verdict, and by whatever a store may hold."""

from __future__ import annotations

import math

import pytest

from agents.protocol.draw import Draw
from learning.serving.split_test import (
    LOST,
    RUNNING,
    VERDICTS,
    WINNER,
    choose_variant,
    choose_winner,
    seed_of,
    verdict_of,
    winner_of,
)
from messaging.vocabulary.records import Snapshot
from tests.experiment_builders import a_test

TEST = a_test(a=0.7, b=0.3)


def published(verdict: list[float], winner: list[float]) -> Snapshot:
    """Return what the store holds of a test."""
    arrays = {"verdict": verdict, "winner": winner}
    return Snapshot(policy=TEST.policy, version=4, arms=["a", "b"], arrays=arrays)


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0, 9.0, 1e300])
def test_a_verdict_that_is_none_leaves_the_test_running(number):
    assert verdict_of(published([number], [0.0, 1.0])) == RUNNING
    assert winner_of(published([number], [0.0, 1.0])) == ""


@pytest.mark.parametrize("wins", [[], [0.0], [math.nan, 0.0], [0.0, 0.0]])
def test_a_winner_that_is_not_named_is_none(wins):
    snapshot = published([float(VERDICTS.index(WINNER))], wins)
    assert verdict_of(snapshot) == WINNER
    assert winner_of(snapshot) == ""


def test_nothing_published_is_a_running_test_at_version_0():
    assert (verdict_of(None), winner_of(None)) == (RUNNING, "")
    choice = choose_variant(None, TEST, Draw("x"), refused={"c": "split_test"})
    assert (choice.policy, choice.policy_version) == (TEST.policy, 0)
    assert choice.probabilities == pytest.approx([0.7, 0.3])
    assert choice.propensity() in choice.probabilities


def test_a_refused_variant_is_an_error_because_the_shares_would_not_hold():
    with pytest.raises(ValueError, match="the variant b is refused: cohort"):
        choose_variant(None, TEST, Draw("x"), refused={"b": "cohort"})


def test_the_winner_is_certain_and_each_other_template_has_its_rule():
    snapshot = published([1.0], [1.0, 0.0])
    choice = choose_winner(snapshot, "a", ["a", "b", "c"], refused={"d": "cohort"})
    assert (choice.arm, choice.propensity(), choice.policy_version) == ("a", 1.0, 4)
    refusals = {each.arm: each.refused for each in choice.candidates}
    assert refusals == {"a": "", "b": LOST, "c": LOST, "d": "cohort"}


def test_a_draw_is_the_visitors_own_and_the_tests_own():
    assert seed_of(TEST, "ann") == seed_of(a_test(a=0.5, b=0.5), "ann")
    assert len({seed_of(TEST, "ann"), seed_of(TEST, "bob"), seed_of(a_test(salt="x"), "ann")}) == 3
