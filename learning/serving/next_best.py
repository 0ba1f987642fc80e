"""Choose the next e-mail's template for one path and stage: Thompson sampling with exact propensities.

Rules
1. Each template's rate of response has a Beta posterior; a template is drawn as often as it is the best one
   under the posteriors (Thompson, Biometrika 25, 1933).
2. That probability is computed, not sampled: P(i is best) = ∫ pdf_i(x) ∏_{j≠i} cdf_j(x) dx, on a grid laid
   where the posteriors have their mass. One uniform number then draws from the logged probabilities.
3. No allowed template falls below `FLOOR`, so that every decision can be evaluated later.
4. A template nothing is known of starts at its siblings' rate with the weight of about one send, not at
   one half: at real rates of 5 to 20 % it would otherwise take nearly all mail until its rewards are in.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from learning.serving.policy import Choice, Draws, Remembered, allowed_arms, array_of, draw_choice
from messaging.vocabulary.records import Snapshot

FLOOR = 1e-4
"""Smallest probability of an allowed template."""

EVIDENCE_MAX = 1e5
"""Sends a posterior may rest on; more say nothing new and make it narrower than the grid is fine."""

SIBLINGS_SENDS_MAX = 100.0
"""Weight of the prior at very low rates."""

_GRID_POINTS = 2_048
_ARM_POINTS_MIN, _ARM_POINTS_MAX = 65, 257
_DEVIATIONS = 8.0
"""Posterior standard deviations on either side of the mean that an arm's points cover."""

Curve = NDArray[np.float64]

_probabilities_of: Remembered[list[float]] = Remembered()


def policy_name(path: str, stage: str) -> str:
    """Return the name under which a path's stage learns its next best e-mail."""
    return f"next_best/{path}/{stage}"


def place_of(policy: str) -> tuple[str, str]:
    """Return (path, stage) of a policy that learns a stage's e-mail, both empty where it learns something else.

    >>> place_of("next_best/to-customer/invited"), place_of("send_time")
    (('to-customer', 'invited'), ('', ''))
    """
    kind, _, place = policy.partition("/")
    path, _, stage = place.rpartition("/")
    return (path, stage) if kind == "next_best" else ("", "")


def is_policy(policy: str) -> bool:
    """Say whether a policy chooses among the e-mails of a path's stage."""
    return policy.startswith("next_best/")


def choose_template(
    snapshot: Snapshot | None,
    allowed: list[str],
    draw: Draws,
    *,
    refused: Mapping[str, str],
    policy: str = "next_best",
) -> Choice:
    """Return the template to send, drawn among `allowed` less `refused` (template -> rule).

    `policy` names the policy while nothing is published (`policy_name`). Raise ValueError if none is left.
    """
    arms = allowed_arms(allowed, refused)
    if snapshot is None:
        even = [1.0 / len(arms)] * len(arms)
        return draw_choice(arms, even, draw, refused=refused, policy=policy, version=0)
    probabilities = _probabilities_of.get(
        snapshot, tuple(arms), lambda: best_probabilities(*posteriors(snapshot, arms))
    )
    return draw_choice(
        arms,
        probabilities,
        draw,
        refused=refused,
        policy=snapshot.policy,
        version=snapshot.version,
    )


def expected_reward(snapshot: Snapshot) -> float:
    """Return the rate of response that a stage's e-mails have had together, shrunk towards one half by two sends."""
    exposures = np.asarray(array_of(snapshot, "exposures", len(snapshot.arms)))
    successes = np.minimum(array_of(snapshot, "successes", len(snapshot.arms)), exposures)
    return float((successes.sum() + 1.0) / (exposures.sum() + 2.0))


def posteriors(snapshot: Snapshot, arms: list[str]) -> tuple[Curve, Curve]:
    """Return the Beta parameters (a, b) of each arm, both at least 1."""
    exposures = np.asarray(array_of(snapshot, "exposures", len(snapshot.arms)))
    successes = np.minimum(array_of(snapshot, "successes", len(snapshot.arms)), exposures)
    rate = expected_reward(snapshot)
    # The weakest Beta of this mean whose density is finite everywhere (a, b >= 1).
    prior_a = min(max(1.0, rate / (1.0 - rate)), SIBLINGS_SENDS_MAX)
    prior_b = min(max(1.0, (1.0 - rate) / rate), SIBLINGS_SENDS_MAX)
    place = {arm: index for index, arm in enumerate(snapshot.arms)}
    seen = np.asarray([exposures[place[arm]] if arm in place else 0.0 for arm in arms])
    won = np.asarray([successes[place[arm]] if arm in place else 0.0 for arm in arms])
    scale = EVIDENCE_MAX / np.maximum(seen, EVIDENCE_MAX)
    return prior_a + won * scale, prior_b + (seen - won) * scale


def best_probabilities(a: Curve, b: Curve) -> list[float]:
    """Return the probability that each of independent Beta(a, b) variables is the largest, at least FLOOR.

    >>> best_probabilities(np.array([1.0, 1.0]), np.array([1.0, 1.0]))
    [0.5, 0.5]
    """
    count = len(a)
    if count == 1:
        return [1.0]
    grid = _grid(a, b)
    density = _densities(a, b, grid)
    below, total = _cumulated(density, grid)
    others = _products_of_others(below / total)
    best = _trapezes(density / total * others, grid).sum(axis=1)
    # Machines may differ in the last bits of exp; what is logged, and drawn from, should not.
    floor = min(FLOOR, 1.0 / count)
    shares = np.round((1.0 - count * floor) * best / best.sum() + floor, 9)
    shares[int(shares.argmax())] += 1.0 - shares.sum()
    return [float(share) for share in shares]


def _grid(a: Curve, b: Curve) -> Curve:
    """Return points in (0, 1), dense wherever one of the posteriors has its mass."""
    points = min(max(_GRID_POINTS // len(a), _ARM_POINTS_MIN), _ARM_POINTS_MAX)
    mean = a / (a + b)
    deviation = np.sqrt(mean * (1.0 - mean) / (a + b + 1.0))
    low = np.maximum(mean - _DEVIATIONS * deviation, 1e-9)
    high = np.minimum(mean + _DEVIATIONS * deviation, 1.0 - 1e-9)
    steps = np.linspace(0.0, 1.0, points)[:, None]
    own = (low + (high - low) * steps).ravel()
    grid: Curve = np.unique(np.concatenate([own, np.linspace(1e-9, 1.0 - 1e-9, 129)]))
    return grid


def _densities(a: Curve, b: Curve, grid: Curve) -> Curve:
    """Return each arm's density on the grid (arms × points), scaled to a peak of 1."""
    logs = np.outer(a - 1.0, np.log(grid)) + np.outer(b - 1.0, np.log1p(-grid))
    scaled: Curve = np.exp(logs - logs.max(axis=1, keepdims=True))
    return scaled


def _trapezes(curves: Curve, grid: Curve) -> Curve:
    """Return the area under each curve between neighbouring points."""
    areas: Curve = 0.5 * (curves[:, 1:] + curves[:, :-1]) * np.diff(grid)
    return areas


def _cumulated(density: Curve, grid: Curve) -> tuple[Curve, Curve]:
    """Return the area below each point, and the whole area of each arm."""
    below = np.zeros_like(density)
    np.cumsum(_trapezes(density, grid), axis=1, out=below[:, 1:])
    return below, below[:, -1:]


def _products_of_others(cdf: Curve) -> Curve:
    """Return for each arm the product of all others' cdf; without dividing, since a cdf may be 0."""
    before = np.ones_like(cdf)
    after = np.ones_like(cdf)
    np.cumprod(cdf[:-1], axis=0, out=before[1:])
    after[:-1] = np.cumprod(cdf[:0:-1], axis=0)[::-1]
    product: Curve = before * after
    return product
