"""Measure the publication gate in made-up worlds: ordinary updates it holds, harm it holds, and what it costs.

A share is held against an end of its exact 95 % interval (Clopper and Pearson 1934), as the guardrail's are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from learning.evaluation.gate import EFFECTIVE_MIN, LITTLE, MARGIN, TRIED, judge
from learning.evaluation.gating import Lived, best_of, live, made_up, reversed_of, worst_of
from messaging.vocabulary.records import Snapshot
from scripts.bench_experiments import upper_bound
from scripts.bench_guardrail import lower_bound
from scripts.bench_learning_rows import over_runs
from scripts.bench_measure import Row, Say

WORLDS = 150
ANSWERS = 6_000
HELD_MAX, HARM_MIN = 0.05, 0.95
LOST_MAX = 0.02
"""Of the regret, that the gate may cost at most."""

CANDIDATES: dict[str, Callable[[Lived], Snapshot]] = {
    "worst for everybody": lambda life: worst_of(life.acting, life.world),
    "weights reversed": lambda life: reversed_of(life.acting),
    "the truth": lambda life: best_of(life.acting, life.world),
}


def measure(say: Say, worlds: int = WORLDS) -> list[Row]:
    """Return a row for ordinary updates, with and without anything to learn, for each candidate, and for the cost."""
    rows, lives = [], []
    for equals in (True, False):
        name = "equals" if equals else "where context matters"
        say(f"gate: ordinary updates, {name}")
        lived = [_life(seed, equals=equals, is_gated=False) for seed in range(worlds)]
        rows.append(_updates(name, lived))
        lives = lived
    say("gate: candidates made by hand")
    rows += [_candidates(name, lives) for name in CANDIDATES]
    say("gate: what it costs")
    return [*rows, _cost(lives)]


def _life(seed: int, *, equals: bool, is_gated: bool) -> Lived:
    world = made_up(np.random.default_rng([21, seed]), equals=equals)
    return live(world, ANSWERS, np.random.default_rng([22, seed]), is_gated=is_gated)


def _updates(name: str, lived: list[Lived]) -> Row:
    judged, held = sum(each.judged for each in lived), sum(each.held for each in lived)
    bound = upper_bound(held, judged)
    return _row(
        f"gate, ordinary updates, {name}",
        bound,
        "held at most",
        (lower_bound(held, judged), bound, held / judged),
        (HELD_MAX, "≤", bound <= HELD_MAX),
        f"{held} of {judged:,} publications of {len(lived)} worlds",
    )


def _candidates(name: str, lived: list[Lived]) -> Row:
    found = [judge(life.drawn, life.acting, CANDIDATES[name](life)) for life in lived]
    known = [each for each in found if each.verdict != LITTLE]
    held = sum(each.is_held for each in known)
    low, high = lower_bound(held, len(known)), upper_bound(held, len(known))
    is_harm = name != "the truth"
    share = held / max(1, len(known))
    return _row(
        f"gate, {name}",
        low if is_harm else share,
        "held at least" if is_harm else "held",
        (low, high, share),
        (HARM_MIN, "≥", low >= HARM_MIN) if is_harm else None,
        f"{held} of {len(known)} worlds in which enough is known, of {len(found)}",
    )


def _cost(free: list[Lived]) -> Row:
    gated = [_life(seed, equals=False, is_gated=True) for seed in range(len(free))]
    lost = [one.regret - other.regret for one, other in zip(gated, free, strict=True)]
    most = LOST_MAX * float(np.mean([each.regret for each in free]))
    held = over_runs(lost)
    row = _row(
        "gate, regret more than without it",
        held.value,
        "a decision",
        (held.low, held.high, held.value),
        (most, "≤", held.value <= most),
        f"{ANSWERS:,} decisions; {np.mean([each.regret for each in free]):.4f} without it",
    )
    row.runs = lost
    return row


def _row(
    name: str,
    value: float,
    unit: str,
    interval: tuple[float, float, float],
    goal: tuple[float, str, bool] | None,
    note: str,
) -> Row:
    limit, sign, reached = goal or (1.0, "", True)
    low, high, share = interval
    return Row(
        name=name,
        value=value,
        unit=unit,
        against=f"goal {limit:g}" if goal else "reported",
        ratio=value / limit,
        low=low,
        high=high,
        runs=[share],
        goal=f"{sign} {limit:g}" if goal else "reported",
        reached=reached,
        notes=[f"{note}; margin {MARGIN:g}, tried {TRIED:g}, from {EFFECTIVE_MIN:g} effective"],
    )
