"""`scripts/bench closed-loop`: what learning brings over the rules, audience by audience."""

from __future__ import annotations

import pytest

from config.load import DEFAULTS, read_folder
from scripts.bench_closed_loop import Came, came, lift_of
from scripts.simulation import Files, Request, simulate


def test_each_audience_lives_as_mdma_simulate_has_it_and_they_come_in_order():
    said: list[str] = []
    lived = came("alike", 8, 3, said.append, days=4)
    assert len(lived) == len(said) == 3
    for seed, each in enumerate(lived, 1):
        asked = Request(
            Files(0, read_folder(DEFAULTS)), visitors=8, days=4, seed=seed, world="alike"
        )
        measures = simulate(asked)["measures"]
        assert each.rules["goal"] == measures["goal"]["rules"]
        assert each.learning["unsubscribed"] == measures["unsubscribed"]["learning"]


def test_a_lift_is_over_the_mean_of_all_and_its_interval_over_audiences():
    lived = [
        Came({"goal": rules}, {"goal": learning}) for rules, learning in ((0.1, 0.13), (0.3, 0.31))
    ]
    held = lift_of(lived, "goal")
    assert held.value == pytest.approx(0.1)
    assert held.runs == pytest.approx([0.15, 0.05])
    # Student's t of two audiences: 12.7 standard errors of .05 to either side.
    assert (held.low, held.high) == pytest.approx((0.1 - 0.635, 0.1 + 0.635), abs=0.001)
