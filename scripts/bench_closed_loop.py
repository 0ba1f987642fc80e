"""Measure what learning brings where everything acts on everything: `mdma simulate` in worlds of which much is asked.

Rules
1. Each audience lives twice, by the rules alone and with learning (5 % held out, as it ships). The lift is that of all
   audiences together over the rules; its interval is over audiences, whose tastes differ (Student's t).
2. The world in which nothing is to be learned says what exploring costs; few contacts, whether they are hurt.
3. Audiences are independent: as many live at a time as there are cores.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from math import sqrt
from multiprocessing import get_context

import msgspec
from scipy.stats import t

from config.load import DEFAULTS, read_folder
from learning.audience.world import ALIKE, DEFAULT
from scripts.bench_learning_rows import Held, row
from scripts.bench_measure import Row, Say
from scripts.simulation import Files, Request, simulate

VISITORS, FEW, DAYS = 10_000, 50, 60
SEEDS, SEEDS_OF_FEW = 10, 200

LIFT_MIN = 0.20
"""More conversions than by the rules, where there is something to learn."""
COST_MAX = 0.02
"""Fewer conversions, where there is nothing."""


COUNTED = ("goal", "unsubscribed")


class Came(msgspec.Struct, frozen=True):
    """Hold what one audience came to: the shares who reached the goal and who unsubscribed."""

    rules: dict[str, float]
    learning: dict[str, float]


def measure(say: Say) -> list[Row]:
    """Return the rows of each world."""
    many = came(DEFAULT.name, VISITORS, SEEDS, say)
    alike = came(ALIKE.name, VISITORS, SEEDS, say)
    few = came(DEFAULT.name, FEW, SEEDS_OF_FEW, say)
    gained, cost, hurt = (lift_of(lived, "goal") for lived in (many, alike, few))
    left = lift_of(many, "unsubscribed")
    return [
        _row(
            "conversions",
            gained,
            many,
            "≥ +0.20",
            reached=gained.value >= LIFT_MIN and gained.low > 0.0,
        ),
        _row(
            "conversions, nothing to learn", cost, alike, "≥ −0.02", reached=cost.value >= -COST_MAX
        ),
        _row("conversions, 50 contacts", hurt, few, "not below 0", reached=hurt.high >= 0.0),
        _row("unsubscribed", left, many, "not above 0", reached=left.low <= 0.0),
    ]


def came(world: str, visitors: int, seeds: int, say: Say, days: int = DAYS) -> list[Came]:
    """Return what each audience of a world came to."""
    files = read_folder(DEFAULTS)
    asked = [
        Request(Files(0, files), visitors=visitors, days=days, seed=seed, world=world)
        for seed in range(1, seeds + 1)
    ]
    found = {}
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(_live, request): request.seed for request in asked}
        for done, lived in enumerate(as_completed(waiting), 1):
            found[waiting[lived]] = lived.result()
            say(f"closed loop: {world}, {visitors:,} people, {done} of {seeds} audiences")
    return [found[seed] for seed in sorted(found)]


def lift_of(lived: Sequence[Came], measure: str) -> Held:
    """Return the lift over the rules' mean; its 95 % interval by how it differs between audiences.

    >>> lift_of([Came({"goal": 0.1}, {"goal": 0.1})] * 2, "goal").low
    0.0
    """
    mean = sum(each.rules[measure] for each in lived) / len(lived)
    apart = [(each.learning[measure] - each.rules[measure]) / mean for each in lived]
    middle, count = sum(apart) / len(apart), len(apart)
    spread = sqrt(sum((each - middle) ** 2 for each in apart) / (count - 1))
    half = float(t.ppf(0.975, count - 1)) * spread / sqrt(count)
    return Held(middle, middle - half, middle + half, apart)


def _live(request: Request) -> Came:
    found = simulate(request)["measures"]
    rules, learning = (
        {name: found[name][arm] for name in COUNTED} for arm in ("rules", "learning")
    )
    return Came(rules, learning)


def _row(name: str, held: Held, lived: Sequence[Came], goal: str, *, reached: bool) -> Row:
    measure = "unsubscribed" if name == "unsubscribed" else "goal"
    share = sum(each.rules[measure] for each in lived) / len(lived)
    other = sum(each.learning[measure] for each in lived) / len(lived)
    return row(
        f"closed loop.{name}",
        held,
        "over the rules",
        (f"rules alone {share:.4f} of people", 1.0),
        goal=goal,
        reached=reached,
        notes=[f"with learning {other:.4f}; {len(lived)} audiences over {DAYS} days"],
    )
