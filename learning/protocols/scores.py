"""Foretell who converts, prequentially: say the next rows, then learn them; and on a random split.

Protocol: rows in order of time; what is said of a row has learned from earlier ones alone (Dawid 1984), and where it is
known when they were answered, only from those: a lead of last week has not "not bought". A random split says each of
five parts from the others: it flatters whoever would live through time, and tells how well a model ranks.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.protocols.inputs import Columns, codes_of, numbers_or_none
from learning.training.mixture import (
    CATEGORIES_MAX,
    MODELS,
    OF_ALL,
    Labels,
    Mixture,
    Table,
    Vector,
    mixed,
    stacked,
)

EACH = 1_000
"""Rows that are said before they are learned."""

FOLDS = 5

Ints = NDArray[np.int64]


class Said(msgspec.Struct, frozen=True):
    """Hold what was said of rows, and what came."""

    chances: Vector
    labels: Labels
    by_model: dict[str, Vector]
    weights: dict[str, float]
    """Of each model, at the end."""


def table_of(columns: Columns, labels: Sequence[bool]) -> Table:
    """Return text columns as numbers, where all values are, or as categories."""
    numbers: list[Vector] = []
    categories: list[NDArray[np.int64]] = []
    for values in columns.values():
        told = numbers_or_none(values)
        if told is not None:
            numbers.append(told)
        else:
            categories.append(codes_of(values, CATEGORIES_MAX))
    count = len(labels)
    return Table(
        np.column_stack(numbers) if numbers else np.zeros((count, 0)),
        np.column_stack(categories) if categories else np.zeros((count, 0), dtype=np.int64),
        np.asarray(labels, dtype=np.bool_),
    )


def prequential(table: Table, each: int = EACH, known: Ints | None = None) -> Said:
    """Say the next rows, then learn them; nothing is said before `each` rows are known.

    `known` (n,), rising: how many of the rows were answered when each one came; None: all before it. Raise ValueError
    where none could be said.
    """
    answered = np.arange(len(table)) if known is None else known
    mixture, waiting = Mixture(len(MODELS)), _Waiting([], 0)
    said: list[Vector] = []
    by_model: dict[str, list[Vector]] = {name: [] for name in MODELS}
    first = int(np.searchsorted(answered, each))
    if first >= len(table):
        raise ValueError(f"{len(table):,} rows are too few: none comes after {each:,} answers")
    for start in range(first, len(table), each):
        past, coming = table.rows(slice(0, answered[start])), table.rows(slice(start, start + each))
        waiting.learn(mixture, int(answered[start]))
        told = [model(past, coming) for model in MODELS.values()]
        waiting.steps.append((start, told, coming.labels))
        said.append(mixed(told, mixture.weights))
        for parts, chances in zip(by_model.values(), told, strict=True):
            parts.append(chances)
    return Said(
        np.concatenate(said),
        table.labels[first:],
        {name: np.concatenate(parts) for name, parts in by_model.items()},
        dict(zip(MODELS, mixture.weights.tolist(), strict=True)),
    )


class _Waiting(msgspec.Struct):
    """Hold what was said of rows whose answers are not all known yet."""

    steps: list[tuple[int, list[Vector], Labels]]
    learned: int

    def learn(self, mixture: Mixture, answered: int) -> None:
        """Let the mixture learn from the steps whose rows are all among those answered."""
        while self.learned < len(self.steps):
            start, told, labels = self.steps[self.learned]
            if start + len(labels) > answered:
                return
            mixture.came(told, labels)
            self.learned += 1


def split(table: Table, rng: np.random.Generator, folds: int = FOLDS) -> Said:
    """Say each of `folds` random parts from the others; the mixture is found by folds among those alone."""
    part = rng.permutation(len(table)) % folds
    chances = np.zeros(len(table))
    by_model = {name: np.zeros(len(table)) for name in OF_ALL}
    weights = np.zeros(len(OF_ALL))
    for number in range(folds):
        known, held = table.rows(part != number), table.rows(part == number)
        weights = stacked(known, rng)
        told = [model(known, held) for model in OF_ALL.values()]
        chances[part == number] = mixed(told, weights)
        for each, said in zip(by_model.values(), told, strict=True):
            each[part == number] = said
    return Said(chances, table.labels, by_model, dict(zip(OF_ALL, weights.tolist(), strict=True)))
