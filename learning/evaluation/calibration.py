"""Judge probabilities by what came of them: do they rank, and do they mean what they say?

Rules
1. AUC says how they rank, the expected calibration error how far they are off, log-loss both in one number.
2. On few rows an expected calibration error is mostly luck: about .03 on 2,800 rows at a rate of a tenth.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

BINS = 10

Vector = NDArray[np.float64]
Labels = NDArray[np.bool_]

_SMALLEST = 1e-12


class Bin(msgspec.Struct, frozen=True):
    """Hold rows of similar probability: what was said of them, and which share came true."""

    rows: int
    said: float
    came: float


def calibration_bins(chances: Vector, labels: Labels, bins: int = BINS) -> list[Bin]:
    """Return bins of equally many rows, by rising probability.

    >>> calibration_bins(np.array([0.1, 0.9]), np.array([False, True]), 2)
    [Bin(rows=1, said=0.1, came=0.0), Bin(rows=1, said=0.9, came=1.0)]
    """
    order = np.argsort(chances, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [
        Bin(len(part), float(chances[part].mean()), float(labels[part].mean())) for part in parts
    ]


def expected_calibration_error(chances: Vector, labels: Labels, bins: int = BINS) -> float:
    """Return the mean distance of what was said from what came, over bins of equally many rows.

    >>> expected_calibration_error(np.array([0.25, 0.75]), np.array([False, True]), 2)
    0.25
    """
    found = calibration_bins(chances, labels, bins)
    rows = sum(each.rows for each in found)
    return sum(each.rows * abs(each.said - each.came) for each in found) / max(1, rows)


def auc(chances: Vector, labels: Labels) -> float:
    """Return the share of (yes, no) pairs that are ranked right, ties by half; 0.5 where there is no pair.

    >>> auc(np.array([0.1, 0.2, 0.3]), np.array([False, False, True]))
    1.0
    """
    yes = int(labels.sum())
    no = len(labels) - yes
    if not yes or not no:
        return 0.5
    values, places = np.unique(chances, return_inverse=True)
    counts = np.bincount(places, minlength=len(values))
    middle = (
        np.cumsum(counts) - (counts - 1) / 2
    )  # the mean rank of equal values (Mann and Whitney 1947)
    ranks = middle[places]
    return float((ranks[labels].sum() - yes * (yes + 1) / 2) / (yes * no))


def log_loss(chances: Vector, labels: Labels) -> float:
    """Return the mean negative log-likelihood in nats.

    >>> round(log_loss(np.array([0.5, 0.5]), np.array([False, True])), 4)
    0.6931
    """
    return float(log_losses(chances, labels).mean())


def log_losses(chances: Vector, labels: Labels) -> Vector:
    """Return the negative log-likelihood of each row in nats."""
    cut = np.clip(chances, _SMALLEST, 1.0 - _SMALLEST)
    losses: Vector = -np.where(labels, np.log(cut), np.log1p(-cut))
    return losses
