"""Let what was learned of hours do harm: a crowd of made-up visitors answers where the rules decide, and not else.

Rules
1. The crowd is no part of the world: a month of some dozen people is too few to find harm among. What came of its
   decisions is told to the learner as it is of everybody's, again until it is heard: a process may die over it.
2. What is checked is who decides: in each batch of the Rules Manager by the snapshots that it names, and some hours
   after the snapshot in every batch.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec

from agents.runtime.shard import Shard
from agents.runtime.spec import shard_of
from learning.serving.fallback import is_taken_back
from learning.serving.send_time import POLICY
from messaging.ports import Commit
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import DecisionFared
from messaging.vocabulary.records import BY_RULES, Snapshot
from tests.simulation.witness import Witness
from tests.simulation.world import World

HARMED = POLICY
PAIRS = 50
HEARD_AFTER = timedelta(hours=19)
"""Snapshots reach this world's shards twice a day (`Story._publish`); one that is away then, when it is back."""


async def do_harm(world: World) -> None:
    """Tell of the crowd, some days into the month, until the policy is taken back."""
    if not world.plan.harm:
        return
    draw, key = world.chaos.dice("harm"), policy_key(HARMED)
    await asyncio.sleep(draw.uniform(4.0, 12.0) * 86_400.0)
    while not is_taken_back(world.view.snapshots.get(HARMED)):
        process = world.network.current[shard_of("learner", key, world.plan.shards)]
        if process.alive and isinstance(process.inside, Shard):
            for message in _crowd(key, world.clock.now()):
                process.inside.tell(message)
        await asyncio.sleep(6 * 3600.0)


def _crowd(key: str, at: datetime) -> list[DecisionFared]:
    return [
        DecisionFared(key, at, HARMED, 0, holdout=held_out, came=["response"] if held_out else [])
        for _ in range(PAIRS)
        for held_out in (True, False)
    ]


def look(witness: Witness, commit: Commit, snapshots: dict[str, Any]) -> None:
    """Look at who decided in a batch of the Rules Manager, by what it names."""
    taken_back = {
        policy
        for policy, version in commit.record.snapshots.items()
        if _says_back(witness, f"{policy}@{version}", snapshots)
    }
    for row in commit.rows:
        if row.table != "decisions" or not taken_back:
            continue
        if row.fields["policy"] in taken_back:
            witness.broken("decided by what was taken back", f"{row.id}: {row.fields['policy']}")
        is_hour = row.fields["kind"] == "send_hour" and HARMED in taken_back
        if is_hour and row.fields["policy"] == BY_RULES and not row.fields["holdout"]:
            witness.moves["decision send_hour taken back"] += 1


def only_rules_decide_where_learning_was_taken_back(world: World) -> None:
    """From some hours after a policy was taken back until it is turned on again, it decides nothing."""
    tables = world.database.tables
    mine = [row for row in tables.get("snapshots", {}).values() if row["policy"] == HARMED]
    mine.sort(key=lambda row: int(row["version"]))
    spans: list[tuple[datetime, datetime | None]] = []
    begun: datetime | None = None
    for row in mine:
        if _is_back(row) and begun is None:
            begun = row["at"]
        elif not _is_back(row) and begun is not None:
            spans.append((begun, row["at"]))
            world.witness.moves["policy turned on again"] += 1
            begun = None
    spans += [(begun, None)] if begun is not None else []
    if world.plan.harm and not spans:
        world.witness.broken("harm", f"{HARMED} was not taken back")
    for id_, row in tables.get("decisions", {}).items():
        for begin, end in spans:
            late = row["at"] > begin + HEARD_AFTER and (end is None or row["at"] < end)
            if late and row["policy"] == HARMED:
                world.witness.broken("decided long after it was taken back", id_)


def _says_back(witness: Witness, key: str, snapshots: dict[str, Any]) -> bool:
    """Say whether a snapshot takes its policy back; it is read once: a version does not change."""
    if key not in snapshots:
        return False
    if key not in witness.taken_back:
        witness.taken_back[key] = _is_back(snapshots[key])
    return witness.taken_back[key]


def _is_back(row: dict[str, Any]) -> bool:
    known = {name: each for name, each in row.items() if name != "at"}
    return is_taken_back(msgspec.convert(known, Snapshot))
