"""Keep the score of one split test, and say when it is decided.

Rules
1. A visitor counts once, for the variant drawn by the shares, when the answer of all drawn at that time is known: a
   quick yes must not count before the slow no's of the same days.
2. The first verdict stays. Evidence that falls again later was expected: that it rose so high once is what is rare.
3. Whether visitors come by the shares is asked first: of a draw that lost some of a variant's visitors (their e-mail
   could not be sent) nothing can be learned, and no winner is named.
4. Held-out visitors are counted by the same measure, for comparison, and decide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import permutations

import msgspec
import numpy as np

from learning.evaluation.sequential import (
    LIFTS,
    grown,
    log_evidence,
    log_needed,
    log_ratio_evidence,
    rate_interval,
)
from learning.serving.split_test import ALARM, NO_DIFFERENCE, RUNNING, VERDICTS, WINNER
from messaging.vocabulary.records import Snapshot, SplitTest

ALPHA = 0.05
"""Probability that a variant is ever called the winner though another one is as good or better."""

RATIO_ALPHA = 0.001
"""Probability of a false alarm about the shares: it ends a test, so it is kept rare."""

HOLDOUT = "(holdout)"
"""Counts the held-out visitors; no template can be called so."""


class Count(msgspec.Struct, array_like=True):
    """Count visitors whose answer is known, and how many of them converted."""

    visitors: int = 0
    conversions: int = 0

    def interval(self) -> tuple[float, float]:
        """Return the interval that holds the true rate at every look, in 95 % of tests."""
        return rate_interval(self.conversions, self.visitors)


class Experiment(msgspec.Struct):
    """Hold one split test, from its begin to its verdict and beyond."""

    test: SplitTest
    counts: dict[str, Count] = {}
    """Variant, or `HOLDOUT` -> who is known."""
    evidence: list[list[float]] = []
    """Of each ordered pair of variants, in the order of `pairs`: logarithms, one for each lift betted on."""
    verdict: str = RUNNING
    winner: str = ""

    @property
    def variants(self) -> list[str]:
        """Return the templates under test, in the order in which the marketer wrote them."""
        return [variant for variant, _ in self.test.variants]


def begin(test: SplitTest) -> Experiment:
    """Return a test of which nothing is known yet."""
    variants = [variant for variant, _ in test.variants]
    none = [[0.0] * len(LIFTS) for _ in permutations(variants, 2)]
    return Experiment(test, {name: Count() for name in (*variants, HOLDOUT)}, none)


def learn(experiment: Experiment, bundle: Mapping[str, Count]) -> None:
    """Take the visitors who became known together, and judge anew unless the test is over."""
    shares = dict(experiment.test.variants)
    for place, (better, other) in enumerate(permutations(experiment.variants, 2)):
        seen = [*_outcomes(experiment.counts, better), *_outcomes(experiment.counts, other)]
        new = [*_outcomes(bundle, better), *_outcomes(bundle, other)]
        share = shares[better] / (shares[better] + shares[other])
        logs = grown(experiment.evidence[place], np.array(seen), np.array(new), share)
        experiment.evidence[place] = [float(each) for each in logs]
    for name, more in bundle.items():
        count = experiment.counts[name]
        count.visitors += more.visitors
        count.conversions += more.conversions
    if experiment.verdict == RUNNING:
        experiment.verdict, experiment.winner = _judge(experiment)
    elif log_ratio(experiment) >= -math.log(RATIO_ALPHA):
        # Those who are still on their way were assigned while the test ran: they must come by the shares, too.
        experiment.verdict, experiment.winner = ALARM, ""


def _outcomes(counts: Mapping[str, Count], variant: str) -> tuple[int, int]:
    count = counts.get(variant) or Count()
    return count.conversions, count.visitors - count.conversions


def _judge(experiment: Experiment) -> tuple[str, str]:
    """Return the verdict on what is known now, and the winner if there is one."""
    test = experiment.test
    if log_ratio(experiment) >= -math.log(RATIO_ALPHA):
        return ALARM, ""
    fewest = min(experiment.counts[variant].visitors for variant in experiment.variants)
    if fewest >= test.visitors_min:
        strength = strengths(experiment)
        best = max(experiment.variants, key=lambda variant: strength[variant])
        if strength[best] >= 1.0:
            return WINNER, best
    if fewest >= test.visitors_max:
        return NO_DIFFERENCE, ""
    return RUNNING, ""


def log_ratio(experiment: Experiment) -> float:
    """Return the logarithm of the evidence that the known visitors do not come by the shares."""
    counts = [experiment.counts[variant].visitors for variant in experiment.variants]
    return log_ratio_evidence(counts, [share for _, share in experiment.test.variants])


def by_shares(experiment: Experiment) -> list[dict[str, str | int | float]]:
    """Return of each variant how many of the known visitors its share would be, and how many they are."""
    known = sum(experiment.counts[variant].visitors for variant in experiment.variants)
    return [
        {
            "template": variant,
            "share": share,
            "expected": round(known * share, 1),
            "seen": experiment.counts[variant].visitors,
        }
        for variant, share in experiment.test.variants
    ]


def strengths(experiment: Experiment) -> dict[str, float]:
    """Return of each variant which part of the evidence it needs it has, against its closest rival; 1: it wins."""
    needed = log_needed(len(experiment.variants), ALPHA)
    strength = dict.fromkeys(experiment.variants, math.inf)
    for (better, _), logs in zip(
        permutations(experiment.variants, 2), experiment.evidence, strict=True
    ):
        strength[better] = min(strength[better], float(log_evidence(logs)) / needed)
    return {variant: max(0.0, each) for variant, each in strength.items()}


def snapshot_of(experiment: Experiment, version: int, rewards: int) -> Snapshot:
    """Return what is known of a test, as it is published and served by (`learning.serving.split_test`)."""
    test, variants = experiment.test, experiment.variants
    strength = strengths(experiment)
    arrays = {
        "verdict": [float(VERDICTS.index(experiment.verdict))],
        "winner": [float(variant == experiment.winner) for variant in variants],
        "shares": [share for _, share in test.variants],
        "strength": [strength[variant] for variant in variants],
        "log_ratio": [log_ratio(experiment)],
        "visitors_bounds": [float(test.visitors_min), float(test.visitors_max)],
        "bandit_then": [float(test.then == "bandit")],
        "holdout": _shown(experiment.counts[HOLDOUT]),
    }
    shown = [_shown(experiment.counts[variant]) for variant in variants]
    for place, name in enumerate(("visitors", "conversions", "low", "high")):
        arrays[name] = [each[place] for each in shown]
    return Snapshot(
        policy=test.policy,
        version=version,
        learned_to={"rewards": rewards},
        arms=variants,
        arrays=arrays,
    )


def _shown(count: Count) -> list[float]:
    """Return visitors, conversions, and the ends of the interval of their rate."""
    return [float(count.visitors), float(count.conversions), *count.interval()]
