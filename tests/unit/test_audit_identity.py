"""The index of keys is held against the events in any order in which shards are read; nobody is accused in between."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from agents.behavior_bot.identity import Resolver
from messaging.ports import BatchRecord, Commit
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import position
from scripts.audit_identity import Identities

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SHARDS = ("behavior-0", "behavior-1")


class Index:
    """Give keys away as two shards of Behavior do, and tell an audit whose each event was."""

    def __init__(self, *, knows_all: bool = True) -> None:
        self.store = MemoryStore(MemoryDatabase())
        self.said: list[str] = []
        self.audit = Identities(
            lambda _, what: self.said.append(what), lambda key: key, knows_all=knows_all
        )
        self.taken: list[tuple[Record, str, list[str]]] = []
        self.batches = dict.fromkeys(SHARDS, 0)

    async def take(self, shard: str, **call: Any) -> str:
        """Take an event in a batch of its own; return whose it was."""
        number = len(self.taken) + 1
        raw = msgspec.json.encode({"type": "identify", **call})
        record = Record(position(1, number), f"m{number}", 0, NOON, NOON, "", raw)
        resolver = Resolver(dict(self.store._database.identity))
        found = resolver.resolve(record, record.event)
        batch = self.batches[shard] = self.batches[shard] + 1
        owner = await self.store.owner(shard) or await self.store.acquire(shard)
        kept = BatchRecord(NOON, "", 0, {}, [], [], [], b"", [], [])
        await self.store.commit(
            Commit(
                shard,
                "behavior",
                owner.epoch,
                batch,
                {},
                {},
                kept,
                [],
                [],
                [],
                resolver.writes(),
                [],
            )
        )
        merging = [younger for younger, _ in found.merges]
        self.taken.append((record, found.visitor, merging))
        return found.visitor

    def read(self, *numbers: int) -> None:
        """Let the audit see events."""
        for number in numbers:
            self.audit.observe(*self.taken[number - 1])

    async def cut(self, shard: str) -> None:
        """End the fold of a shard."""
        await self.audit.look(self.store)
        self.audit.cut(shard, self.batches[shard])

    async def end(self) -> list[str]:
        await self.audit.end(self.store)
        return self.said


async def test_a_key_that_goes_over_is_in_order_wherever_the_audit_looked_first() -> None:
    """Two browsers turn out to be one person: their address leads to the older one from then on."""
    for order in ((1, 2, 3), (3, 2, 1), (2, 3, 1)):
        index = Index()
        older = await index.take(SHARDS[0], anonymousId="b1")
        younger = await index.take(SHARDS[1], anonymousId="b2", traits={"email": "a@example.com"})
        now = await index.take(SHARDS[0], anonymousId="b1", traits={"email": "a@example.com"})
        assert (now, index.taken[-1][2]) == (older, [younger])
        for number in order:
            index.read(number)
            await index.audit.look(index.store)
        for shard in SHARDS:
            await index.cut(shard)
        assert await index.end() == []


async def test_a_browser_that_two_people_share_and_the_former_name_of_nobody_are_in_order() -> None:
    index = Index()
    first = await index.take(SHARDS[0], anonymousId="b1", userId="u1")
    second = await index.take(SHARDS[0], anonymousId="b1", userId="u2")
    assert first != second
    await index.take(SHARDS[0], type="alias", userId="u2", previousId="nobody")
    index.read(2, 3, 1)
    await index.cut(SHARDS[0])
    assert await index.end() == []


async def test_what_a_shard_did_after_it_was_folded_is_left_to_the_next_audit() -> None:
    index = Index()
    older = await index.take(SHARDS[0], anonymousId="b1")
    younger = await index.take(SHARDS[1], anonymousId="b2", traits={"email": "a@example.com"})
    index.read(1)
    await index.cut(SHARDS[0])
    assert older == await index.take(SHARDS[0], anonymousId="b1", traits={"email": "a@example.com"})
    index.read(2)  # the address leads to the older one by now, which the audit has not seen
    await index.cut(SHARDS[1])
    index.audit.cut(SHARDS[0], 1)
    assert younger != older
    assert await index.end() == []
    # A system at rest: nobody has moved, and so nobody's event led the key there.
    index.audit.cut(SHARDS[0], 2)
    assert await index.end() == [f"a key (address) leads to {older}, who never came under it"]


async def test_where_not_every_event_was_seen_a_key_may_lead_to_anybody_but_nobody() -> None:
    index = Index(knows_all=False)
    await index.take(SHARDS[0], anonymousId="b1", userId="u1")
    second = await index.take(SHARDS[0], anonymousId="b1", userId="u2")
    index.read(2)  # the browser is the first one's, whose event an older version recorded
    await index.cut(SHARDS[0])
    assert await index.end() == []
    del index.store._database.identity["u:u2"]
    index.audit._done.clear()
    index.read(2)
    assert await index.end() == [f"a key of {second} (user id) leads to nobody"]
