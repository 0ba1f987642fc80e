"""Export one person of a simulated month, and look into everything that is stored for what it may have missed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from agents.runtime.held import Codec
from agents.runtime.registry import WIRING
from messaging.journal.memory import MemoryJournal
from messaging.store.memory import MemoryStore
from scripts.cli_export import written
from scripts.personal import TABLES, Sources, exported
from tests.simulation import loop
from tests.simulation.chaos import Chaos
from tests.simulation.scan import Place, needle, places
from tests.simulation.story import Story
from tests.simulation.world import World, plan_for

SEED = 7
PERSONS = 8
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def told(document: dict[str, Any]) -> set[Place]:
    """Return the places that an export tells of."""
    found: set[Place] = {("identity", row["key"]) for row in document["identity"]}
    found |= {("states", bot, who) for bot, some in document["states"].items() for who in some}
    found |= {("letters", e["from"], e["to"], str(e["number"])) for e in document["letters"]}
    found |= {("rows", table, row["id"]) for table in TABLES for row in document[table]}
    found |= {("batches", e["shard"], str(e["number"])) for e in document["batches"]}
    return found | {("events", str(e["position"])) for e in document["events"]}


@pytest.fixture(scope="module")
def lived() -> Iterator[World]:
    """Let one seed's month happen, with its faults and merges."""

    async def live() -> World:
        chaos = Chaos(SEED)
        world = World(plan_for(SEED, chaos), chaos)
        try:
            await Story(world).run()
        finally:
            structlog.reset_defaults()
        return world

    world: World = loop.run(live())
    yield world
    world.forget()


def persons(world: World) -> list[str]:
    """Return visitors, those into whom others were merged first."""
    codec = Codec(WIRING["behavior"].make())
    held = {v: codec.decode(b) for v, b in world.database.states["behavior"].bodies.items()}
    older = {each.moved for each in held.values() if each.moved}
    living = [v for v, each in held.items() if not each.moved and each.state.address]
    return sorted(living, key=lambda v: (v not in older, v))[:PERSONS]


def export_of(world: World, id_: str) -> dict[str, Any]:
    database = world.database
    sources = Sources(
        MemoryStore(database), MemoryJournal(database), world.plan.shards, world.view.mailbox
    )
    document: dict[str, Any] = loop.run(exported(sources, id_, at=NOW, say=lambda _: None))
    return document


def needle_of(world: World, document: dict[str, Any]) -> re.Pattern[bytes]:
    """Match the person's ids, and their address where nobody else ever had it."""
    names = list(document["visitors"])
    address = document["summary"]["email"]
    codec = Codec(WIRING["behavior"].make())
    bodies = world.database.states["behavior"].bodies
    having = {v for v, body in bodies.items() if codec.decode(body).state.address == address}
    if having <= set(names):
        names.append(address)
    return needle(names)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_place_that_names_a_person_is_in_their_export(lived: World):
    """The scan knows nothing of messages or tables: it looks at bytes."""
    merged = by_address = 0
    for visitor in persons(lived):
        document = export_of(lived, visitor)
        merged += len(document["visitors"]) > 1
        pattern = needle_of(lived, document)
        by_address += b"@" in pattern.pattern
        missed = set(places(lived.database, pattern)) - told(document)
        assert not missed, (visitor, sorted(missed)[:5])
        assert written(document)
    assert merged, "no person in here was ever two visitors"
    assert by_address, "every address in here was shared"
