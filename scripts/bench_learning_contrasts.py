"""Measure how soon a split test decides, on the arms of a randomised test, watched from the first visitor on."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from learning.evaluation.experiment import ALPHA
from learning.evaluation.watching import decide, watch
from learning.protocols.randomised import Randomised
from scripts.bench_experiments import upper_bound
from scripts.bench_learning_rows import Held, row
from scripts.bench_measure import Row

EVERY = 100
"""Visitors of each arm between two looks."""

TESTS = 200
"""Orders in which the rows come."""

EQUAL_TESTS, EQUAL_VISITORS, EQUAL_RATE = 1_000, 10_000, 0.15

SHARES = (0.5, 0.5)


def contrasts(name: str, test: Randomised) -> list[Row]:
    """Return a row for each two arms: after how many pairs the better one is named; none unless rewards are 0 or 1."""
    if not np.isin(test.rewards, (0.0, 1.0)).all():
        return []
    rows = []
    for one, other in combinations(range(len(test.names)), 2):
        said = [test.rewards[test.arms == arm] for arm in (one, other)]
        if min(map(len, said)) >= 2 * EVERY:
            rows.append(_contrast(name, f"{test.names[one]}, {test.names[other]}", said))
    return rows


def equals(tests: int = EQUAL_TESTS) -> Row:
    """Return the row of A/A tests with looks every `EVERY` visitors: how often one of two equals is named."""
    watched = watch(
        [EQUAL_RATE] * 2,
        SHARES,
        tests=tests,
        visitors=EQUAL_VISITORS,
        rng=np.random.default_rng(0),
        every=EVERY,
    )
    found = int((watched.winners >= 0).sum())
    bound = upper_bound(found, tests)
    return row(
        "guardrail.equals",
        Held(bound, found / tests, bound, [found / tests]),
        "false at most",
        (f"goal {ALPHA:g}", ALPHA),
        goal=f"≤ {ALPHA:g}",
        reached=bound <= ALPHA,
        notes=[f"{found} false winners in {tests:,} tests of {EQUAL_VISITORS:,} visitors"],
    )


def _contrast(name: str, arms: str, said: list[NDArray[np.float64]]) -> Row:
    rng = np.random.default_rng(0)
    pairs = min(map(len, said)) // EVERY * EVERY
    counts = np.zeros((TESTS, pairs // EVERY, 2, 2), dtype=np.int64)
    for number in range(TESTS):
        for arm, rewards in enumerate(said):
            drawn = rng.permutation(rewards)[:pairs].reshape(-1, EVERY).sum(axis=1).cumsum()
            counts[number, :, arm, 0] = drawn
            counts[number, :, arm, 1] = np.arange(EVERY, pairs + 1, EVERY) - drawn
    decided = decide(counts, SHARES, EVERY)
    after = np.where(decided.winners >= 0, decided.decided_after / 2, pairs)
    better = int(np.mean(said[1]) > np.mean(said[0]))
    wrong = int(((decided.winners >= 0) & (decided.winners != better)).sum())
    low, middle, high = np.quantile(after, [0.25, 0.5, 0.75], method="inverted_cdf")
    return row(
        f"next_best.{name}.contrast.{arms}",
        Held(float(middle), float(low), float(high), []),
        "pairs",
        (f"rates {np.mean(said[0]):.4f}, {np.mean(said[1]):.4f}", float(pairs)),
        goal=f"a wrong winner in {ALPHA:g} at most",
        reached=wrong <= ALPHA * TESTS,
        notes=[
            f"{TESTS} orders, looks every {EVERY} pairs; low and high are quartiles",
            f"{wrong} named the worse arm, {int((decided.winners < 0).sum())} none by the end",
        ],
    )
