"""Train lead → opportunity and lead → customer, and write them as numbers that serve without scikit-learn.

Rules
1. A row is one visitor at one moment; yes: they got there within the horizon. A row that was not followed to the
   horizon's end is left out, also if its yes came early: kept, the quick ones alone would raise the level. That
   loses the newest rows and biases nothing, for a row is cut off by the calendar and not by what the visitor does.
2. Validation is chronological and without overlap: the models that are compared learned only from rows whose
   horizon was over when the first row they are judged on was taken.
3. Boosted trees against a shrunk logistic regression: the trees must have the lower log-loss by more than a standard
   error of the difference (Breiman et al. 1984, "Classification and Regression Trees": among what cannot be told
   apart the simpler one). By the bare minimum, few conversions once chose trees that were .05 AUC worse.
   Calibration (Platt 1999) is taken up where it lowers the log-loss of later rows than it was fitted on by more than a
   standard error, and where as many conversions as `EARLY_BELOW` stand behind it: it is fitted on what a model of the
   earlier rows alone says, which overstates more than the model of all rows that it is then put on. Fitted on some
   thirty conversions it told the likeliest tenth .034 and .038 where .104 and .091 came; without it .097 and .102.
4. Below `EARLY_BELOW` conversions nothing is compared: the logistic regression, shrunk more, marked early.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from learning.evaluation.calibration import (
    auc,
    calibration_bins,
    expected_calibration_error,
    log_loss,
    log_losses,
)
from learning.serving.moment import FEATURES
from learning.serving.probability import HORIZON_DAYS, model_of, probabilities
from learning.training.lesson import CONVERSIONS_MIN, Example, Report, Trained
from learning.training.trees import trees_of
from messaging.vocabulary.records import Snapshot

EARLY_BELOW = 100
"""Conversions."""
VALIDATED_SHARE = 0.3
"""The newest part of the rows, by time, on which the models are compared."""

LEARNED_TO = "moments"
"""Key of a snapshot's `learned_to`: the newest moment that was learned from, in whole seconds."""
DAY_SECONDS = 86_400

SHRUNK, SHRUNK_MORE = 1.0, 0.05
"""Variance of a weight before the data, for an input of variance 1."""

Vector = NDArray[np.float64]
Labels = NDArray[np.bool_]


class Rows(msgspec.Struct, frozen=True):
    """Hold examples as arrays, in order of time."""

    at: Vector
    X: Vector
    y: Labels
    there_at: Vector
    """When they got there; NaN where not within the horizon."""

    def where(self, chosen: Labels) -> Rows:
        """Return some of the rows."""
        return Rows(self.at[chosen], self.X[chosen], self.y[chosen], self.there_at[chosen])

    @property
    def conversions(self) -> int:
        """Return how often somebody got there: many moments before one purchase are one conversion."""
        return len(np.unique(np.round(self.there_at[self.y], 6)))


class Judged(msgspec.Struct, frozen=True):
    """Hold the later rows, and what a model that learned from the earlier ones alone said of them."""

    rows: Rows
    chances: Vector


class Learned(msgspec.Struct, frozen=True):
    """Hold a model's numbers, and how it came about."""

    numbers: dict[str, list[float]]
    report: Report
    to_days: float
    """When the newest moment was that it learned from."""
    judged: Judged | None
    """None where nothing was compared."""


def mature(examples: Sequence[Example], horizon_days: float = HORIZON_DAYS) -> Rows:
    """Return the rows whose horizon is over, in order of time, with whether they got there."""
    known = [each for each in examples if each.followed_days >= horizon_days]
    known.sort(key=lambda each: each.at_days)
    X = np.asarray([each.inputs for each in known], dtype=np.float64).reshape(-1, len(FEATURES))
    after = np.asarray([np.nan if each.after_days is None else each.after_days for each in known])
    at = np.asarray([each.at_days for each in known])
    y = after <= horizon_days
    return Rows(at, X, y, np.where(y, at + after, np.nan))


def train(
    policy: str, version: int, examples: Sequence[Example], horizon_days: int = HORIZON_DAYS
) -> Trained | None:
    """Train one probability. Return None where there is too little to learn from.

    The same examples give the same snapshot.
    """
    learned = learn(mature(examples, horizon_days), horizon_days)
    return None if learned is None else published(policy, version, learned, horizon_days)


def learn(rows: Rows, horizon_days: int = HORIZON_DAYS) -> Learned | None:
    """Learn from mature rows. Return None where there is too little to learn from."""
    yes = rows.conversions
    if min(yes, len(rows.y) - int(rows.y.sum())) < CONVERSIONS_MIN:
        return None
    earlier, later = _split(rows, horizon_days)
    fits = earlier.conversions >= CONVERSIONS_MIN and not earlier.y.all()
    if yes < EARLY_BELOW or not fits or not 0 < later.y.sum() < len(later.y):
        report = Report("logistic", len(rows.y), yes, True, False, {}, 0.0, 0.0)
        return Learned(_logistic(rows, SHRUNK_MORE), report, float(rows.at[-1]), None)
    return _best(rows, earlier, later)


def published(policy: str, version: int, learned: Learned, horizon_days: int) -> Trained:
    """Return what was learned as it is published, with what it rests on."""
    snapshot = _snapshot(policy, version, learned.numbers, horizon_days)
    report = learned.report
    snapshot.learned_to = {LEARNED_TO: int(learned.to_days * DAY_SECONDS)}
    snapshot.arrays |= {
        "early": [float(report.is_early)],
        "rows": [float(report.rows)],
        "conversions": [float(report.conversions)],
    }
    if learned.judged is not None:
        snapshot.arrays["auc"] = [report.auc]
        snapshot.arrays["calibration_error"] = [report.calibration_error]
        for place, name in enumerate(("rows", "said", "came")):
            bins = [float(each[place]) for each in report.calibration]
            snapshot.arrays[f"calibration_{name}"] = bins
    return Trained(snapshot, report)


def _best(rows: Rows, earlier: Rows, later: Rows) -> Learned:
    """Compare on the later rows, and learn the better one anew from all."""
    tried = {}
    for kind, learner in LEARNERS.items():
        model = model_of(_snapshot("tried", 1, learner(earlier), HORIZON_DAYS))
        tried[kind] = probabilities(model, later.X)
    losses = {kind: log_loss(chances, later.y) for kind, chances in tried.items()}
    kind = "trees" if _wins(tried["trees"], tried["logistic"], later.y) else "logistic"
    chances = tried[kind]
    platt = _calibration(chances, later)
    if platt is not None:
        chances = _platted(chances, platt)
    numbers = LEARNERS[kind](rows)
    if platt is not None:
        numbers |= {"slope": [platt[0]], "shift": [platt[1]]}
    report = Report(
        kind=kind,
        rows=len(rows.y),
        conversions=rows.conversions,
        is_early=False,
        is_calibrated=platt is not None,
        log_losses=losses,
        auc=auc(chances, later.y),
        calibration_error=expected_calibration_error(chances, later.y),
        calibration=[(b.rows, b.said, b.came) for b in calibration_bins(chances, later.y)],
    )
    return Learned(numbers, report, float(rows.at[-1]), Judged(later, tried[kind]))


def _wins(chances: Vector, simpler: Vector, y: Labels) -> bool:
    """Return whether the log-loss is lower than the simpler model's by more than a standard error."""
    gains = log_losses(simpler, y) - log_losses(chances, y)
    return bool(gains.mean() > gains.std() / np.sqrt(len(gains)))


def _split(rows: Rows, horizon_days: float) -> tuple[Rows, Rows]:
    """Return the rows to learn from and the later ones to judge by, a horizon apart."""
    cut = float(np.quantile(rows.at, 1.0 - VALIDATED_SHARE))
    return rows.where(rows.at + horizon_days <= cut), rows.where(rows.at >= cut)


def _calibration(chances: Vector, later: Rows) -> tuple[float, float] | None:
    """Return slope and shift if, fitted on the first half, they help on the second; else None."""
    y = later.y
    half = len(y) // 2
    if later.conversions < EARLY_BELOW:
        return None
    if not 0 < y[:half].sum() < half or not 0 < y[half:].sum() < len(y) - half:
        return None
    first = _platt(chances[:half], y[:half])
    if first[0] <= 0.0:
        return None
    if not _wins(_platted(chances[half:], first), chances[half:], y[half:]):
        return None
    both = _platt(chances, y)
    return both if both[0] > 0.0 else None


def _platt(chances: Vector, y: Labels) -> tuple[float, float]:
    fitted = LogisticRegression(C=1e6, max_iter=1000).fit(_log_odds(chances)[:, None], y)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _platted(chances: Vector, platt: tuple[float, float]) -> Vector:
    platted: Vector = 1.0 / (1.0 + np.exp(-(platt[0] * _log_odds(chances) + platt[1])))
    return platted


def _log_odds(chances: Vector) -> Vector:
    cut = np.clip(chances, 1e-9, 1.0 - 1e-9)
    odds: Vector = np.log(cut) - np.log1p(-cut)
    return odds


def _logistic(rows: Rows, shrunk: float = SHRUNK) -> dict[str, list[float]]:
    """Fit on log(1 + input), standardised; what is unknown counts as the mean."""
    logs = np.log1p(np.maximum(rows.X, 0.0))
    known = ~np.isnan(logs)
    counts = known.sum(axis=0)
    mean = np.where(known, logs, 0.0).sum(axis=0) / np.maximum(counts, 1)
    filled = np.where(known, logs, mean) - mean
    deviation = filled.std(axis=0)
    scale = np.where(deviation > 1e-9, deviation, np.inf)  # what never differs has no weight
    fitted = LogisticRegression(C=shrunk, max_iter=1000).fit(filled / scale, rows.y)
    return {
        "base": [float(fitted.intercept_[0])],
        "mean": mean.tolist(),
        "weights": (fitted.coef_[0] / scale).tolist(),
    }


def _trees(rows: Rows) -> dict[str, list[float]]:
    fitted: Any = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=200,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        early_stopping=False,
        random_state=0,
    )
    with one_thread():
        fitted.fit(without_unknown_columns(rows.X), rows.y)
    return trees_of(fitted) | {"mean": [0.0] * len(FEATURES)}


def one_thread() -> Any:
    """Keep OpenMP to one thread: on busy cores its threads wait for each other, spinning (many times as long here)."""
    return threadpool_limits(1, user_api="openmp")


def without_unknown_columns(X: Vector) -> Vector:
    """Return X with 0 in the columns of which nothing is known.

    scikit-learn finds no bins for those, and asks for them at no node when they never differ.
    """
    empty = np.isnan(X).all(axis=0)
    filled: Vector = np.where(empty, 0.0, X)
    return filled


LEARNERS = {"logistic": _logistic, "trees": _trees}


def _snapshot(
    policy: str, version: int, numbers: dict[str, list[float]], horizon_days: int
) -> Snapshot:
    arrays = {"slope": [1.0], "shift": [0.0], "early": [0.0]} | numbers
    arrays |= {"horizon_days": [float(horizon_days)]}
    return Snapshot(policy=policy, version=version, arms=list(FEATURES), arrays=arrays)
