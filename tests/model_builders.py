"""Build snapshots of probabilities by hand, for tests of those who serve them."""

from __future__ import annotations

from learning.serving.moment import FEATURES
from learning.serving.probability import policy_of
from messaging.vocabulary.records import Snapshot


def a_model(
    version: int = 1, *, of: str = "customer", base: float = -2.0, early: bool = False, **weights
) -> Snapshot:
    """Return a logistic regression: log odds `base`, and a weight for a unit of log(1 + feature)."""
    return Snapshot(
        policy=policy_of(of),
        version=version,
        arms=list(FEATURES),
        arrays={
            "base": [base],
            "slope": [1.0],
            "shift": [0.0],
            "horizon_days": [30.0],
            "early": [float(early)],
            "mean": [0.0] * len(FEATURES),
            "weights": [weights.get(name, 0.0) for name in FEATURES],
        },
    )


LIKELY = """  likely:
    title: Will probably buy
    when:
      probability: {of: customer, from: 0.5}
"""
"""A cohort by a probability, as it is written at the end of `cohorts.yaml`."""
