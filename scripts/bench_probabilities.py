"""Measure the probabilities on the synthetic audience: do they rank, and do they mean what they say?

Every week each lead's moment is kept, as in a running system. What is shipped learns from the moments whose
horizon was over at a cut, and is judged, served by numpy, on the moments taken from the cut on. The peers learn from
the very same rows: scikit-learn's logistic regression on standardised inputs, and its boosted trees as they come;
of the two, the one that does better on the judged rows counts, which no one could have known beforehand.
"""

from __future__ import annotations

import msgspec
import numpy as np

from agents.protocol.bot import View
from agents.runtime.garbage import collect_seldom
from agents.runtime.lessons import EPOCH, examples_of
from config.load import DEFAULTS, compile_folder
from learning.audience.audience import Audience
from learning.evaluation.calibration import (
    auc,
    calibration_bins,
    expected_calibration_error,
    log_loss,
)
from learning.serving.probability import HORIZON_DAYS, POLICIES, model_of, probabilities
from learning.training.lesson import Example
from learning.training.peers import peer_chances
from learning.training.probabilities import mature, train
from scripts.bench_measure import Row, Say
from scripts.simulating import START, Simulated, end_of

PEOPLE = 3_000
DAYS = 150
CUT_DAYS = 90
"""Learn from what was known on this day, judge what was said from then on."""
ARRIVAL_DAYS = DAYS - HORIZON_DAYS
"""People keep coming, as in a running shop: among those who are judged are new ones and old ones."""
SEEDS = (1, 2, 3)
GOAL = 0.98
ERROR_MORE_MAX = 0.01
"""How much further off than the peer: less cannot be told from luck on some ten thousand rows."""


class Judged(msgspec.Struct):
    """Hold one seed's figures for one probability."""

    kind: str
    auc: float
    error: float
    log_loss: float
    peer: str
    peer_auc: float
    peer_error: float
    peer_log_loss: float
    rows: int
    conversions: int
    bins: list[tuple[float, float]]


def measure(say: Say, people: int = PEOPLE, seeds: tuple[int, ...] = SEEDS) -> list[Row]:
    """Return two rows for each probability: AUC against the better peer, calibration against its limit."""
    collect_seldom()
    judged: dict[str, list[Judged]] = {policy: [] for policy in POLICIES}
    for number, seed in enumerate(seeds, 1):
        say(f"probabilities: audience {number} of {len(seeds)}")
        for policy, examples in audience_of(seed, people, DAYS).items():
            say(f"probabilities: training {policy} {number} of {len(seeds)}")
            judged[policy].append(judge(policy, examples))
    return [row for policy in POLICIES for row in _rows(policy, judged[policy])]


def audience_of(seed: int, people: int, days: int) -> dict[str, list[Example]]:
    """Return policy -> every lead's moments of every week, with what came of them until the end."""
    rules = compile_folder(DEFAULTS, 1)
    view = View(rules, 1, {1: rules}, {})
    world = Simulated(view, Audience(seed, people, START, days, ARRIVAL_DAYS))
    end = end_of(days)
    world.run(end)
    return {
        policy: examples_of(world.moments, world.reached_at(policy), end) for policy in POLICIES
    }


def judge(policy: str, examples: list[Example]) -> Judged:
    """Learn from what was known at the cut, and judge what is said from then on."""
    cut = (START - EPOCH).days + CUT_DAYS
    known = [_as_of(each, cut) for each in examples if each.at_days < cut]
    trained = train(policy, 1, known)
    assert trained is not None, "the audience converts often enough to learn from"
    later = mature([each for each in examples if each.at_days >= cut])
    chances = probabilities(model_of(trained.snapshot), later.X)
    peers = peer_chances(mature(known), later.X)
    peer = max(peers, key=lambda name: auc(peers[name], later.y))
    return Judged(
        kind=trained.report.kind,
        auc=auc(chances, later.y),
        error=expected_calibration_error(chances, later.y),
        log_loss=log_loss(chances, later.y),
        peer=peer,
        peer_auc=auc(peers[peer], later.y),
        peer_error=expected_calibration_error(peers[peer], later.y),
        peer_log_loss=log_loss(peers[peer], later.y),
        rows=len(later.y),
        conversions=int(later.y.sum()),
        bins=[(each.said, each.came) for each in calibration_bins(chances, later.y)],
    )


def _as_of(example: Example, day: float) -> Example:
    """Return an example as it stood on a day: what came later is not known."""
    followed = day - example.at_days
    after = example.after_days
    is_known = after is not None and after <= followed
    return Example(example.at_days, example.inputs, after if is_known else None, followed)


def _rows(policy: str, judged: list[Judged]) -> list[Row]:
    name = policy.rpartition("/")[2]
    aucs, errors = [each.auc for each in judged], [each.error for each in judged]
    ratios = [each.auc / each.peer_auc for each in judged]
    ratio = float(np.median(ratios))
    peers = ", ".join(sorted({each.peer for each in judged}))
    ranks = Row(
        name=f"probability {name}",
        value=float(np.median(aucs)),
        unit="AUC",
        against=f"{peers} offline {np.median([each.peer_auc for each in judged]):.3f} AUC",
        ratio=ratio,
        low=min(aucs),
        high=max(aucs),
        runs=aucs,
        goal=f"≥ {GOAL:g} ×",
        reached=ratio >= GOAL,
        notes=[_note(each) for each in judged],
    )
    error = float(np.median(errors))
    offline = float(np.median([each.peer_error for each in judged]))
    says = Row(
        name=f"calibration {name}",
        value=error,
        unit="ECE",
        against=f"offline {offline:.4f} ECE",
        ratio=error / max(offline, 1e-9),
        low=min(errors),
        high=max(errors),
        runs=errors,
        goal=f"≤ offline + {ERROR_MORE_MAX:g}",
        reached=error <= offline + ERROR_MORE_MAX,
        notes=[_bins(each) for each in judged],
    )
    return [ranks, says]


def _note(judged: Judged) -> str:
    return (
        f"{judged.kind}: log-loss {judged.log_loss:.4f}, offline {judged.peer} {judged.peer_log_loss:.4f}; "
        f"{judged.conversions:,} of {judged.rows:,} moments got there within {HORIZON_DAYS} days"
    )


def _bins(judged: Judged) -> str:
    pairs = "  ".join(f"{said:.3f}→{came:.3f}" for said, came in judged.bins)
    return f"said → came, by tenths: {pairs}"
