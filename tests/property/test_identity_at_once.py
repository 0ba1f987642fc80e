"""Two shards of Behavior find out at once whose events are: what one read before the other wrote must not stand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.behavior_bot.identity import Resolver, Row, further_keys, keys_of, visitor_key
from messaging.ports import BatchRecord, Commit, IdentityWrite
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.errors import Conflict
from messaging.vocabulary.ids import user_key
from tests.behavior_builders import an_identify

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHARDS = ("behavior-0", "behavior-1")
USERS = ("u1", "u2", None)
BROWSERS = ("a1", "a2", "a3", None)


class Shards:
    """Run two shards on one store, an event of each at a time, read by both before either commits."""

    def __init__(self) -> None:
        self.store = MemoryStore(MemoryDatabase())
        self.batches = dict.fromkeys(SHARDS, 0)

    async def take(self, events: list[Any]) -> None:
        """Take an event in each shard; who comes too late with a commit resolves its event anew."""
        both = list(zip(SHARDS, events, strict=False))
        read = [await self._resolved(event) for _, event in both]
        for (shard, event), writes in zip(both, read, strict=True):
            try:
                await self._commit(shard, writes)
            except Conflict:
                await self._commit(shard, await self._resolved(event))

    async def owner(self, key: str) -> str:
        """Return the visitor that a key leads to, merges followed."""
        visitor = (await self.store.identities([key]))[key][0]
        while True:
            found = await self.store.identities([visitor_key(visitor)])
            target = found.get(visitor_key(visitor), (visitor, 0))[0]
            if target == visitor:
                return visitor
            visitor = target

    async def _resolved(self, event: Any) -> list[IdentityWrite]:
        record, call = event
        keys, known, asked = keys_of(record, call), dict[str, Row](), set[str]()
        wanted = keys
        while wanted:
            known |= await self.store.identities(wanted)
            asked.update(wanted)
            wanted = further_keys([keys], known, asked)
        resolver = Resolver(known)
        resolver.resolve(record, call)
        return resolver.writes()

    async def _commit(self, shard: str, writes: list[IdentityWrite]) -> None:
        self.batches[shard] += 1
        number = self.batches[shard]
        record = BatchRecord(NOON, "1", 1, {}, [], [], [], b"", [], [])
        rows: list[Any] = []
        commit = Commit(shard, "behavior", 1, number, {}, {}, record, [], rows, [], writes, [])
        try:
            await self.store.commit(commit)
        except Conflict:
            self.batches[shard] -= 1
            raise


@st.composite
def journals(draw: Any) -> list[Any]:
    """Draw identify calls of few people and browsers, so that they meet often."""
    events = []
    for number in range(1, draw(st.integers(2, 12)) + 1):
        user, browser = draw(st.sampled_from(USERS)), draw(st.sampled_from(BROWSERS))
        more: dict[str, Any] = {"anonymousId": browser} if browser else {}
        address = draw(st.sampled_from([None, None, "p1@example.com", "p2@example.com"]))
        if address:
            more["email"] = address
        if user is None and browser is None:
            more["anonymousId"] = "a1"
        events.append((number, user, more))
    return events


@settings(max_examples=300, deadline=None)
@given(journals())
def test_two_user_ids_never_share_a_visitor_whichever_shards_heard_of_them_at_once(
    drawn: list[Any],
) -> None:
    """No alias is among the calls, so every user id stays a visitor of its own."""
    asyncio.run(_two_user_ids_never_share(drawn))


async def _two_user_ids_never_share(drawn: list[Any]) -> None:
    shards = Shards()
    for shard in SHARDS:
        await shards.store.acquire(shard)
    records = [an_identify(number, user, **more) for number, user, more in drawn]
    events = [(record, record.event) for record in records]
    for start in range(0, len(events), len(SHARDS)):
        await shards.take(events[start : start + len(SHARDS)])
    users = sorted({user for _, user, _ in drawn if user})
    owners = [await shards.owner(user_key(user)) for user in users]
    assert len(set(owners)) == len(users)
