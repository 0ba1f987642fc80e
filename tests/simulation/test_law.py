"""Hold Behavior to its law: a fixed journal ends in one state, whatever happens on the way there."""

from __future__ import annotations

import msgspec
import pytest

from tests.simulation.law import behavior_after
from tests.simulation.simulate import simulate

OTHERS = (
    # dice, shards, letters in a batch, states in memory, kills
    (2, 1, 3, 5, 20),
    (3, 1, 50, 20_000, 10),
    (4, 2, 2_000, 20_000, 0),
    (5, 3, 10, 50, 10),
)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [5, 8])
def test_a_journal_ends_in_one_state_for_any_shards_batches_and_crashes(seed: int):
    recorded = simulate(seed)
    assert recorded.plan is not None

    def after(dice: int, shards: int, letters: int, memory: int, kills: int):
        plan = msgspec.structs.replace(
            recorded.plan,
            seed=dice,
            shards={**recorded.plan.shards, "behavior": shards},
            letters_max=letters,
            memory_max=memory,
        )
        return behavior_after(recorded.journal, plan, kills=kills)

    undisturbed = after(1, 1, 2_000, 20_000, 0)
    for other in OTHERS:
        assert after(*other) == undisturbed, other
