"""Build split tests, and the chance by which visitors meet them."""

from __future__ import annotations

import numpy as np

from messaging.vocabulary.records import SplitTest


def a_test(
    *,
    visitors_min: int = 100,
    visitors_max: int = 20_000,
    then: str = "winner",
    salt: str = "words",
    policy: str = "split_test/to-customer/invited/words/0",
    **shares: float,
) -> SplitTest:
    """Return a test of these variants with these shares."""
    return SplitTest(
        policy=policy,
        variants=list(shares.items()),
        salt=salt,
        visitors_min=visitors_min,
        visitors_max=visitors_max,
        then=then,
        known_after_hours=96,
    )


def seeded(seed: int) -> np.random.Generator:
    """Return chance that is the same at every run."""
    return np.random.default_rng(seed)
