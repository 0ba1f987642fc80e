"""Hold what the rows of learning have in common: their shape, and 95 % intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.protocols.randomised import Make
from scripts.bench_measure import Row

SEEDS = range(5)
ORDERS = range(10)
"""Orders of a replay: one order's mean has a standard error of a sixth of what the arms differ by."""

RESAMPLED = 2_000
"""Draws of a bootstrap."""

NORMAL = 1.96

Vector = NDArray[np.float64]


class Effort(NamedTuple):
    """Say how much is measured."""

    peers: Mapping[str, Make]
    """Policies of other libraries."""
    orders: range = ORDERS
    seeds: range = SEEDS


class Held(NamedTuple):
    """Hold a value with its 95 % interval, and what each seed, order or fold gave."""

    value: float
    low: float
    high: float
    runs: Sequence[float]


def row(
    name: str,
    held: Held,
    unit: str,
    against: tuple[str, float],
    *,
    goal: str,
    reached: bool,
    notes: Sequence[str] = (),
) -> Row:
    """Return one row; `against`: what the value is held against, in words and as a number."""
    said, peer = against
    return Row(
        name=name,
        value=held.value,
        unit=unit,
        against=said,
        ratio=held.value / peer if peer else 0.0,
        low=held.low,
        high=held.high,
        runs=[float(run) for run in held.runs],
        goal=goal,
        reached=bool(reached),
        notes=list(notes),
    )


def over_runs(runs: Sequence[float]) -> Held:
    """Return the mean of several seeds or orders, its interval from how they differ.

    >>> over_runs([1.0, 3.0]).value
    2.0
    """
    values = np.asarray(runs, dtype=np.float64)
    error = NORMAL * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    mean = float(values.mean())
    return Held(mean, mean - error, mean + error, runs)


def by_lead(values: Vector, leads: NDArray[np.int64], runs: Sequence[float]) -> Held:
    """Return the mean of values, its interval by drawing leads anew: what one lead does hangs together."""
    sums, counts = np.bincount(leads, weights=values), np.bincount(leads).astype(np.float64)
    even = np.full(len(sums), 1.0 / len(sums))
    drawn = np.random.default_rng(0).multinomial(len(sums), even, RESAMPLED)
    means = (drawn @ sums) / np.maximum(drawn @ counts, 1.0)
    low, high = np.quantile(means, [0.025, 0.975])
    return Held(float(values.mean()), float(low), float(high), runs)


def ratio_by_lead(one: Vector, other: Vector, runs: Sequence[float]) -> Held:
    """Return the ratio of two sums over leads, its interval by drawing leads anew."""
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(RESAMPLED // 4):
        chosen = rng.integers(0, len(one), len(one))
        ratios.append(one[chosen].sum() / max(other[chosen].sum(), 1e-9))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Held(float(one.sum() / max(other.sum(), 1e-9)), float(low), float(high), runs)


def of_mean(values: Vector) -> Held:
    """Return the mean of values that are each one's own, with its normal interval."""
    mean = float(values.mean())
    error = NORMAL * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return Held(mean, mean - error, mean + error, [mean])
