"""Check what makes looking safe: no block gains on average where learned does no worse, whatever came before it."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.evaluation.guardrail import EVIDENCE_MIN, MEASURES, grown, shared
from learning.evaluation.sequential import LIFTS

quick = settings(max_examples=60, deadline=None)
SIZE = st.integers(0, 12)
RATE = st.floats(0.0, 1.0)
COUNT = st.integers(0, 5_000)


def _sides(held_out: int, learned: int, place: int, yes: tuple[int, int]) -> np.ndarray:
    counts = np.zeros((2, 1 + len(MEASURES)))
    counts[:, 0] = held_out, learned
    counts[:, 1 + place] = yes
    return counts


def _chance(yes: int, of: int, rate: float) -> float:
    return math.comb(of, yes) * rate**yes * (1.0 - rate) ** (of - yes)


@quick
@given(
    place=st.integers(0, len(MEASURES) - 1),
    sizes=st.tuples(SIZE, SIZE),
    before=st.tuples(COUNT, COUNT, RATE, RATE),
    rates=st.tuples(RATE, RATE),
)
def test_no_block_gains_on_average_where_learned_does_no_worse(place, sizes, before, rates):
    """The exact mean over all that a block can show, at any rates, any sizes, after anything at all."""
    worse, better = sorted(rates)
    is_fewer_harm = MEASURES[place].harm == "fewer"
    held_out, learned = (worse, better) if is_fewer_harm else (better, worse)
    seen = _sides(*before[:2], place, (round(before[0] * before[2]), round(before[1] * before[3])))
    mean = np.zeros(len(LIFTS))
    none = np.zeros((len(MEASURES), len(LIFTS)))
    for yes in product(range(sizes[0] + 1), range(sizes[1] + 1)):
        chance = _chance(yes[0], sizes[0], held_out) * _chance(yes[1], sizes[1], learned)
        mean += chance * np.exp(grown(none, seen, _sides(*sizes, place, yes))[place])
    assert (mean <= 1.0 + 1e-9).all()


@quick
@given(seed=st.integers(0, 2**32 - 1), looks=st.integers(1, 30))
def test_looking_changes_nothing(seed, looks):
    """The evidence after a row of blocks is their product; a look in between is only a look."""
    rng = np.random.default_rng(seed)
    blocks = []
    for _ in range(looks):
        sizes = rng.integers(0, 40, 2)
        yes = rng.binomial(np.repeat(sizes[:, None], len(MEASURES), axis=1), 0.2)
        blocks.append(np.concatenate([sizes[:, None], yes], axis=1))
    logs, seen, highest = np.zeros((len(MEASURES), len(LIFTS))), np.zeros((2, 5)), -math.inf
    gains = []
    for block in blocks:
        gains.append(grown(np.zeros_like(logs), seen, block))
        logs = grown(logs, seen, block)
        seen = seen + block
        highest = max(highest, float(shared(logs)))
    assert logs == pytest.approx(np.sum(gains, axis=0))
    assert np.isfinite(logs).all()
    assert highest >= float(shared(logs)) - 1e-12


@quick
@given(
    logs=st.lists(
        st.lists(st.floats(-50, 50), min_size=len(LIFTS), max_size=len(LIFTS)),
        min_size=len(MEASURES),
        max_size=len(MEASURES),
    )
)
def test_where_bonferroni_would_raise_the_alarm_so_does_the_mean(logs):
    each = [np.logaddexp.reduce(row) - math.log(len(LIFTS)) for row in logs]
    if max(each) >= math.log(EVIDENCE_MIN * len(MEASURES)) + 1e-9:
        assert float(shared(logs)) >= math.log(EVIDENCE_MIN)
