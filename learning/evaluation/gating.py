"""Live through made-up worlds with the publication gate in the loop, their truth known: for tests and the bench.

A world: leads with inputs, templates whose chance of an answer depends on them, one of them not allowed for some leads.
The learner is the one of the running system (`learning.training.earned`); it publishes after every so many answers, and
the gate sees the newest rows. In a world of equals there is nothing to be learned.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.evaluation.gate import ROWS_MAX, Drawn, Found, judge
from learning.serving.by_context import chances_of
from learning.training.earned import Earned
from messaging.vocabulary.records import Snapshot

Vector = NDArray[np.float64]

INPUTS = 8
ARMS = (2, 3, 5)
RATES = (0.05, 0.3)
"""A world's share of answers lies between these."""
SPREAD, EFFECT = 0.35, 0.35
"""Of the logarithm of odds: by how much arms differ for everybody, and by an input of a lead."""
REFUSED = 0.3
"""Share of leads for whom one arm is not allowed."""

PUBLISH_AFTER = 200
POLICY = "next_best/made up/world"


class World(msgspec.Struct, frozen=True):
    """Hold what is true of a world."""

    level: Vector
    """(K,): logarithm of odds."""
    effects: Vector
    """(K, D)"""

    @property
    def arms(self) -> list[str]:
        """Return the arms' names."""
        return [f"t{place}" for place in range(len(self.level))]

    def chances(self, inputs: Vector) -> Vector:
        """Return how likely each arm is answered: (n, D) to (n, K)."""
        odds: Vector = 1.0 / (1.0 + np.exp(-(self.level + inputs @ self.effects.T)))
        return odds


class Lived(msgspec.Struct):
    """Hold a life with the gate in the loop."""

    world: World
    drawn: Drawn
    """The newest rows."""
    acting: Snapshot
    learner: Earned
    found: list[Found]
    """Of each publication."""
    regret: float
    """What was lost a decision against the best arm of each lead."""

    @property
    def judged(self) -> int:
        """Return how many publications were judged, enough being known."""
        return sum(each.verdict != "little" for each in self.found)

    @property
    def held(self) -> int:
        """Return how many were held."""
        return sum(each.is_held for each in self.found)


def made_up(rng: np.random.Generator, *, equals: bool = False) -> World:
    """Return a world of its own."""
    arms = int(rng.choice(ARMS))
    rate = np.exp(rng.uniform(*np.log(RATES)))
    level = np.full(arms, np.log(rate / (1.0 - rate)))
    effects = np.zeros((arms, INPUTS))
    if not equals:
        level += SPREAD * rng.normal(size=arms)
        effects += EFFECT * rng.normal(size=(arms, INPUTS)) * (rng.random(INPUTS) < 0.5)
    return World(level, effects)


def live(world: World, answers: int, rng: np.random.Generator, *, is_gated: bool = True) -> Lived:
    """Return a life of so many answers, published after every `PUBLISH_AFTER` where the gate lets it."""
    learner = Earned(len(world.arms), INPUTS)
    acting = candidate = snapshot_of(world, learner)
    drawn, found, lost = None, [], 0.0
    for _ in range(0, answers, PUBLISH_AFTER):
        rows, missed = draw(world, acting, PUBLISH_AFTER, rng)
        lost += missed
        learner.learn(rows.taken, rows.inputs, rows.rewards)
        drawn = rows if drawn is None else newest(drawn, rows)
        candidate = snapshot_of(world, learner)
        found.append(judge(drawn, acting, candidate))
        if not (is_gated and found[-1].is_held):
            acting = candidate
    assert drawn is not None, "somebody lived"
    return Lived(world, drawn, acting, learner, found, lost / answers)


def draw(
    world: World, acting: Snapshot, count: int, rng: np.random.Generator
) -> tuple[Drawn, float]:
    """Return so many rows that a policy decided, and what they lost against the best arm allowed."""
    inputs = (16.0 * rng.normal(size=(count, INPUTS))).round().clip(-128, 127) / 16.0
    arms = len(world.level)
    allowed = np.ones((count, arms), dtype=bool)
    if arms > 2:
        refused = np.flatnonzero(rng.random(count) < REFUSED)
        allowed[refused, rng.integers(0, arms, len(refused))] = False
    chances = chances_of(acting, world.arms, inputs, allowed)
    each = np.arange(count)
    below = chances.cumsum(axis=1)
    taken = (below < rng.random(count)[:, None] * below[:, -1:]).sum(axis=1)
    true = world.chances(inputs)
    rewards = (rng.random(count) < true[each, taken]).astype(np.float64)
    best = np.where(allowed, true, 0.0).max(axis=1)
    rows = Drawn(world.arms, allowed, taken, chances[each, taken], rewards, inputs)
    return rows, float((best - true[each, taken]).sum())


def newest(before: Drawn, after: Drawn, rows_max: int = ROWS_MAX) -> Drawn:
    """Return the newest rows of two."""
    parts = [
        np.concatenate([getattr(before, name), getattr(after, name)])[-rows_max:]
        for name in Drawn.__struct_fields__[1:]
    ]
    return Drawn(before.arms, *parts)


def snapshot_of(world: World, learner: Earned, version: int = 1) -> Snapshot:
    """Return what is learned, as it is published."""
    return Snapshot(policy=POLICY, version=version, arms=world.arms, arrays=learner.published())


def reversed_of(snapshot: Snapshot) -> Snapshot:
    """Return a candidate made harmful by hand: every arm is believed to be as good as it is bad, for each lead."""
    weights = _weights(snapshot)
    mirrored: Vector = 2.0 * weights.mean(axis=0) - weights
    return _with(snapshot, weights=mirrored)


def worst_of(snapshot: Snapshot, world: World) -> Snapshot:
    """Return a candidate made harmful by hand: sure that everybody is for the arm that is worst in truth."""
    weights = np.zeros_like(_weights(snapshot))
    mean = world.chances(np.random.default_rng(0).normal(size=(4_096, INPUTS))).mean(axis=0)
    weights[int(mean.argmin()), 0] = 1.0
    return _with(snapshot, weights=weights)


def best_of(snapshot: Snapshot, world: World) -> Snapshot:
    """Return a candidate that knows the truth, as far as lines can say it."""
    inputs = np.random.default_rng(0).normal(size=(4_096, INPUTS))
    x = np.column_stack([np.ones(len(inputs)), inputs])
    lines = np.linalg.lstsq(x, world.chances(inputs), rcond=None)[0].T
    centre, spread = (np.asarray(snapshot.arrays[name]) for name in ("centre", "spread"))
    lines[:, 0] += lines[:, 1:] @ centre
    lines[:, 1:] *= spread
    return _with(snapshot, weights=np.asarray(lines, dtype=np.float64))


def true_value(world: World, snapshot: Snapshot, drawn: Drawn) -> float:
    """Return what a policy brings in truth of the leads of some rows, all arms allowed."""
    chosen = chances_of(snapshot, world.arms, drawn.inputs, np.ones_like(drawn.allowed))
    return float((chosen * world.chances(drawn.inputs)).sum(axis=1).mean())


def _weights(snapshot: Snapshot) -> Vector:
    told = np.asarray(snapshot.arrays["weights"], dtype=np.float64)
    return told.reshape(len(snapshot.arms), -1)


def _with(snapshot: Snapshot, *, weights: Vector) -> Snapshot:
    arrays = {**snapshot.arrays, "weights": weights.ravel().tolist()}
    return msgspec.structs.replace(snapshot, arrays=arrays)
