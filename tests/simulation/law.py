"""Feed one recorded journal to Behavior alone, with other shards, batches, delays and crashes.

The law of identity: for a fixed journal, any distribution over partitions, batch size, crash and delay ends
in the same Behavior state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from agents.behavior_bot.state import BehaviorState
from agents.runtime.held import Stored
from agents.runtime.registry import shard_names
from messaging.ports import Chunk
from messaging.vocabulary.events import Record
from tests.simulation import loop
from tests.simulation.chaos import Chaos
from tests.simulation.process import Process
from tests.simulation.world import START, Plan, World, rules_of

DAY = 86_400.0
BY_THE_WAY = (
    "told",
    "told_may_show",
    "cohorts_due",
    "session_armed",
    "rules_version",
    "social_until",
    "moment_armed",
    "chances",
    "moves",
    "bytes_seen",
    "unseen",
    "hours_told",
    "few_told",
    "told_undecided",
)
"""Fields that say what was told to peers and when to look again: they follow the moment of taking."""

_stored = msgspec.msgpack.Decoder(Stored)
_behavior = msgspec.msgpack.Decoder(BehaviorState)


class Sink:
    """Stand for all other bots: take everything, do nothing."""

    def deliver(self, chunk: Chunk) -> bool:
        return True


def behavior_after(
    journal: list[list[Record]], plan: Plan, *, kills: int, version: int = 1
) -> dict[str, Any]:
    """Return visitor -> what Behavior knows in the end, by one version of the rules, without what was only told."""
    found: dict[str, Any] = loop.run(_live(journal, plan, kills, version))
    return found


async def _live(
    journal: list[list[Record]], plan: Plan, kills: int, version: int
) -> dict[str, Any]:
    chaos = Chaos(plan.seed)
    world = World(plan, chaos)
    rules = rules_of(version)
    world.view = msgspec.structs.replace(
        world.view, rules=rules, rules_version=version, pinned={version: rules}
    )
    world.database.streams = [[] for _ in journal]
    for name in shard_names(plan.shards):
        if name.startswith("behavior"):
            world.start_shard(name)
        else:
            process = Process(name, -1)
            process.inside = Sink()
            world.network.current[name] = process
    asyncio.ensure_future(_break(world, kills))  # noqa: RUF006 - it ends before the loop does
    records = sorted(
        (record for stream in journal for record in stream),
        key=lambda record: (record.received_at, record.position),
    )
    for record in records:
        due = (record.received_at - START).total_seconds()
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        stream = record.position >> 40
        world.database.streams[stream - 1].append(record)
        for index in range(plan.shards["behavior"]):
            hint = Chunk(f"journal:{stream}", 1, record.position, record.received_at, b"")
            world.network.offer(f"behavior-{index}", hint)
    chaos.calm = True
    for process in world.incarnations:
        process.disarm()
    await asyncio.sleep(3 * DAY)
    return known_of(world.database.states["behavior"].bodies)


async def _break(world: World, kills: int) -> None:
    draw = world.chaos.dice("faults")
    for _ in range(kills):
        await asyncio.sleep(draw.random() * 2 * world.plan.days * DAY / kills)
        if world.chaos.calm:
            return
        process = world.network.current["behavior-0"]
        process.aim(draw.randrange(1, 9), effect_first=draw.random() < 0.5, then=world.died)


def known_of(bodies: Mapping[str, bytes]) -> dict[str, Any]:
    """Return visitor -> what their stored state says they are known by, without what was only told."""
    known: dict[str, Any] = {}
    for visitor, body in bodies.items():
        stored = _stored.decode(body)
        if stored.moved:
            known[visitor] = f"moved into {stored.moved}"
            continue
        fields = msgspec.to_builtins(_behavior.decode(stored.state))
        named = dict(zip(BehaviorState.__struct_fields__, fields, strict=True))
        for span in named["sessions"][:-1]:
            del span[
                3
            ]  # only the newest one's end is told: of an older one it follows the moment of taking
        known[visitor] = {name: _rounded(named[name]) for name in named if name not in BY_THE_WAY}
    return known


def _rounded(value: Any) -> Any:
    """Return a value to nine decimals: points that fade in another order differ by a rounding."""
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
