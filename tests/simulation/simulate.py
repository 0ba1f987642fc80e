"""Run one seed: build the world, let the month happen, check what may never be true."""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from importlib import import_module

import msgspec
import structlog

from messaging.vocabulary.events import Record
from tests.simulation import loop
from tests.simulation.chaos import Chaos
from tests.simulation.checks import check_everything
from tests.simulation.story import Story
from tests.simulation.world import Plan, World, plan_for

MUTANTS = (
    "dedupe_dropped",
    "commit_after_sending",
    "epoch_only_read",
    "wake_up_lost",
    "one_position_for_many_streams",
    "two_inserts_in_flight",
    "cancel_overtaken",
    "reward_counted_twice",
    "merge_keeps_both_runs",
    "cap_not_reserved",
    "tombstone_not_followed",
    "suppression_not_read",
    "bounce_known_of_one",
    "late_event_reopens_run",
    "offer_not_reserved",
    "offer_again_in_session",
    "offer_outlives_goal",
    "offer_without_answer_untold",
    "figures_survive_conflict",
    "erasure_forgets_a_table",
    "erasure_does_not_wait",
    "late_event_comes_back",
    "model_not_of_the_batch",
    "one_choice_for_all",
    "taken_back_not_heeded",
    "answer_without_its_lead",
)


class Result(msgspec.Struct):
    """Hold what one seed came to."""

    seed: int
    violations: list[str]
    trace_hash: str
    events: int
    visitors: int
    faults: int
    coverage: dict[str, dict[str, int]]
    trace: list[str]
    journal: list[list[Record]] = []
    """What was journaled, by stream."""
    plan: Plan | None = None
    behavior: dict[str, bytes] = {}
    """Visitor -> Behavior's state as it was stored in the end."""


def simulate(seed: int, *, trace: bool = False, plan: Plan | None = None) -> Result:
    """Run one seed from its first event to an empty system."""
    gc.disable()  # what a collected coroutine does on its way out must not depend on when that is
    gc.collect()  # what was left of the seed before would be kept for good, and slow down the next ones
    gc.freeze()  # what was there before need not be looked through afterwards
    try:
        result: Result = loop.run(_run(seed, trace=trace, plan=plan))
    finally:
        gc.collect()  # of the young ones alone some would stay: 18 MB a seed
        gc.unfreeze()
        gc.enable()
    return result


async def _run(seed: int, *, trace: bool, plan: Plan | None) -> Result:
    chaos = Chaos(seed)
    drawn = plan_for(seed, chaos)
    world = World(plan or drawn, chaos)
    witness = world.witness
    if trace:
        witness.trace = []
    story = Story(world)
    try:
        await story.run()
        await check_everything(world, story)
    finally:
        structlog.reset_defaults()
    result = _result(world, story)
    world.forget()
    return result


def _result(world: World, story: Story) -> Result:
    witness, chaos = world.witness, world.chaos
    return Result(
        seed=chaos.seed,
        violations=witness.violations,
        trace_hash=witness.digest(),
        events=len(world.database.message_ids),
        visitors=len(world.database.states["behavior"].bodies),
        faults=sum(chaos.happened.values()),
        coverage={
            "faults": dict(chaos.happened),
            "messages": dict(witness.messages),
            "send statuses": dict(witness.statuses),
            "moves": dict(witness.moves),
            "stories": dict(witness.stories),
            "readers": dict(story.answered),
            "log": dict(witness.logged),
            "trainings": dict(witness.trainings),
            "runtime": world.runtime_counts(),
        },
        trace=witness.trace or [],
        journal=world.database.streams,
        plan=world.plan,
        behavior=dict(world.database.states["behavior"].bodies),
    )


def with_mutant(name: str) -> contextlib.AbstractContextManager[None]:
    """Plant a bug for as long as the context lasts."""
    module = import_module(f"tests.simulation.mutants.{name}")
    planted: contextlib.AbstractContextManager[None] = module.planted()
    return planted


def added(total: dict[str, Counter[str]], result: Result) -> None:
    """Add one seed's coverage to the sum."""
    for group, counts in result.coverage.items():
        total.setdefault(group, Counter()).update(counts)
