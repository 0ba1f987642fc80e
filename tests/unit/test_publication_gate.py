"""Check when the publication gate lets a candidate take the place of what acts, and when it holds it."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from agents.protocol.draw import Draw
from learning.evaluation.gate import (
    EFFECTIVE_MIN,
    HOLD,
    LITTLE,
    MARGIN,
    PUBLISH,
    Drawn,
    judge,
)
from learning.evaluation.gating import (
    INPUTS,
    Lived,
    World,
    best_of,
    draw,
    live,
    made_up,
    reversed_of,
    snapshot_of,
    true_value,
    worst_of,
)
from learning.serving.by_context import chances_of, choose_by_context
from learning.serving.for_lead import chances_for_leads
from learning.serving.next_best import choose_template
from learning.training.earned import Earned
from messaging.vocabulary.records import Snapshot


def a_life(seed: int = 3, answers: int = 4_000, **changed) -> Lived:
    world = made_up(np.random.default_rng(seed), **changed)
    return live(world, answers, np.random.default_rng(seed + 1))


def fewer(drawn: Drawn, count: int) -> Drawn:
    parts = [getattr(drawn, name)[:count] for name in Drawn.__struct_fields__[1:]]
    return Drawn(drawn.arms, *parts)


def rate_of(life: Lived, arm: str) -> float:
    inputs = np.random.default_rng(0).normal(size=(1_000, INPUTS))
    return float(life.world.chances(inputs)[:, life.world.arms.index(arm)].mean())


def with_array(snapshot: Snapshot, **arrays: list[float]) -> Snapshot:
    return msgspec.structs.replace(snapshot, arrays={**snapshot.arrays, **arrays})


def test_many_leads_have_the_very_chances_that_decisions_are_drawn_by():
    life = a_life()
    arms = [*life.world.arms[:2], "new"]
    inputs = np.vstack([life.drawn.inputs[:5], np.full(INPUTS, 1e6)])
    inputs[0, 0] = np.nan
    allowed = np.asarray([[True, True, n % 2 == 0] for n in range(6)])
    told = chances_of(life.acting, arms, inputs, allowed)
    for row, mask, chances in zip(inputs, allowed, told, strict=True):
        own = [arm for arm, may in zip(arms, mask, strict=True) if may]
        choice = choose_by_context(life.acting, own, row, Draw("d"), refused={})
        assert chances[mask].tolist() == pytest.approx(choice.probabilities, abs=1e-8)
        assert not chances[~mask].any()


def test_what_acts_passes_as_its_own_candidate_with_no_width_at_all():
    life = a_life()
    found = judge(life.drawn, life.acting, life.acting)
    assert (found.verdict, found.difference, found.low, found.high) == (PUBLISH, 0.0, 0.0, 0.0)
    assert found.value == pytest.approx(true_value(life.world, life.acting, life.drawn), abs=0.05)


def test_an_ordinary_update_passes_with_a_narrow_interval():
    life = a_life()
    rows, _ = draw(life.world, life.acting, 200, np.random.default_rng(9))
    life.learner.learn(rows.taken, rows.inputs, rows.rewards)
    found = judge(life.drawn, life.acting, snapshot_of(life.world, life.learner))
    assert found.verdict == PUBLISH
    assert found.high - found.low < 0.1 * found.value


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_candidate_made_harmful_by_hand_is_held(seed):
    life = a_life(seed)
    for harmful in (reversed_of(life.acting), worst_of(life.acting, life.world)):
        found = judge(life.drawn, life.acting, harmful)
        assert found.is_held, found
        assert found.low < -MARGIN * found.value


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_better_one_takes_the_place_of_a_beginner(seed):
    life = a_life(seed)
    beginner = live(life.world, 200, np.random.default_rng(seed)).acting
    rows, _ = draw(life.world, beginner, 2_000, np.random.default_rng(1))
    for better in (life.acting, best_of(life.acting, life.world)):
        found = judge(rows, beginner, better)
        assert found.verdict == PUBLISH, found
        assert true_value(life.world, better, rows) > true_value(life.world, beginner, rows)


def test_below_the_floor_of_effective_answers_all_is_published():
    life = a_life()
    few = fewer(life.drawn, int(EFFECTIVE_MIN) - 1)
    found = judge(few, life.acting, reversed_of(life.acting))
    assert (found.verdict, found.answers) == (LITTLE, len(few.taken))
    assert 0.0 < found.effective < EFFECTIVE_MIN


def test_the_first_of_all_is_published():
    life = a_life()
    assert judge(life.drawn, None, reversed_of(life.acting)).verdict == LITTLE
    nothing = judge(fewer(life.drawn, 0), life.acting, reversed_of(life.acting))
    assert nothing.verdict == LITTLE


def test_a_candidate_of_counts_alone_is_judged_as_the_bots_would_decide_by_it():
    life = a_life()
    arms = life.world.arms
    worst = arms.index(max(arms, key=lambda arm: -rate_of(life, arm)))
    counts = {"successes": [1.0] * len(arms), "exposures": [200.0] * len(arms)}
    counts["successes"][worst] = 200.0
    by_counts = Snapshot(policy="next_best/a/b", version=1, arms=arms, arrays=counts)
    allowed = np.ones((3, len(arms)), dtype=bool)
    allowed[2, 0] = False
    told = chances_for_leads(by_counts, arms, life.drawn.inputs[:3], allowed)
    all_of, others = (
        choose_template(by_counts, each, Draw("d"), refused={}).probabilities
        for each in (arms, arms[1:])
    )
    assert told.tolist() == [all_of, all_of, [0.0, *others]]
    assert judge(life.drawn, life.acting, by_counts).is_held


def test_a_template_that_nobody_was_sent_does_not_take_all_at_once():
    life = a_life()
    arms = [*life.world.arms, "unheard of"]
    size = INPUTS + 1
    weights = [*life.acting.arrays["weights"], 1.0, *[0.0] * INPUTS]
    sure = with_array(life.acting, weights=weights, answers=[1e6] * len(arms))
    sure = msgspec.structs.replace(sure, arms=arms)
    assert len(weights) == size * len(arms)
    drawn = msgspec.structs.replace(
        life.drawn,
        arms=arms,
        allowed=np.column_stack([life.drawn.allowed, np.ones(len(life.drawn.taken), bool)]),
    )
    assert judge(drawn, life.acting, sure).is_held


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_candidate_of_numbers_that_are_none_has_a_verdict(broken):
    life = a_life()
    for name in ("weights", "answers", "noise", "centre", "spread"):
        candidate = with_array(life.acting, **{name: [broken] * len(life.acting.arrays[name])})
        assert judge(life.drawn, life.acting, candidate).verdict in (PUBLISH, HOLD)


def test_where_nobody_ever_answers_nothing_is_held():
    world = World(np.full(3, -60.0), np.zeros((3, INPUTS)))
    life = live(world, 2_000, np.random.default_rng(0))
    assert life.judged > 0
    assert life.held == 0
    assert judge(life.drawn, life.acting, worst_of(life.acting, world)).value == 0.0


def test_it_costs_nothing_where_context_matters():
    for seed in range(3):
        world = made_up(np.random.default_rng(seed))
        gated = live(world, 3_000, np.random.default_rng(seed))
        free = live(world, 3_000, np.random.default_rng(seed), is_gated=False)
        assert gated.regret <= free.regret + 0.001


def test_a_learner_of_nothing_has_no_candidate():
    world = made_up(np.random.default_rng(0))
    learner = Earned(len(world.arms), INPUTS)
    rows, _ = draw(world, snapshot_of(world, learner), 1_000, np.random.default_rng(0))
    found = judge(rows, snapshot_of(world, learner), snapshot_of(world, learner))
    assert found.verdict == PUBLISH
