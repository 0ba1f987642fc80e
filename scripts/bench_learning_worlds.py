"""Measure what learns in made-up worlds, where the truth is known: regret, intervals, habits, equals."""

from __future__ import annotations

import numpy as np

from learning.evaluation.off_policy_worlds import Covered, coverage
from learning.protocols import randomised, weeks, weeks_worlds
from scripts.bench_learning_contrasts import equals
from scripts.bench_learning_rows import Effort, Held, over_runs, row
from scripts.bench_measure import Row, Say

ROWS = 10_000
"""Decisions of a world in which context matters."""

HALF = 0.5
"""Of the regret of Thompson sampling without context that may be left."""

LEADS = 300
GAINS = {4: 0.4, 12: 0.8}
"""Sends a lead -> share of what knowing everybody's own hours would win over one hour for all."""

LOGS, ANSWERS, BATCHES = 200, 10_000, 5
"""Made-up logs at a time, answers of each, and how many times."""

HOLDS = (0.93, 0.97)


def measure(say: Say, effort: Effort) -> list[Row]:
    """Return the rows of worlds that need no data."""
    say("learning: a world where context matters")
    rows = where_context_matters(effort)
    say("learning: a world of own hours")
    rows += own_hours(effort)
    say("learning: intervals of values from made-up logs")
    rows += intervals()
    say("learning: tests of equals")
    return [*rows, equals()]


def where_context_matters(effort: Effort, decisions: int = ROWS) -> list[Row]:
    """Return the regret of what is learned, against that of each peer."""
    lost: dict[str, list[float]] = {}
    policies: dict[str, randomised.Make] = {
        "learned": randomised.Learned,
        "Beta Thompson": randomised.BetaThompson,
        **effort.peers,
    }
    for seed in effort.seeds:
        inputs, chances = randomised.where_context_matters(decisions, np.random.default_rng(seed))
        for name, make in policies.items():
            rng = np.random.default_rng(seed)
            lost.setdefault(name, []).append(randomised.regret(inputs, chances, make, rng))
    learned = over_runs(lost.pop("learned"))
    rows = []
    for name, regrets in lost.items():
        most = float(np.mean(regrets)) * (HALF if name == "Beta Thompson" else 1.0)
        rows.append(
            row(
                f"world.context.{name}",
                learned,
                "regret a send",
                (f"{name} {np.mean(regrets):.4f}", float(np.mean(regrets))),
                goal=f"≤ {most:.4f}",
                reached=learned.value <= most,
            )
        )
    return rows


def own_hours(effort: Effort, leads: int = LEADS) -> list[Row]:
    """Return what is won of each lead's own hours, after so many sends."""
    won: dict[int, list[float]] = {sends: [] for sends in GAINS}
    for seed in effort.seeds:
        world = weeks_worlds.made_up(leads, max(GAINS) + 1, np.random.default_rng(seed))
        lived = weeks.live_learned(world.log)
        for sends, gains in won.items():
            gains.append(weeks_worlds.gain(world, lived, sends))
    rows = []
    for sends, gains in won.items():
        held = over_runs(gains)
        rows.append(
            row(
                f"world.own hours.after {sends} sends",
                held,
                "of the gain",
                ("each lead's best hour known, over one hour for all", 1.0),
                goal=f"≥ {GAINS[sends]}",
                reached=held.value >= GAINS[sends],
                notes=[f"{leads} leads, a send a week, passive activity seen"],
            )
        )
    return rows


def intervals(logs: int = LOGS, batches: int = BATCHES) -> list[Row]:
    """Return for each method the share of intervals that hold the truth, among logs that say enough for a verdict."""
    found: dict[str, list[Covered]] = {}
    for seed in range(batches):
        for method, covered in coverage(logs, ANSWERS, np.random.default_rng(seed)).items():
            found.setdefault(method, []).append(covered)
    rows = []
    for method, parts in found.items():
        held, verdicts = sum(each.held for each in parts), sum(each.verdicts for each in parts)
        share = held / max(verdicts, 1)
        error = 1.96 * (share * (1.0 - share) / max(verdicts, 1)) ** 0.5
        rows.append(
            row(
                f"off_policy.coverage.{method}",
                Held(share, share - error, share + error, [each.share for each in parts]),
                "of intervals",
                ("95 %", 0.95),
                goal=f"{HOLDS[0]} to {HOLDS[1]}",
                reached=HOLDS[0] <= share <= HOLDS[1],
                notes=[
                    f"{batches * logs:,} logs of {ANSWERS:,} answers, {verdicts:,} with a verdict"
                ],
            )
        )
    return rows
