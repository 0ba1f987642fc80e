"""Choose a lead's next template from whatever is published: a belief by context, mere counts, or nothing.

Rules
1. A belief in which what is known of the lead has its place decides (`by_context`).
2. A snapshot of an older version holds counts alone, or a belief of other inputs: they decide as they did
   (`next_best`), so that a new version of the product never stops or changes its mind at once.
3. Without a snapshot every template is as likely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from learning.serving.by_context import chances_of, choose_by_context, inputs_told
from learning.serving.next_best import best_probabilities, choose_template, posteriors
from learning.serving.policy import Choice, Draws
from messaging.vocabulary.records import Snapshot

Vector = NDArray[np.float64]

UNIT = 1.0 / 16.0
"""Of an input, as it is told: a dyadic fraction, so that sums of its products are exact in any order."""


def choose_for_lead(
    snapshot: Snapshot | None,
    allowed: list[str],
    inputs: bytes,
    draw: Draws,
    *,
    refused: Mapping[str, str],
    policy: str,
    names: Sequence[str] = (),
) -> Choice:
    """Return the template for a lead, drawn among `allowed` less `refused` (template -> rule).

    `inputs`: what is known of them, a signed byte each (`values_of`), by `names`. Raise ValueError if none is left.
    """
    if snapshot is None or inputs_told(snapshot) != len(inputs):
        return choose_template(snapshot, allowed, draw, refused=refused, policy=policy)
    told = values_of(inputs)
    return choose_by_context(
        snapshot, allowed, told, draw, refused=refused, policy=policy, names=names
    )


def chances_for_leads(
    snapshot: Snapshot, arms: Sequence[str], inputs: Vector, allowed: NDArray[np.bool_]
) -> Vector:
    """Return with which probability `choose_for_lead` takes each of several arms, for many leads: (n, K).

    `inputs` (n, D): of each lead; `allowed` (n, K): which arms are, one of them at least.
    """
    if inputs_told(snapshot) == inputs.shape[1]:
        return chances_of(snapshot, arms, inputs, allowed)
    found = np.zeros(allowed.shape)
    for mask in np.unique(allowed, axis=0):
        own = [arms[place] for place in np.flatnonzero(mask).tolist()]
        rows = (allowed == mask).all(axis=1)
        found[np.ix_(rows, mask)] = best_probabilities(*posteriors(snapshot, own))
    return found


def values_of(inputs: bytes) -> Vector:
    """Return inputs as numbers.

    >>> values_of(bytes([16, 0xF8])).tolist()
    [1.0, -0.5]
    """
    return np.frombuffer(inputs, dtype=np.int8).astype(np.float64) * UNIT
