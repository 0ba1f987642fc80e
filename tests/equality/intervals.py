"""Hold the intervals that a simulation states against what further audiences come to, learning on.

A simulation of several audiences says between which bounds the next one's counts will lie in 95 of 100 cases
(`scripts/bounds.py`). Here further audiences of other seeds live, and it is counted how often each count does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from config.load import DEFAULTS, compile_folder, read_folder
from learning.audience.audience import Audience
from scripts.simulating import START, Simulated, end_of
from scripts.simulation import Files, Request, simulate
from scripts.tallying import Counts
from tests.equality.lives import HOLDOUT

ENOUGH = 0.9
"""Share of the audiences whose count must lie inside, of those that 95 in 100 are promised for."""

Bounds = dict[tuple[str, str, str], tuple[float, float]]
"""(`stages` or `ends`, path, stage or status) -> the lowest and the highest count."""


class Asked(msgspec.Struct, frozen=True):
    """Say what the interval is of."""

    visitors: int
    days: int
    seeds: int
    first: int = 1
    """Seed of the first audience that it is stated from."""
    further: int = 1_001
    """Seed of the first audience that it is held against."""


def stated(asked: Asked) -> Bounds:
    """Return what `mdma simulate` states of the routine that ships, with learning."""
    request = Request(
        draft=Files(0, read_folder(DEFAULTS)),
        visitors=asked.visitors,
        days=asked.days,
        seed=asked.first,
        seeds=asked.seeds,
        holdout=HOLDOUT,
    )
    side = simulate(request)["arms"]["learning"]
    return {
        (kind, path, name): (told["low"], told["high"])
        for kind in ("stages", "ends")
        for path, counts in side[kind].items()
        for name, told in counts.items()
    }


@cache
def shipped() -> CompiledRules:
    """Return the routine that ships."""
    return compile_folder(DEFAULTS, 1)


def lived(asked: Asked, number: int) -> Counts:
    """Return what the n-th further audience comes to."""
    rules = shipped()
    view = View(rules, 1, {1: rules}, {}, holdout=HOLDOUT, learning=True)
    audience = Audience(asked.further + number, asked.visitors, START, asked.days)
    world = Simulated(view, audience)
    world.run(end_of(asked.days))
    return world.counts(asked.days)


def is_inside(bounds: Bounds, counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Inside:
    """Return what lies inside its bounds, for one audience. What was not foreseen at all is counted as outside."""
    names = {
        (kind, path, name)
        for kind, paths in counts.items()
        for path, each in paths.items()
        for name in each
    }
    found: Inside = {}
    for key in sorted(bounds.keys() | names):
        kind, path, name = key
        low, high = bounds.get(key, (0.0, 0.0))
        found[key] = low <= counts[kind].get(path, {}).get(name, 0) <= high
    return found


Inside = dict[tuple[str, str, str], bool]


def shares(found: Iterable[Inside]) -> dict[tuple[str, str, str], float]:
    """Return in which share of the audiences each count lies inside its bounds."""
    each = list(found)
    names = {key for inside in each for key in inside}
    return {key: sum(i.get(key, True) for i in each) / len(each) for key in sorted(names)}


def counts_of(counts: Counts) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the counts that intervals are stated of."""
    return {"stages": counts.stages, "ends": counts.ends}
