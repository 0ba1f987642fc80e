"""Plant each bug and see it caught: checkers that catch nothing prove nothing."""

from __future__ import annotations

import pytest

from tests.simulation.simulate import MUTANTS, simulate, with_mutant

SEEDS_MAX = 200

BEGINS = {"one_choice_for_all": 14, "taken_back_not_heeded": 5}
"""Mutant -> the first seed it is looked for in, where those before it never meet what it breaks."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_caught(name: str):
    with with_mutant(name):
        for seed in range(BEGINS.get(name, 0), SEEDS_MAX):
            try:
                if simulate(seed).violations:
                    return
            except AssertionError:
                return
    pytest.fail(f"{name} was not caught in {SEEDS_MAX} seeds")
