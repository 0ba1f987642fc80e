"""Fit the peers that the shipped probabilities are held against: scikit-learn as it comes, on the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from learning.training.probabilities import Rows, one_thread, without_unknown_columns


def peer_chances(rows: Rows, X: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return peer -> its probabilities for the rows of X, having learned from `rows`."""
    known = without_unknown_columns(rows.X)
    logistic = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
        LogisticRegression(max_iter=2000),
    )
    peers: dict[str, Any] = {
        "logistic regression": logistic,
        "gradient boosting": HistGradientBoostingClassifier(random_state=0),
    }
    with one_thread():
        return {
            name: np.asarray(peer.fit(known, rows.y).predict_proba(X)[:, 1], dtype=np.float64)
            for name, peer in peers.items()
        }
