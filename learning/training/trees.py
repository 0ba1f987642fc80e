"""Write scikit-learn's boosted trees as plain numbers.

It reads `_predictors` and `_baseline_prediction`, which are not scikit-learn's public face; there is no other way to
keep such a model without pickle. A test holds the served probabilities against scikit-learn's own, so that a release
that changes them is seen at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BEYOND = 1e300
"""Stands for an infinite threshold (only what is unknown goes right): a snapshot holds finite numbers."""


def trees_of(fitted: Any) -> dict[str, list[float]]:
    """Return arrays of a fitted two-class `HistGradientBoostingClassifier` without categories.

    A node's value is the mean of its leaves by training rows, so that what each step adds is well defined.
    """
    names = ("roots", "feature", "threshold", "left", "right", "missing_left", "value")
    arrays: dict[str, list[float]] = {name: [] for name in names}
    base = float(np.ravel(fitted._baseline_prediction)[0])  # noqa: SLF001 - see above
    for (predictor,) in fitted._predictors:  # noqa: SLF001
        nodes = predictor.nodes
        first = len(arrays["value"])
        values = _values(nodes)
        base += values[0]
        is_leaf = nodes["is_leaf"].astype(bool)
        arrays["roots"].append(float(first))
        arrays["feature"] += np.where(is_leaf, -1, nodes["feature_idx"]).astype(float).tolist()
        limits = np.clip(np.nan_to_num(nodes["num_threshold"]), -BEYOND, BEYOND)
        arrays["threshold"] += np.where(is_leaf, 0.0, limits).tolist()
        for side in ("left", "right"):
            places = np.where(is_leaf, first, nodes[side].astype(int) + first)
            arrays[side] += places.astype(float).tolist()
        arrays["missing_left"] += nodes["missing_go_to_left"].astype(float).tolist()
        arrays["value"] += values
    return arrays | {"base": [base]}


def _values(nodes: Any) -> list[float]:
    """Return each node's mean over the training rows below it; children stand after their parents."""
    values = [float(node["value"]) for node in nodes]
    for place in reversed(range(len(nodes))):
        node = nodes[place]
        if not node["is_leaf"]:
            left, right = int(node["left"]), int(node["right"])
            assert place < min(left, right), "a child stands after its parent"
            rows = float(nodes[left]["count"]), float(nodes[right]["count"])
            values[place] = (values[left] * rows[0] + values[right] * rows[1]) / sum(rows)
    return values
