"""Measure split tests by simulation: how often equals have a winner, and how often a better variant is found.

The A/A tests are looked at after each visitor; the limit is held against the upper end of the exact 95 % interval of
their false winners (Clopper and Pearson 1934). Power is held against the z test that looks once, at the sample which
gives it 80 %: what it costs to be allowed to look at any time, and to stop early.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from scipy.stats import beta

from learning.evaluation.experiment import ALPHA
from learning.evaluation.watching import Watched, watch
from scripts.bench_measure import Row, Say

TESTS = 1_000
VISITORS = 2_000
"""Of one A/A test, all variants together."""

RATES = (0.02, 0.1, 0.3)
LIFTS = (0.1, 0.2, 0.5)
SEEDS = (1, 2, 3, 4)

KINDS = {
    "A/A of 2": (2, False),
    "A/A of 2, as they come": (2, True),
    "A/A of 3": (3, False),
    "A/A of 5": (5, False),
}
"""Name -> (variants, whether a quick yes counts before the slow no's)."""

VISITORS_MIN = 20
"""Of each variant before a winner may be named: below what is shipped, so that nothing is hidden by waiting."""

POWER_TESTS = 300
POWER_LOOKS = 400
POWER = 0.8


def measure(say: Say, tests: int = TESTS, power_tests: int = POWER_TESTS) -> list[Row]:
    """Return a row for each kind of A/A test, and one for each rate and lift."""
    rows = []
    for (name, (variants, as_they_come)), seed in zip(KINDS.items(), SEEDS, strict=True):
        say(f"experiments: {name}")
        rows.append(_equals(name, variants, tests, seed, as_they_come=as_they_come))
    for rate in RATES:
        for lift in LIFTS:
            say(f"experiments: {lift:.0%} more than {rate:.0%}")
            rows.append(_power(rate, lift, power_tests))
    return rows


def upper_bound(found: int, of: int) -> float:
    """Return the upper end of the exact two-sided 95 % interval of a share (Clopper and Pearson 1934).

    >>> round(upper_bound(0, 100), 4), upper_bound(3, 3)
    (0.0362, 1.0)
    """
    return 1.0 if found == of else float(beta.ppf(0.975, found + 1, of - found))


def _equals(name: str, variants: int, tests: int, seed: int, *, as_they_come: bool) -> Row:
    """Return the row of A/A tests, a third of them at each rate."""
    rng = np.random.default_rng(seed)
    found, each = [], -(-tests // len(RATES))
    for rate in RATES:
        watched = watch(
            [rate] * variants,
            [1.0 / variants] * variants,
            tests=each,
            visitors=VISITORS,
            rng=rng,
            visitors_min=VISITORS_MIN,
            as_they_come=as_they_come,
        )
        found.append(int((watched.winners >= 0).sum()))
    bound = upper_bound(sum(found), each * len(RATES))
    shares = [count / each for count in found]
    said = ", ".join(f"{n} at {rate:.0%}" for n, rate in zip(found, RATES, strict=True))
    return Row(
        name=name,
        value=bound,
        unit="false at most",
        against=f"goal {ALPHA:g}",
        ratio=bound / ALPHA,
        low=min(shares),
        high=max(shares),
        runs=shares,
        goal=f"≤ {ALPHA:g}",
        reached=bound <= ALPHA,
        notes=[
            f"{sum(found)} false winners in {each * len(RATES):,} tests of {VISITORS:,} visitors: {said}"
        ],
    )


def _power(rate: float, lift: float, tests: int) -> Row:
    """Return the row of tests in which the second variant is better."""
    better = rate * (1.0 + lift)
    visitors = 2 * _sample(rate, better)
    rng = np.random.default_rng([round(1_000 * rate), round(1_000 * lift)])
    every = max(1, visitors // POWER_LOOKS)
    watched = watch(
        [rate, better], [0.5, 0.5], tests=tests, visitors=visitors, rng=rng, every=every
    )
    power = float((watched.winners == 1).mean())
    once = float(_is_found_once(watched).mean())
    wrong = int((watched.winners == 0).sum())
    when = float(np.median(watched.decided_after[watched.winners == 1])) if power else math.nan
    return Row(
        name=f"{lift:.0%} more than {rate:.0%}",
        value=power,
        unit="found",
        against=f"z test that looks once {once:.3f} found",
        ratio=power / once,
        low=power,
        high=power,
        runs=[power],
        goal="reported",
        notes=[
            f"{visitors // 2:,} visitors each; where it was found, after {when / visitors:.0%} of them (median)",
            f"the worse one was named in {wrong} of {tests} tests",
        ],
    )


def _sample(rate: float, better: float) -> int:
    """Return how many visitors of each variant give the z test that looks once its power (Fleiss 1981)."""
    normal = NormalDist()
    spread = normal.inv_cdf(1.0 - ALPHA / 2.0) + normal.inv_cdf(POWER)
    pooled = (rate + better) / 2.0
    return math.ceil(2.0 * pooled * (1.0 - pooled) * (spread / (better - rate)) ** 2)


def _is_found_once(watched: Watched) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return of each test whether the two-sided z test at the end names the second variant."""
    rates = watched.yes / watched.visitors
    pooled = watched.yes.sum(axis=1) / watched.visitors.sum(axis=1)
    error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / watched.visitors).sum(axis=1))
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        rates[:, 1] - rates[:, 0] > NormalDist().inv_cdf(1.0 - ALPHA / 2.0) * error
    )
    return found
