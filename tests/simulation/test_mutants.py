"""Plant each bug and see it caught: checkers that catch nothing prove nothing."""

from __future__ import annotations

import pytest

from tests.simulation.simulate import MUTANTS, simulate, with_mutant

SEEDS_MAX = 200


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_caught(name: str):
    with with_mutant(name):
        for seed in range(SEEDS_MAX):
            try:
                if simulate(seed).violations:
                    return
            except AssertionError:
                return
    pytest.fail(f"{name} was not caught in {SEEDS_MAX} seeds")
