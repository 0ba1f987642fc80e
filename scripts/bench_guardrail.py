"""Measure the guardrail by simulation: how often learning is taken back for nothing, and how soon where it does harm.

A share is held against an end of its exact 95 % interval (Clopper and Pearson 1934): false alarms against the upper
one, harm that was stopped against the lower one.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import beta

from learning.evaluation.guardrail import EVIDENCE_MIN
from learning.evaluation.harming import Lived, Rates, live
from scripts.bench_experiments import upper_bound
from scripts.bench_measure import Row, Say

ERAS = 1_000
LOOKS = 100
"""Of an A/A era, one after every hundred held-out visitors or pairs."""

PAIRS = 2_500
FALSE_MAX, STOPPED_MIN = 0.05, 0.95

SIZES = {"pairs": (100, 100), "holdout of 5 %": (5, 95)}
"""Name -> held-out and learned visitors between two looks."""

LEVELS = {
    "answers of 10 %": Rates(0.10, 0.02, 0.004, 0.0008),
    "answers of 20 %": Rates(0.20, 0.03, 0.004, 0.0008),
    "answers of 30 %": Rates(0.30, 0.05, 0.010, 0.0010),
}
"""A stage's share of first e-mails that a human opens or clicks, or that move on; who buys, leaves, complains."""

ANSWERS_LOST = 0.7
ANSWERS_HALVED = 0.5
"""As where the worst template is sent to everybody: templates differ by that much."""
LEAVERS_MORE = 4.0

HARMS = (
    ("answers of 20 %", {"fewer": ANSWERS_LOST}, "pairs", True),
    ("answers of 30 %", {"fewer": ANSWERS_LOST}, "pairs", True),
    ("answers of 10 %", {"fewer": ANSWERS_HALVED}, "pairs", True),
    ("answers of 10 %", {"fewer": ANSWERS_LOST}, "pairs", False),
    ("answers of 10 %", {"fewer": ANSWERS_LOST}, "holdout of 5 %", True),
    ("answers of 20 %", {"fewer": ANSWERS_LOST}, "holdout of 5 %", True),
    ("answers of 20 %", {"more": LEAVERS_MORE}, "holdout of 5 %", True),
    ("answers of 20 %", {"more": LEAVERS_MORE}, "pairs", False),
)
"""Level, what the learned policy does to it, sizes, and whether 95 % must be stopped within `PAIRS` (else: reported).

With a holdout of 5 % each held-out visitor stands beside nineteen learned ones: 2,500 of them in 50,000 visitors."""


def measure(say: Say, eras: int = ERAS) -> list[Row]:
    """Return a row for each kind of A/A era, and one for each harm."""
    rows = []
    for sizes in SIZES:
        for seed, level in enumerate(LEVELS):
            say(f"guardrail: A/A, {level}, {sizes}")
            rows.append(_equals(level, sizes, eras, seed))
    for seed, (level, harm, sizes, must) in enumerate(HARMS):
        say(f"guardrail: harm, {level}, {sizes}")
        rows.append(_harm(level, harm, sizes, eras, seed, must=must))
    return rows


def lower_bound(found: int, of: int) -> float:
    """Return the lower end of the exact two-sided 95 % interval of a share (Clopper and Pearson 1934).

    >>> lower_bound(0, 3), round(lower_bound(100, 100), 4)
    (0.0, 0.9638)
    """
    return float(beta.ppf(0.025, found, of - found + 1)) if found else 0.0


def _equals(level: str, sizes: str, eras: int, seed: int) -> Row:
    rates, rng = LEVELS[level], np.random.default_rng([17, seed, len(sizes)])
    lived = live(rates, rates, eras=eras, looks=LOOKS, sizes=SIZES[sizes], rng=rng)
    bound = upper_bound(lived.taken_back, eras)
    return _row(
        f"guardrail A/A, {level}, {sizes}",
        lived,
        eras,
        value=bound,
        unit="taken back for nothing at most",
        goal=(FALSE_MAX, "≤", bound <= FALSE_MAX),
        note=f"{LOOKS} looks, one after {SIZES[sizes][0]:,} held-out and {SIZES[sizes][1]:,} learned visitors",
    )


def _harm(
    level: str, harm: dict[str, float], sizes: str, eras: int, seed: int, *, must: bool
) -> Row:
    rules, rng = LEVELS[level], np.random.default_rng([18, seed])
    held_out = SIZES[sizes][0]
    lived = live(
        rules,
        rules.times(**harm),
        eras=eras,
        looks=PAIRS // held_out,
        sizes=SIZES[sizes],
        rng=rng,
    )
    bound = lower_bound(lived.taken_back, eras)
    after = lived.taken_back_after[lived.taken_back_after >= 0]
    when = f"median after {np.median(after):,.0f}" if len(after) else "never"
    said = ", ".join(f"{factor:g} × {_WHAT[name]}" for name, factor in harm.items())
    return _row(
        f"guardrail {said}, {level}, {sizes}",
        lived,
        eras,
        value=bound,
        unit=f"stopped within {PAIRS:,} at least",
        goal=(STOPPED_MIN, "≥", bound >= STOPPED_MIN) if must else None,
        note=f"{when} held-out visitors judged",
    )


_WHAT = {"fewer": "answers and goals", "more": "unsubscribes and complaints"}


def _row(
    name: str,
    lived: Lived,
    eras: int,
    *,
    value: float,
    unit: str,
    goal: tuple[float, str, bool] | None,
    note: str,
) -> Row:
    share = lived.taken_back / eras
    limit, sign, reached = goal or (1.0, "", True)
    return Row(
        name=name,
        value=value,
        unit=unit,
        against=f"goal {limit:g}" if goal else "reported",
        ratio=value / limit,
        low=lower_bound(lived.taken_back, eras),
        high=upper_bound(lived.taken_back, eras),
        runs=[share],
        goal=f"{sign} {limit:g}" if goal else "reported",
        reached=reached,
        notes=[f"{lived.taken_back} of {eras:,} eras at evidence {EVIDENCE_MIN:g}; {note}"],
    )
