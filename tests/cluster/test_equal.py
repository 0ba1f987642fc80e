"""A simulation tells the truth: the same audience in a real system gets the same e-mails, offers, stages and alerts."""

from __future__ import annotations

import pytest

from tests.equality.lives import Lives, simulated
from tests.equality.running import really_lived
from tests.equality.told import Line, Told, differences

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

LIVES = Lives(visitors=60, days=14, seed=2)
SECONDS_MAX = 1_000.0
"""Measured: 212 s for 80 people with all cores busy."""


def test_a_simulated_world_and_a_real_one_tell_the_same_of_every_visitor(tmp_path):
    world = simulated(LIVES)
    assert sum(len(each.sends) for each in world.values()) > 2 * LIVES.visitors
    assert any(each.alerts for each in world.values())
    assert any("chat_invitation" in line.what for each in world.values() for line in each.offers)
    real = really_lived(LIVES, tmp_path, SECONDS_MAX)
    assert real.keys() == world.keys()
    assert differences(world, real) == []


def test_a_difference_is_found_and_named():
    """Each kind of difference: another word, another time, one more, one less."""
    world = simulated(Lives(visitors=12, days=10, seed=2))
    visitor = next(name for name, each in world.items() if each.sends and each.runs)
    told = world[visitor]
    first = told.sends[0]
    assert first.at is not None
    others = [
        [Line(("x", *first.what[1:]), first.at), *told.sends[1:]],
        [Line(first.what, first.at.replace(minute=(first.at.minute + 1) % 60)), *told.sends[1:]],
        told.sends[1:],
        [*told.sends, first],
    ]
    for sends in others:
        real = world | {visitor: Told(sends, told.offers, told.alerts, told.runs, told.plans)}
        [said] = differences(world, real)
        assert said.startswith(f"visitor {visitor}, sends: simulated ")
    assert differences(world, dict(world)) == []
    assert len(differences(world, {})) >= len(world)
