"""Check that harm is noticed, and that nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from learning.evaluation.guardrail import (
    BLOCK_SIDE_MIN,
    BLOCK_SPAN,
    ERA,
    HOLDOUT,
    LEARNED,
    NAMES,
    Guard,
    found,
    grown,
    is_over,
    log_harm,
    next_era,
    take,
)
from learning.evaluation.harming import Rates, live
from learning.evaluation.sequential import LIFTS
from scripts.bench_guardrail import HARMS, SIZES, lower_bound, measure

NOW = datetime(2026, 3, 2, tzinfo=UTC)
EVEN = Rates(0.2, 0.03, 0.004, 0.0008)


def lived(rates: dict[str, dict[bool, float]], visitors: int, seed: int = 0) -> Guard:
    """Return a guard after so many visitors of each side, one by one; rates: measure -> held out? -> share."""
    rng, guard = np.random.default_rng(seed), Guard()
    for place in range(visitors):
        for is_held_out in (False, True):
            came = [name for name in rates if rng.random() < rates[name][is_held_out]]
            take(guard, came, NOW + timedelta(minutes=place), is_held_out=is_held_out)
    return guard


@pytest.mark.parametrize(
    ("measure", "rules", "learned"),
    [
        ("response", 0.2, 0.1),
        ("goal", 0.1, 0.03),
        ("unsubscribe", 0.01, 0.05),
        ("complaint", 0.001, 0.03),
    ],
)
def test_harm_in_any_measure_is_noticed_and_told_first_by_its_own_evidence(measure, rules, learned):
    guard = lived({measure: {True: rules, False: learned}}, 2_500)
    assert guard.is_harmful
    strongest = max(found(guard), key=lambda line: float(line["evidence"]))
    assert strongest["measure"] == measure
    assert strongest["learned_of"] == strongest["rules_of"] == guard.judged[LEARNED].visitors


@pytest.mark.parametrize(
    ("measure", "rules", "learned"), [("response", 0.1, 0.2), ("unsubscribe", 0.05, 0.01)]
)
def test_what_learning_does_better_is_no_harm(measure, rules, learned):
    guard = lived({measure: {True: rules, False: learned}}, 2_500)
    assert not guard.is_harmful
    assert log_harm(guard) < 1.0


def test_without_anybody_held_out_nothing_is_known():
    guard = Guard()
    for place in range(5_000):
        take(guard, ["complaint"], NOW + timedelta(minutes=place), is_held_out=False)
    assert guard.judged[LEARNED].visitors == 0
    assert log_harm(guard) == pytest.approx(0.0)


def test_a_block_closes_when_both_sides_are_in_it_and_by_nothing_they_did():
    guard, other = Guard(), Guard()
    for place in range(BLOCK_SIDE_MIN):
        assert not take(guard, ["response"], NOW, is_held_out=False)
        assert not take(other, [], NOW, is_held_out=False)
        closed = place + 1 == BLOCK_SIDE_MIN
        assert take(guard, [], NOW, is_held_out=True) is closed
        assert take(other, ["goal", "response"], NOW, is_held_out=True) is closed
    assert [counts.visitors for counts in guard.judged] == [BLOCK_SIDE_MIN] * 2
    assert guard.block_since is None


def test_a_side_that_was_alone_for_a_week_is_not_held_against_the_others_next_week():
    guard = Guard()
    for _ in range(40):
        take(guard, [], NOW, is_held_out=True)
    later = NOW + BLOCK_SPAN
    for _ in range(BLOCK_SIDE_MIN):
        take(guard, ["response"], later, is_held_out=False)
        take(guard, ["response"], later, is_held_out=True)
    assert guard.judged[HOLDOUT].visitors == BLOCK_SIDE_MIN


def test_a_slow_block_is_judged_by_those_it_holds_after_a_week():
    guard = Guard()
    take(guard, [], NOW, is_held_out=True)
    take(guard, ["response"], NOW, is_held_out=False)
    assert take(guard, [], NOW + BLOCK_SPAN, is_held_out=False)
    assert [counts.visitors for counts in guard.judged] == [1, 1]
    assert guard.block[LEARNED].visitors == 1


def test_an_era_is_over_after_half_a_year_unless_its_alarm_stands():
    guard = Guard()
    take(guard, [], NOW, is_held_out=True)
    assert not is_over(guard, NOW + ERA - timedelta(seconds=1))
    assert is_over(guard, NOW + ERA)
    guard.is_harmful = True
    assert not is_over(guard, NOW + ERA)
    fresh = next_era(guard)
    assert (fresh.era, fresh.is_harmful, fresh.began_at) == (1, False, None)
    assert log_harm(fresh) == pytest.approx(0.0)


def test_an_alarm_stays_though_the_evidence_falls():
    guard = lived({"response": {True: 0.3, False: 0.1}}, 1_000)
    assert guard.is_harmful
    rng = np.random.default_rng(1)
    for place in range(4_000):
        take(guard, ["response"], NOW + timedelta(days=1, minutes=place), is_held_out=False)
        came = ["response"] if rng.random() < 0.1 else []
        take(guard, came, NOW + timedelta(days=1, minutes=place), is_held_out=True)
    assert log_harm(guard) < 0.0
    assert guard.is_harmful


def test_a_guard_is_small_and_stays_so():
    guard = lived({name: {True: 0.2, False: 0.2} for name in NAMES}, 3_000)
    assert len(msgspec.msgpack.encode(guard)) < 400
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(guard), type=Guard) == guard


def test_blocks_of_many_eras_at_once_come_to_the_same_as_one_visitor_after_the_other():
    guard, rng = Guard(), np.random.default_rng(3)
    logs, judged = np.zeros((1, len(NAMES), len(LIFTS))), np.zeros((1, 2, 1 + len(NAMES)))
    block = np.zeros_like(judged)
    for place in range(400):
        is_held_out = bool(rng.random() < 0.3)
        came = [name for name in NAMES if rng.random() < 0.2]
        side = HOLDOUT if is_held_out else LEARNED
        block[0, side] += [1, *(name in came for name in NAMES)]
        if take(guard, came, NOW + timedelta(minutes=place), is_held_out=is_held_out):
            logs, judged = grown(logs, judged, block), judged + block
            block = np.zeros_like(judged)
    assert np.array(guard.logs) == pytest.approx(logs[0])
    assert [[c.visitors, *c.yes] for c in guard.judged] == judged[0].tolist()


def test_equals_are_hardly_ever_taken_back_and_harm_is_in_a_small_measurement():
    said: list[str] = []
    rows = measure(said.append, eras=100)
    equals = rows[: -len(HARMS)]
    assert len(rows) == len(said)
    assert all(row.runs[0] <= 0.05 for row in equals)
    must = [row for row, harm in zip(rows[-len(HARMS) :], HARMS, strict=True) if harm[3]]
    assert all(row.runs[0] >= 0.95 for row in must)


def test_harm_that_is_greater_is_stopped_sooner():
    after = []
    for factor in (0.7, 0.5, 0.2):
        rng = np.random.default_rng(5)
        bad = EVEN.times(fewer=factor)
        watched = live(EVEN, bad, eras=50, looks=25, sizes=SIZES["pairs"], rng=rng)
        assert watched.taken_back >= 47
        back = watched.taken_back_after[watched.taken_back_after >= 0]
        after.append(float(np.median(back)))
    assert after == sorted(after, reverse=True)


@pytest.mark.parametrize("count", [0, 1, 50, 100])
def test_the_lower_bound_is_the_exact_one(count):
    from scipy.stats import binomtest

    exact = binomtest(count, 100).proportion_ci(0.95, method="exact")
    assert lower_bound(count, 100) == pytest.approx(exact.low)
