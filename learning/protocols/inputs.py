"""Make numbers of text columns, so that data which nobody has seen here is measured by the same command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

CATEGORIES_MAX = 50
"""Values of a category that have an input of their own; the most frequent ones have."""
WIDE = 20
"""Values above which a number that is never negative counts by its logarithm."""

Vector = NDArray[np.float64]

Columns = Mapping[str, Sequence[str]]


def standardised(columns: Columns) -> Vector:
    """Return text columns as inputs of mean 0 and variance 1: numbers, wide ones by logarithm; one a category.

    What never changes is left out, what is unknown is the mean.
    """
    parts: list[Vector] = []
    for values in columns.values():
        told = numbers_or_none(values)
        if told is None:
            parts += _one_a_category(values)
            continue
        known = told[~np.isnan(told)]
        told = np.where(np.isnan(told), known.mean() if len(known) else 0.0, told)
        is_wide = len(told) and told.min() >= 0.0 and len(np.unique(told)) > WIDE
        parts.append(np.log1p(told) if is_wide else told)
    if not parts:
        return np.zeros((len(next(iter(columns.values()), [])), 0))
    inputs = np.column_stack(parts)
    scale = inputs.std(axis=0)
    kept = scale > 1e-9
    standard: Vector = (inputs[:, kept] - inputs[:, kept].mean(axis=0)) / scale[kept]
    return standard


def numbers_or_none(values: Sequence[str]) -> Vector | None:
    """Return the values as numbers, NaN where empty or infinite; None where one is no number."""
    try:
        told = np.asarray([float(value) if value.strip() else np.nan for value in values])
    except ValueError:
        return None
    return np.where(np.isfinite(told), told, np.nan)


def codes_of(values: Sequence[str], most: int) -> NDArray[np.int64]:
    """Return categories as codes by how often each stands there, all beyond `most` as one.

    >>> codes_of(["b", "a", "b", "c"], 1).tolist()
    [0, 1, 0, 1]
    """
    _, codes, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    rank = np.argsort(np.argsort(-counts, kind="stable"), kind="stable")
    ranked: NDArray[np.int64] = np.minimum(rank[codes], most)
    return ranked


def _one_a_category(values: Sequence[str]) -> list[Vector]:
    """Return a column for each category but the most frequent, against which the others are told."""
    codes = codes_of(values, CATEGORIES_MAX)
    return [(codes == code).astype(np.float64) for code in np.unique(codes)[1:]]
