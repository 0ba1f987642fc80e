"""Measure how quickly is decided and learned, one by one, beside the peers that are there, run by run in turn.

Time is the process's own: a busy neighbour does not count. A peer is given its input as it wants it: what turning
numbers into Vowpal Wabbit's text costs is not counted either.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from zoneinfo import ZoneInfo

import numpy as np

from agents.protocol.draw import Draw
from learning.serving.contextual import decide, with_level
from learning.serving.for_lead import choose_for_lead
from learning.serving.hours import FIRST
from learning.serving.own_hours import leaning
from learning.serving.presence import OCCASIONS_MAX, before_week
from learning.serving.send_time import (
    EVERYBODY,
    EVERYBODY_WEEKS,
    POLICY,
    SHAPE,
    SLOTS,
    UNPROMPTED,
    UNPROMPTED_WEEKS,
    choose_hour,
)
from learning.training.earned import Earned
from learning.training.ridge import Sums, solve
from messaging.vocabulary.ids import derive
from messaging.vocabulary.records import Snapshot
from scripts.bench_measure import RUNS, Pair, Row, Say, limit_row, row_of
from scripts.bench_peers import MabWiser, VowpalWabbit, is_there

ARMS, INPUTS = 100, 50
NOISE = 0.1

DECISIONS, UPDATES = 2_000, 2_000
"""Of ours in one run; a peer is run for as long."""

TIMES_VW, TIMES_MABWISER = 20.0, 100.0
"""How many times a peer's rate ours should be."""

SEND_TIME_MICROSECONDS = 30.0

TEMPLATES, TOLD = 10, 24
"""Of one lead's decision as Rules makes it: templates, and inputs told."""
DECISIONS_A_SECOND = 20_000.0

Vector = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class _World:
    """Hold inputs, arms and rewards to decide on and to learn from."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.inputs = rng.normal(size=(500, INPUTS))
        self.arms = rng.integers(0, ARMS, 500)
        self.rewards = (rng.random(500) < 0.2).astype(np.float64)
        self.sums = Sums.empty(ARMS, INPUTS)
        self.sums.add(self.arms, self.inputs, self.rewards)


def measure(say: Say) -> list[Row]:
    """Return a row for decisions and updates against each peer, and one for the hour of one e-mail."""
    world = _World()
    rows = []
    for name, module, times in (
        ("VW squarecb", "vowpalwabbit", (TIMES_VW, TIMES_VW)),
        ("MABWiser LinTS", "mabwiser", (TIMES_MABWISER, TIMES_VW)),
    ):
        if not is_there(module):
            continue
        say(f"learning: speed beside {name}")
        peer_decides, peer_learns = _peer(module, world)
        ours_decides, ours_learns = _ours(world)
        against = f"{name}, {ARMS} arms × {INPUTS} inputs:"
        pairs = [_pair(ours_decides, peer_decides, DECISIONS) for _ in range(RUNS)]
        rows.append(row_of(f"speed.decide.{module}", "1/s", pairs, against=against, goal=times[0]))
        pairs = [_pair(ours_learns, peer_learns, UPDATES) for _ in range(RUNS)]
        rows.append(row_of(f"speed.learn.{module}", "1/s", pairs, against=against, goal=times[1]))
    return [*rows, send_time_row(), for_lead_row()]


def for_lead_row(decisions: int = 4_000) -> Row:
    """Return the row of one lead's template, from a snapshot: inputs to exact chances, a draw, and the reasons."""
    rng = np.random.default_rng(0)
    arms = [f"template-{number}" for number in range(TEMPLATES)]
    earned = Earned(TEMPLATES, TOLD)
    told = rng.integers(-32, 33, (1_000, TOLD)).astype(np.int8)
    chosen = rng.integers(0, TEMPLATES, 1_000)
    earned.learn(chosen, told / 16.0, (rng.random(1_000) < 0.2).astype(np.float64))
    snapshot = Snapshot(policy="next_best/p/s", version=1, arms=arms, arrays=earned.published())
    names = [f"input {number}" for number in range(TOLD)]
    leads = [each.tobytes() for each in told]

    def one(number: int) -> object:
        lead, draw = leads[number % 1_000], Draw(str(number))
        return choose_for_lead(snapshot, arms, lead, draw, refused={}, policy="p", names=names)

    rates = [_rate(one, decisions) for _ in range(RUNS)]
    return limit_row("speed.next_best", "1/s", rates, DECISIONS_A_SECOND, below=False)


def send_time_row(decisions: int = 2_000) -> Row:
    """Return the row of one e-mail's hour: from a lead's packed weeks and a snapshot to an hour drawn by exact chances.

    The lead's hours are as many as are ever kept; the window is a day, of which the quiet hours are refused.
    """
    rng = np.random.default_rng(0)
    week, zone = 2_900, ZoneInfo("Europe/Berlin")
    everybody = (50.0 * rng.random(SLOTS)).tolist()
    arrays = {EVERYBODY: everybody, EVERYBODY_WEEKS: [100.0], SHAPE: [float(FIRST)]}
    arrays |= {UNPROMPTED: everybody, UNPROMPTED_WEEKS: [100.0]}
    snapshot = Snapshot(policy=POLICY, version=1, arrays=arrays)
    leads = [_packed(rng, week) for _ in range(50)]
    allowed, refused = list(range(8, 21)), dict.fromkeys([*range(8), *range(21, 24)], "quiet_hours")
    draws = [Draw(derive("decision", f"{number}")) for number in range(50)]

    def one(number: int) -> object:
        own = leaning(snapshot, week, leads[number % 50], zone, week)
        return choose_hour(snapshot, allowed, draws[number % 50], refused=refused, own=own)

    one(0)  # a zone's clock is looked up once a process
    spent = [1e6 / _rate(one, decisions) for _ in range(RUNS)]
    return limit_row("speed.send_time", "µs", spent, SEND_TIME_MICROSECONDS, below=True)


def _packed(rng: np.random.Generator, week: int) -> bytes:
    hours = rng.choice(52 * SLOTS, OCCASIONS_MAX, replace=False)
    return before_week(np.sort(hours) + (week - 52) * SLOTS, week)


def _ours(world: _World) -> tuple[Callable[[int], object], Callable[[int], object]]:
    known = solve(world.sums, 100.0)
    x = with_level(world.inputs)

    def decides(number: int) -> object:
        return decide(known, NOISE, world.inputs[number % 500], 0.5)

    def learns(number: int) -> None:
        place = number % 500
        world.sums.add_one(int(world.arms[place]), x[place], float(world.rewards[place]))

    return decides, learns


def _peer(module: str, world: _World) -> tuple[Callable[[int], object], Callable[[int], object]]:
    """Return a library's deciding and learning for one lead, its policy fitted on the world's answers."""
    if module == "vowpalwabbit":
        return _vowpal_wabbit(world)
    policy = MabWiser(ARMS, "LinTS", np.random.default_rng(0))
    policy.learn(world.arms, world.inputs, world.rewards)

    def learns(number: int) -> None:
        place = slice(number % 500, number % 500 + 1)
        policy.learn(world.arms[place], world.inputs[place], world.rewards[place])

    return lambda number: policy.choose(world.inputs[[number % 500]]), learns


def _vowpal_wabbit(world: _World) -> tuple[Callable[[int], object], Callable[[int], object]]:
    policy = VowpalWabbit(ARMS, "--squarecb --gamma_scale 1000", np.random.default_rng(0))
    answers = zip(world.inputs, world.arms, world.rewards, strict=True)
    asked = [policy.text(each) for each in world.inputs]
    told = [policy.text(each, int(arm), -reward, 1.0 / ARMS) for each, arm, reward in answers]
    for text in told:
        policy.space.learn(text)
    return (
        lambda number: policy.space.predict(asked[number % 500]),
        lambda number: policy.space.learn(told[number % 500]),
    )


def _pair(ours: Callable[[int], object], peer: Callable[[int], object], count: int) -> Pair:
    spent_from = process_time()
    value = _rate(ours, count)
    return Pair(value, _rate_for(peer, process_time() - spent_from))


def _rate(one: Callable[[int], object], count: int) -> float:
    started = process_time()
    for number in range(count):
        one(number)
    return count / (process_time() - started)


def _rate_for(one: Callable[[int], object], seconds: float) -> float:
    """Return calls a second, of as many as fit into these seconds, three at least."""
    started, number = process_time(), 0
    while number < 3 or process_time() - started < seconds:
        one(number)
        number += 1
    return number / (process_time() - started)
