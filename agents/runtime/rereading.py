"""Read again which journaled events of a person a batch took."""

from __future__ import annotations

from agents.runtime.scrub import Who, is_whose
from messaging.ports import BatchRecord, Journal
from messaging.vocabulary.events import Record

READ_MAX = 2_000


async def events_of(
    journal: Journal, record: BatchRecord, who: Who, shard: tuple[int, int]
) -> list[Record]:
    """Return the journaled events of a person that a batch of a shard (index, of how many) took."""
    mine = [is_whose(text, who) for text in record.visitors]
    if not any(mine):
        return []
    taken: list[Record] = []
    for stream, first, last in record.inputs:
        if stream.startswith("journal:"):
            taken += await events_between(
                journal, int(stream.removeprefix("journal:")), first, last, shard
            )
    assert len(taken) == len(mine), "a batch names the visitor of each event it took"
    return [each for each, is_mine in zip(taken, mine, strict=True) if is_mine]


async def events_between(
    journal: Journal, stream: int, first: int, last: int, shard: tuple[int, int]
) -> list[Record]:
    """Return a shard's events of a journal stream from number `first` to `last`."""
    found: list[Record] = []
    after = first - 1
    while after < last:
        limit = min(READ_MAX, last - after)
        some, reached = await journal.read(stream, after, limit, shard)
        found += [each for each in some if each.position <= last]
        if reached == after:
            break
        after = reached
    return found
