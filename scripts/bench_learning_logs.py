"""Measure what a policy is said to be worth from the log of another, against its own log."""

from __future__ import annotations

import numpy as np

from learning.evaluation.off_policy import EFFECTIVE_MIN, estimates
from learning.protocols.logs import Place, logged
from scripts.bench_learning_rows import Effort, Held, of_mean, row
from scripts.bench_measure import Row, Say
from scripts.bench_sets import BenchSet, Column, SetError, numbers_of, read_columns


def off_policy(known: BenchSet, say: Say, effort: Effort) -> list[Row]:
    """Return the rows of two logs, each one's policy valued on the other's log."""
    del effort  # there is no chance in it
    logs = {file: read_columns(known, file) for file in (known.file, known.target)}
    rows = []
    for source, target in ((known.file, known.target), (known.target, known.file)):
        say(f"learning: {known.name}, {target} from {source}")
        rows += _valued(known, f"{target} from {source}", logs[source], logs[target])
    return rows


def _valued(known: BenchSet, name: str, log: Column, other: Column) -> list[Row]:
    """Return the rows of one policy (whose own log is `other`), valued on the log of another."""
    truth = of_mean(np.asarray(numbers_of(other[known.column("reward")])))
    propensities = np.asarray(numbers_of(log[known.column("propensity")]))
    rewards = np.asarray(numbers_of(log[known.column("reward")]))
    try:
        told = estimates(logged(_places(known, log), propensities, rewards, _places(known, other)))
    except ValueError as error:
        raise SetError(f"{known.name}: {error}") from None
    rows = []
    for each in told:
        covered = each.low <= truth.high and each.high >= truth.low
        said = f"{each.effective:,.0f} effective answers (a verdict from {EFFECTIVE_MIN:,.0f} on)"
        rows.append(
            row(
                f"off_policy.{known.name}.{name}.{each.method}",
                Held(each.value, each.low, each.high, [each.value]),
                "reward",
                (f"its own log {truth.value:.5f} [{truth.low:.5f}, {truth.high:.5f}]", truth.value),
                goal="covered, or no verdict",
                reached=covered or not each.verdict,
                notes=[f"no verdict: {each.reason}" if each.reason else said],
            )
        )
    return rows


def _places(known: BenchSet, columns: Column) -> list[Place]:
    arms = columns[known.column("arm")]
    return list(zip(columns.get(known.column("position"), [""] * len(arms)), arms, strict=True))
