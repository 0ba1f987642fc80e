"""Write facts into the journal from inside the runtime, and wait until the bots have taken what was written.

Rules
1. What cannot be seen in the store cannot be waited for: a shard is known to have passed something once its owner
   document says that it took it, or what was written after it.
2. Records that may have been written are written again as they are, until somebody says that they are there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from agents.runtime.spec import Log
from messaging.ports import Chunk, Clock, Journal, Peers, Store
from messaging.vocabulary.errors import Unavailable, WorldError
from messaging.vocabulary.events import Fact, Record
from messaging.vocabulary.ids import PARTITIONS, own_id, partition_of, position

WAIT_SECONDS = 0.1
WAIT_SECONDS_MAX = 2.0
"""First and longest pause between two looks at what is waited for."""
LOOK_SECONDS = 5.0
"""Pause between two looks for work."""
APPEND_TRIES_MAX = 30
HINT_EVERY = 8
"""Looks after which shards are told again of what they have not taken: the first hint may have been lost."""


@dataclass
class Ways:
    """Hold the ports by which facts get to the bots."""

    store: Store
    journal: Journal
    peers: Peers
    clock: Clock
    shards: dict[str, int]
    log: Log


async def look_always(ways: Ways, look: Callable[[], Awaitable[int]], interrupted: str) -> None:
    """Look for work until cancelled; what a look meets on its way is logged, and met again after a pause."""
    while True:
        try:
            await look()
        except WorldError as error:
            ways.log.warning(interrupted, reason=type(error).__name__)
        await ways.clock.sleep(LOOK_SECONDS)


class Passage:
    """Write records under one name, and wait for who takes them.

    Parameters:
        ways: ports.
        writer: names the stream of the journal.
    """

    def __init__(self, ways: Ways, writer: str) -> None:
        self._to = ways
        self._writer = writer
        self._stream = 0
        self._number = 0

    def fact(self, fact: Fact) -> Record:
        """Return the record of a fact about its visitor."""
        return self._record(partition_of(fact.visitor), msgspec.json.encode(fact))

    def blank(self, index: int) -> Record:
        """Return an empty record for one shard of Behavior: who has taken it reads keys as they are now."""
        return self._record(-(-index * PARTITIONS // self._to.shards["behavior"]), b"")

    def _record(self, partition: int, raw: bytes) -> Record:
        now = self._to.clock.now()
        return Record(0, "", partition, now, now, "", raw)

    async def records(self, records: list[Record]) -> None:
        """Journal records, and wait until every shard of Behavior has passed them."""
        to = self._to
        if not self._stream:
            self._stream, self._number = await to.journal.open_stream(self._writer), 0
        for record in records:
            self._number += 1
            record.position = position(self._stream, self._number)
            # New at each try: a fact may be told again, and must not be taken for a repeat.
            record.message_id = own_id(self._writer, str(record.position))
        await self._append(records)
        name, last = f"journal:{self._stream}", records[-1].position
        at = records[0].received_at
        for index in range(to.shards["behavior"]):
            hint = Chunk(name, records[0].position, last, at, b"")
            await self._until_taken(f"behavior-{index}", name, last, hint)

    async def _append(self, records: list[Record]) -> None:
        """Append, repeating the very same records while nobody says that they are there."""
        for tries in range(1, APPEND_TRIES_MAX + 1):
            try:
                await self._to.journal.append(records)
            except Unavailable:
                if tries == APPEND_TRIES_MAX:
                    self._stream = 0  # they may yet appear: nothing may be numbered after them
                    raise
                await self._to.clock.sleep(WAIT_SECONDS * tries)
            else:
                return

    async def _until_taken(self, shard: str, stream: str, last: int, hint: Chunk) -> None:
        looks = 0

        async def is_taken() -> bool:
            nonlocal looks
            if looks % HINT_EVERY == 0:
                await self._to.peers.deliver(shard, hint)
            looks += 1
            owner = await self._to.store.owner(shard)
            return owner is not None and owner.positions.get(stream, 0) >= last

        await self.until(is_taken)

    async def read(self) -> None:
        """Wait until Behavior has taken all that stands in the journal now, whoever wrote it and told nobody of it."""
        to = self._to
        tails = {f"journal:{stream}": last for stream, last in (await to.journal.tails()).items()}
        for shard in (f"behavior-{index}" for index in range(to.shards["behavior"])):
            owner = await to.store.owner(shard)
            taken = owner.positions if owner is not None else {}
            for stream, last in sorted(tails.items()):
                if taken.get(stream, 0) < last:
                    hint = Chunk(stream, last, last, to.clock.now(), b"")
                    await self._until_taken(shard, stream, last, hint)

    async def settled(self, times: int) -> None:
        """Wait until every letter that is written now is taken, and so often again: one may cause another."""
        to = self._to
        for _ in range(times):
            sent: dict[tuple[str, str], int] = {}
            for bot in to.shards:
                for index in range(to.shards[bot]):
                    owner = await to.store.owner(f"{bot}-{index}")
                    for other, number in owner.sent.items() if owner is not None else ():
                        sent[f"{bot}-{index}", other] = number
            for (sender, receiver), number in sorted(sent.items()):
                hint = Chunk(sender, number, number, to.clock.now(), b"")
                await self._until_taken(receiver, sender, number, hint)

    async def until(self, true: Callable[[], Awaitable[bool]]) -> None:
        """Look again and again, more and more seldom, until something is true."""
        pause = WAIT_SECONDS
        while not await true():
            await self._to.clock.sleep(pause)
            pause = min(2 * pause, WAIT_SECONDS_MAX)
