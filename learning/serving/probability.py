"""Say how likely a visitor gets somewhere within the horizon, and why: from a snapshot, with numpy alone.

Rules
1. A snapshot holds a logistic regression or trees as plain numbers, and nothing that could run. One that does not
   fit together gives no probability at all (`ValueError`): a guess from half a model is worse than none.
2. The reasons add up: log odds = those of everybody (`base`) + what each feature adds. For the logistic regression
   that is exact; for trees each step down a path is put down to the feature that was asked there (Saabas 2014,
   "Interpreting random forests").
3. What is not known is told by the model's own habit: NaN goes the way it went in training.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.serving.moment import FEATURES, IN_DAYS, YES_OR_NO, Moment, inputs_of
from learning.serving.policy import Remembered
from messaging.vocabulary.records import Snapshot

POLICIES = ("probability/opportunity", "probability/customer")
"""The snapshots' names: lead to opportunity, lead to customer."""

OPPORTUNITY, CUSTOMER = OF = ("opportunity", "customer")
"""What a probability may be of."""

MADE_UP = "made_up"
"""Array of a snapshot that learned from simulated people."""

HORIZON_DAYS = 30
"""Within how many days: long enough for the default path's 17 days and a purchase after it."""

REASONS_MAX = 3
WORTH_SAYING = 0.05
"""Log odds below which a feature is no reason."""
SAID_LEAST = 0.1
"""The smallest part that is said as a number."""
DEPTH_MAX = 64
"""Steps down a tree: far more than a trained one has, and an end for one that goes round in a circle."""

Vector = NDArray[np.float64]
Whole = NDArray[np.int64]


class Reason(msgspec.Struct, frozen=True):
    """Hold what one feature adds to the log odds."""

    feature: str
    value: float
    adds: float

    def words(self) -> str:
        """Return it as people read it.

        >>> Reason("clicks", 2.0, 0.7).words()
        'more likely: links of e-mails followed (2)'
        >>> Reason("may_email", 0.0, -0.7).words()
        'less likely: whether they may be written to (no)'
        >>> Reason("days_known", 0.0746, 0.7).words()
        'more likely: days since the first visit (less than a day)'
        """
        way = "more likely" if self.adds > 0 else "less likely"
        return f"{way}: {FEATURES[self.feature]} ({self._value()})"

    def _value(self) -> str:
        if math.isnan(self.value):
            return "never"
        if self.feature in YES_OR_NO:
            return "yes" if self.value else "no"
        return _days(self.value) if self.feature in IN_DAYS else _count(self.value)


def _days(days: float) -> str:
    """Return a time in days as people say it.

    >>> _days(0.0746), _days(1.2), _days(12.6)
    ('less than a day', '1 day', '13 days')
    """
    if days < 1:
        return "less than a day"
    whole = round(days)
    return "1 day" if whole == 1 else f"{whole:,} days"


def _count(value: float) -> str:
    """Return how often something was done; what a person did only perhaps counts as a part.

    >>> _count(1234.0), _count(2.3333), _count(0.01)
    ('1,234', '2.3', 'less than 0.1')
    """
    if 0 < value < SAID_LEAST:
        return f"less than {SAID_LEAST}"
    rounded = round(value, 1)
    return f"{rounded:,.0f}" if rounded.is_integer() else f"{rounded:,.1f}"


class Probability(msgspec.Struct, frozen=True):
    """Hold one answer."""

    value: float
    horizon_days: int
    is_early: bool
    """True where the model learned from so few conversions that its level is worth more than its ranking."""
    is_made_up: bool
    """True where it learned from people who were simulated: the demo does, at first."""
    reasons: list[Reason]
    """The strongest first, `REASONS_MAX` at most."""
    version: int


class Forest(msgspec.Struct, frozen=True):
    """Hold all trees of a model, node after node."""

    roots: Whole
    feature: Whole
    """Asked at a node; −1: a leaf."""
    threshold: Vector
    """Left is where the input is at most this."""
    left: Whole
    right: Whole
    missing_left: NDArray[np.bool_]
    value: Vector
    """Log odds that a node adds on average over those who came through it in training."""


class Model(msgspec.Struct, frozen=True):
    """Hold a snapshot as it is computed with."""

    base: float
    """Log odds of everybody."""
    slope: float
    shift: float
    """Calibration (Platt): log odds × slope + shift; 1 and 0 where none earned its place."""
    horizon_days: int
    is_early: bool
    is_made_up: bool
    mean: Vector
    """Of log(1 + input) in the logistic regression; what is unknown is taken for it."""
    weights: Vector
    """Log odds for a unit of log(1 + input); empty where trees are asked."""
    forest: Forest | None


_models: Remembered[Model] = Remembered(16)


def policy_of(name: str) -> str:
    """Return the policy of a probability.

    >>> [policy_of(name) for name in OF] == list(POLICIES)
    True
    """
    return f"probability/{name}"


def chance(snapshot: Snapshot, moment: Moment) -> float:
    """Return how likely this visitor gets there, without the reasons. Raise ValueError for a broken snapshot."""
    model = _models.get(snapshot, None, lambda: model_of(snapshot))
    return float(probabilities(model, np.asarray(inputs_of(moment))[None, :])[0])


def probability(snapshot: Snapshot, moment: Moment) -> Probability:
    """Return how likely this visitor gets there, with the main reasons. Raise ValueError for a broken snapshot."""
    model = _models.get(snapshot, None, lambda: model_of(snapshot))
    inputs = np.asarray(inputs_of(moment))
    adds = (contributions(model, inputs[None, :]) * model.slope)[0]
    everybody = model.base * model.slope + model.shift
    names = list(FEATURES)
    strongest = sorted(range(len(names)), key=lambda place: (-abs(adds[place]), place))
    reasons = [
        Reason(names[place], float(inputs[place]), float(adds[place]))
        for place in strongest[:REASONS_MAX]
        if abs(adds[place]) >= WORTH_SAYING
    ]
    value = float(_chances(np.asarray([everybody + float(adds.sum())]))[0])
    return Probability(
        value=value,
        horizon_days=model.horizon_days,
        is_early=model.is_early,
        is_made_up=model.is_made_up,
        reasons=reasons,
        version=snapshot.version,
    )


def probabilities(model: Model, inputs: Vector) -> Vector:
    """Return the probability of each row of inputs (n × features)."""
    log_odds = model.base + contributions(model, inputs).sum(axis=1)
    return _chances(log_odds * model.slope + model.shift)


def contributions(model: Model, inputs: Vector) -> Vector:
    """Return what each feature adds to the log odds, before calibration (n × features)."""
    if model.forest is None:
        logs = np.log1p(np.maximum(inputs, 0.0))
        known = np.where(np.isnan(logs), model.mean, logs)
        linear: Vector = (known - model.mean) * model.weights
        return linear
    adds = np.zeros_like(inputs)
    for row, into in zip(inputs, adds, strict=True):
        _walk(model.forest, row, into)
    return adds


def _walk(forest: Forest, row: Vector, into: Vector) -> None:
    """Go down all trees at once, and add each step to the feature that was asked."""
    at = forest.roots
    for _ in range(DEPTH_MAX):
        at = at[forest.feature[at] >= 0]
        if not len(at):
            return
        asked = forest.feature[at]
        inputs = row[asked]
        goes_left = np.where(
            np.isnan(inputs), forest.missing_left[at], inputs <= forest.threshold[at]
        )
        after = np.where(goes_left, forest.left[at], forest.right[at])
        np.add.at(into, asked, forest.value[after] - forest.value[at])
        at = after
    raise ValueError("a tree of the snapshot has no end")


def model_of(snapshot: Snapshot) -> Model:
    """Read a snapshot. Raise ValueError where its numbers do not fit together."""
    if snapshot.arms != list(FEATURES):
        raise ValueError(f"{snapshot.policy}@{snapshot.version} was trained on other features")
    mean, weights = _numbers(snapshot, "mean"), _numbers(snapshot, "weights")
    if len(mean) != len(FEATURES) or len(weights) not in (0, len(FEATURES)):
        raise ValueError(f"{snapshot.policy}@{snapshot.version} has inputs without a weight")
    return Model(
        base=_number(snapshot, "base"),
        slope=_number(snapshot, "slope"),
        shift=_number(snapshot, "shift"),
        horizon_days=int(_number(snapshot, "horizon_days")),
        is_early=_number(snapshot, "early") > 0,
        is_made_up=any(snapshot.arrays.get(MADE_UP, ())),
        mean=mean,
        weights=weights,
        forest=None if len(weights) else _forest(snapshot),
    )


def _forest(snapshot: Snapshot) -> Forest:
    forest = Forest(
        roots=_numbers(snapshot, "roots").astype(np.int64),
        feature=_numbers(snapshot, "feature").astype(np.int64),
        threshold=_numbers(snapshot, "threshold"),
        left=_numbers(snapshot, "left").astype(np.int64),
        right=_numbers(snapshot, "right").astype(np.int64),
        missing_left=_numbers(snapshot, "missing_left") > 0,
        value=_numbers(snapshot, "value"),
    )
    nodes = len(forest.feature)
    sizes = {len(forest.threshold), len(forest.left), len(forest.right), len(forest.value)}
    places = np.concatenate([forest.roots, forest.left, forest.right])
    fits = (
        nodes > 0
        and sizes | {len(forest.missing_left)} == {nodes}
        and len(forest.roots) > 0
        and places.min() >= 0
        and places.max() < nodes
        and forest.feature.max() < len(FEATURES)
    )
    if not fits:
        raise ValueError(f"{snapshot.policy}@{snapshot.version} has trees that do not fit together")
    return forest


def _numbers(snapshot: Snapshot, name: str) -> Vector:
    found = np.asarray(snapshot.arrays.get(name, []), dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"{snapshot.policy}@{snapshot.version}: {name} holds what is no number")
    return found


def _number(snapshot: Snapshot, name: str) -> float:
    found = _numbers(snapshot, name)
    if len(found) != 1:
        raise ValueError(f"{snapshot.policy}@{snapshot.version}: {name} is missing")
    return float(found[0])


def _chances(log_odds: Vector) -> Vector:
    chances: Vector = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0)))
    return chances
