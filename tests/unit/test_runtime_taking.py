"""What one batch takes of a journal that is far behind: bounded by bytes as well as by number."""

from __future__ import annotations

import msgspec

from agents.runtime.taking import Taker
from messaging.journal.memory import MemoryJournal
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import partition_of, position
from tests.runtime_builders import START, a_database, a_shard, a_store, visitor


def a_record(number: int, letters: int) -> Record:
    """Return a journaled track call that is as large as so many letters of usual size."""
    raw = msgspec.json.encode(
        {"type": "track", "event": "x", "userId": "u", "properties": {"a": "b" * 400 * letters}}
    )
    at = position(1, number)
    return Record(at, f"m-{number}", partition_of(visitor(1)), START, START, "", raw)


async def taken(letters: int) -> list[int]:
    """Return how many records each of the first batches takes of a hundred so large ones."""
    database = a_database()
    journal = MemoryJournal(database)
    await journal.open_stream("gateway-1")
    await journal.append([a_record(number, letters) for number in range(1, 101)])
    spec = a_shard(
        a_store(database), journal=journal, batch_letters_max=50, journal_read_max=10
    ).spec
    taker, positions, sizes = Taker(spec, lambda: None), {"journal:1": 0}, []
    taker.start(positions)
    await taker.sweep()
    for _ in range(2):
        chunks = await taker.take(positions, choked=False)
        sizes.append(sum(len(chunk.records or ()) for chunk in chunks))
        positions = {"journal:1": chunks[-1].last}
    taker.stop()
    return sizes


async def test_a_batch_takes_as_many_small_events_as_its_size() -> None:
    assert all(30 <= size <= 60 for size in await taken(1))


async def test_a_batch_of_large_events_is_bounded_by_their_bytes() -> None:
    assert await taken(40) == [10, 10]
