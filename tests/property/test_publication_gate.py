"""Check by many made-up worlds how often the publication gate holds equals, and harm."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.evaluation.gate import LITTLE, Drawn, judge
from learning.evaluation.gating import draw, live, made_up, reversed_of, snapshot_of, worst_of

WORLDS = 30
SEED = st.integers(0, 10_000)


def test_equals_are_hardly_ever_held():
    judged = held = 0
    for seed in range(WORLDS):
        life = live(
            made_up(np.random.default_rng([1, seed]), equals=seed % 2 == 0),
            3_000,
            np.random.default_rng([2, seed]),
            is_gated=False,
        )
        judged, held = judged + life.judged, held + life.held
    assert judged >= 5 * WORLDS
    assert held <= 0.03 * judged


def test_a_policy_made_harmful_by_hand_is_held_in_nearly_all_worlds():
    tried = held = 0
    for seed in range(WORLDS):
        world = made_up(np.random.default_rng([3, seed]))
        life = live(world, 3_000, np.random.default_rng([4, seed]))
        if life.found[-1].verdict == LITTLE:
            continue
        for harmful in (reversed_of(life.acting), worst_of(life.acting, world)):
            tried += 1
            held += judge(life.drawn, life.acting, harmful).is_held
    assert tried >= WORLDS
    assert held >= 0.95 * tried


@settings(max_examples=15, deadline=None)
@given(seed=SEED, order=SEED)
def test_the_order_of_rows_and_of_arms_hardly_matters(seed, order):
    """Halves are by place, so other halves foretell; a verdict stays but at its very limit."""
    rng = np.random.default_rng(seed)
    world = made_up(rng)
    life = live(world, 1_200, rng)
    rows, _ = draw(world, life.acting, 200, rng)
    life.learner.learn(rows.taken, rows.inputs, rows.rewards)
    candidate = snapshot_of(world, life.learner)
    shuffled = np.random.default_rng(order).permutation(len(life.drawn.taken))
    arms = np.random.default_rng(order + 1).permutation(len(world.arms))
    parts = {name: getattr(life.drawn, name)[shuffled] for name in Drawn.__struct_fields__[1:]}
    parts["allowed"] = parts["allowed"][:, arms]
    parts["taken"] = np.argsort(arms)[parts["taken"]]
    other = Drawn([world.arms[place] for place in arms], **parts)
    one, two = judge(life.drawn, life.acting, candidate), judge(other, life.acting, candidate)
    assert abs(one.effective - two.effective) < 1e-6
    assert abs(one.value - two.value) < 0.03
    assert abs(one.low - two.low) < 0.03
