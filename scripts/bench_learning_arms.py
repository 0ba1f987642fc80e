"""Measure which e-mail is chosen: a randomised test replayed, and a policy learned from all of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.protocols import randomised
from learning.protocols.inputs import standardised
from learning.serving.contextual import FLOOR, SHARPNESS
from learning.training.earned import SHRUNK
from scripts.bench_learning_contrasts import contrasts
from scripts.bench_learning_rows import Effort, Vector, of_mean, over_runs, row
from scripts.bench_measure import Row, Say
from scripts.bench_peers import missing_peers
from scripts.bench_sets import BenchSet, Column, SetError, numbers_of, read_columns

USELESS = 20
"""Useless inputs that are added: learning must be no worse for them."""

BEHIND_MAX = 0.001
"""Reward a send that may be lost to a peer."""
BATCH_BEHIND_MAX = 0.002

OURS: dict[str, randomised.Make] = {
    "learned": randomised.Learned,
    "Beta Thompson": randomised.BetaThompson,
    "uniform": randomised.Uniform,
}


def next_best(known: BenchSet, say: Say, effort: Effort) -> list[Row]:
    """Return the rows of a randomised test."""
    test, propensities = _test_of(known)
    means: dict[str, list[float]] = {}
    for name, make in {**OURS, **effort.peers}.items():
        for order in effort.orders if name in OURS else effort.seeds:
            say(f"learning: {known.name}, {name}, order {order + 1}")
            means.setdefault(name, []).append(_lived(test, propensities, make, order))
    noise = np.random.default_rng(0).normal(size=(len(test.arms), USELESS))
    wider = np.concatenate([test.inputs, noise], axis=1)
    useless = randomised.Randomised(wider, test.arms, test.rewards, test.names)
    with_useless = [
        _lived(useless, propensities, randomised.Learned, order) for order in effort.orders
    ]
    rows = [_mean_row(known, test, means)]
    rows += [
        _paired(known, f"ahead of {name}", means["learned"], (name, means[name]))
        for name in means
        if name != "learned"
    ]
    learned = ("learned", means["learned"])
    rows.append(_paired(known, f"with {USELESS} useless inputs", with_useless, learned))
    return [*rows, _batch(known, test, propensities), *contrasts(known.name, test)]


def _lived(
    test: randomised.Randomised, propensities: Vector, make: randomised.Make, order: int
) -> float:
    """Return the mean reward of one order; arms logged more often than the rarest are thinned out to it."""
    rng = np.random.default_rng(order)
    even = rng.random(len(test.arms)) < propensities.min() / propensities
    part = randomised.Randomised(test.inputs[even], test.arms[even], test.rewards[even], test.names)
    return randomised.replay(part, make, rng).mean


def _mean_row(known: BenchSet, test: randomised.Randomised, means: dict[str, list[float]]) -> Row:
    arms = [float(test.rewards[test.arms == arm].mean()) for arm in range(len(test.names))]
    thompson = float(np.mean(means["Beta Thompson"]))
    held = over_runs(means["learned"])
    return row(
        f"next_best.{known.name}.mean",
        held,
        "reward a send",
        (f"always the best arm {max(arms):.4f}", max(arms)),
        goal=f"≥ Beta Thompson {thompson:.4f} - {BEHIND_MAX}",
        reached=held.value >= thompson - BEHIND_MAX,
        notes=[
            f"{len(test.arms):,} rows, {len(means['learned'])} orders; the interval is over orders",
            "arms: " + ", ".join(f"{n} {m:.4f}" for n, m in zip(test.names, arms, strict=True)),
            f"for all sets: sharpness {SHARPNESS:g}, floor {FLOOR:g}",
            f"weighed inside the run: no context, or an arm's own effects shrunk by {SHRUNK[1:]}",
            *missing_peers(),
        ],
    )


def _paired(
    known: BenchSet, what: str, ours: Sequence[float], against: tuple[str, Sequence[float]]
) -> Row:
    """Return the row of a paired difference, over the orders that both lived through."""
    name, theirs = against
    other = float(np.mean(theirs))
    held = over_runs([one - two for one, two in zip(ours, theirs, strict=False)])
    return row(
        f"next_best.{known.name}.{what}",
        held,
        "reward a send",
        (f"{name} {other:.4f}", other),
        goal=f"≥ -{BEHIND_MAX}",
        reached=held.value >= -BEHIND_MAX,
    )


def _batch(known: BenchSet, test: randomised.Randomised, propensities: Vector) -> Row:
    """Return the row of the cross-fitted policy, valued doubly robust, against the best single arm."""
    policy, model = randomised.cross_fitted(test, np.random.default_rng(0))
    every = np.eye(len(test.names))
    singles = [
        randomised.valued(test, np.tile(every[arm], (len(test.arms), 1)), model, propensities)
        for arm in range(len(test.names))
    ]
    best = max(range(len(singles)), key=lambda arm: float(singles[arm].mean()))
    held = of_mean(randomised.valued(test, policy, model, propensities) - singles[best])
    return row(
        f"next_best.{known.name}.batch",
        held,
        "reward a send",
        (
            f"always {test.names[best]}, doubly robust {singles[best].mean():.4f}",
            float(singles[best].mean()),
        ),
        goal=f"≥ -{BATCH_BEHIND_MAX}",
        reached=held.value >= -BATCH_BEHIND_MAX,
        notes=[f"{randomised.FOLDS}-fold cross-fitted policy less the best single arm"],
    )


def _test_of(known: BenchSet) -> tuple[randomised.Randomised, Vector]:
    """Return the test, and the propensity of each row's arm."""
    columns = read_columns(known)
    arms = columns[known.column("arm")]
    names = sorted(set(arms))
    if len(names) < 2:
        raise SetError(f"{known.name}: {known.column('arm')} has one value: nothing was tested")
    places = np.asarray([names.index(arm) for arm in arms])
    rewards = np.asarray(numbers_of(columns[known.column("reward")]))
    gone = {known.column(name) for name in ("arm", "reward", "value", "propensity")}
    gone |= set(known.listed("drop"))
    chosen = known.listed("features") if "features" in known.columns else list(columns)
    told = {name: columns[name] for name in chosen if name not in gone}
    inputs = standardised(told) if told else np.zeros((len(arms), 0))
    return (
        randomised.Randomised(inputs, places, rewards, names),
        _propensities(known, columns, places),
    )


def _propensities(known: BenchSet, columns: Column, places: NDArray[np.int64]) -> Vector:
    """Return what each row's arm was drawn by: told by row, told for all, or how often it stands there."""
    if known.column("propensity"):
        told = np.asarray(numbers_of(columns[known.column("propensity")]))
    elif known.propensity is not None:
        told = np.full(len(places), known.propensity)
    else:
        told = (np.bincount(places) / len(places))[places]
    if not ((told > 0.0) & (told <= 1.0)).all():
        raise SetError(f"{known.name}: a propensity is not in (0, 1]")
    return told
