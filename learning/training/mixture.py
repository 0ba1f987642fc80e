"""Say how likely each of many is, by several models at once, weighed by how well each foretold what came.

The two kinds of model that ship, boosted trees and a shrunk logistic regression, each of all rows so far and of the
newest. What is said is their mixture by how likely each made what came (Cesa-Bianchi and Lugosi, *Prediction, Learning,
and Games*, 2006, ch. 9), tempered and with forgetting, so that another leads when the world has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

Vector = NDArray[np.float64]
Labels = NDArray[np.bool_]
Codes = NDArray[np.int64]

NEWEST = 10_000
"""Rows of a model that forgets."""
FORGET = 0.8
"""What a model's score of one step counts at the next."""
EVIDENCE = 50.0
"""Independent answers that one step counts for: rows of one time share its luck, and err together."""

CATEGORIES_MAX = 200
"""Values of a category that are told apart (boosted trees take 255 at most)."""

SHRUNK = 0.1
"""Variance of a weight before the data, for an input of variance 1."""

_SURE = 1e-6


class Table(msgspec.Struct, frozen=True):
    """Hold rows in order."""

    numbers: Vector
    """(n, a): NaN where unknown."""
    categories: Codes
    """(n, b): codes from 0 to `CATEGORIES_MAX`."""
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: slice | Labels | Codes) -> Table:
        """Return some of the rows."""
        return Table(self.numbers[chosen], self.categories[chosen], self.labels[chosen])


Model = Callable[[Table, Table], Vector]
"""From the rows that are known and those that come to a chance for each of the latter; their labels are not read."""


def logistic(past: Table, coming: Table) -> Vector:
    """Say by a shrunk logistic regression: standardised numbers, a column for each category."""
    if past.labels.all() or not past.labels.any():
        return _level(past, coming)
    scaled, mean, scale = _standard(past.numbers)
    known = np.concatenate([scaled, _apart(past.categories, past.categories)], axis=1)
    numbers = (np.where(np.isnan(coming.numbers), mean, coming.numbers) - mean) / scale
    then = np.concatenate([numbers, _apart(past.categories, coming.categories)], axis=1)
    fitted: Any = LogisticRegression(C=SHRUNK, max_iter=300).fit(known, past.labels)
    said: Vector = fitted.predict_proba(then)[:, 1]
    return said


def trees(past: Table, coming: Table) -> Vector:
    """Say by boosted trees, with categories as such."""
    if past.labels.all() or not past.labels.any():
        return _level(past, coming)
    kinds = [False] * past.numbers.shape[1] + [True] * past.categories.shape[1]
    fitted: Any = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=200,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        early_stopping=False,
        categorical_features=kinds,
        random_state=0,
    )
    with threadpool_limits(1, user_api="openmp"):
        fitted.fit(_whole(past), past.labels)
        said: Vector = fitted.predict_proba(_whole(coming))[:, 1]
    return said


def _of_newest(model: Model) -> Model:
    return lambda past, coming: model(past.rows(slice(-NEWEST, None)), coming)


OF_ALL: dict[str, Model] = {"logistic": logistic, "trees": trees}
MODELS: dict[str, Model] = {
    **OF_ALL,
    "logistic of the newest": _of_newest(logistic),
    "trees of the newest": _of_newest(trees),
}


class Mixture:
    """Keep the score of each model, and say what they say together."""

    def __init__(self, models: int) -> None:
        self._scores = np.zeros(models)

    @property
    def weights(self) -> Vector:
        """Return what each model's word counts; they sum to 1."""
        weights: Vector = np.exp(self._scores - self._scores.max())
        shares: Vector = weights / weights.sum()
        return shares

    def came(self, told: Sequence[Vector], labels: Labels) -> None:
        """Take what came of the rows that the models spoke of."""
        mean = np.asarray([log_likelihood(each, labels) for each in told]) / max(len(labels), 1)
        self._scores = FORGET * self._scores + EVIDENCE * mean


def mixed(told: Sequence[Vector], weights: Vector) -> Vector:
    """Return the models' chances by their weights."""
    together: Vector = np.clip(weights @ np.stack(list(told)), _SURE, 1.0 - _SURE)
    return together


def stacked(known: Table, rng: np.random.Generator, folds: int = 3) -> Vector:
    """Return the weights of `OF_ALL` that foretell best in folds of what is known (a grid of mixtures).

    Wolpert, *Stacked generalization*, Neural Networks 5, 1992.
    """
    part = rng.permutation(len(known)) % folds
    told = [np.zeros(len(known)) for _ in OF_ALL]
    for number in range(folds):
        others, held = known.rows(part != number), known.rows(part == number)
        for each, model in zip(told, OF_ALL.values(), strict=True):
            each[part == number] = model(others, held)
    grid = [np.array([share, 1.0 - share]) for share in np.linspace(0.0, 1.0, 11)]
    return max(grid, key=lambda weights: log_likelihood(mixed(told, weights), known.labels))


def log_likelihood(chances: Vector, labels: Labels) -> float:
    """Return how likely the chances make the labels, as a sum of logarithms."""
    cut = np.clip(chances, _SURE, 1.0 - _SURE)
    return float(np.log(np.where(labels, cut, 1.0 - cut)).sum())


def _whole(table: Table) -> Vector:
    return np.concatenate([table.numbers, table.categories], axis=1)


def _level(past: Table, coming: Table) -> Vector:
    return np.full(len(coming), (past.labels.sum() + 0.5) / (len(past) + 1.0))


def _standard(numbers: Vector) -> tuple[Vector, Vector, Vector]:
    known = ~np.isnan(numbers)
    mean = np.where(known, numbers, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    about = np.where(known, numbers, mean) - mean
    scale = about.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    return about / scale, mean, scale


def _apart(known: Codes, codes: Codes) -> Vector:
    """Return a column for each value of each category that the past knows."""
    parts = [
        codes[:, [place]] == np.unique(known[:, place])[None, :] for place in range(known.shape[1])
    ]
    if not parts:
        return np.zeros((len(codes), 0))
    apart: Vector = np.concatenate(parts, axis=1).astype(np.float64)
    return apart
