"""Keep the journal in lists, behind the port `Journal`: for the simulator and for tests."""

from __future__ import annotations

from bisect import bisect_right

from messaging.ports import Appended, Filed
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import PARTITIONS, message_hash, stream_of


class MemoryJournal:
    """Implement `messaging.ports.Journal` in memory.

    Parameters:
        database: what this journal is a handle on; it holds the streams.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def ensure_indexes(self) -> None:
        """Do nothing: dicts need no preparation."""

    async def open_stream(self, writer: str) -> int:  # noqa: ARG002 - who writes is of interest to people
        """Return a new stream number."""
        self._database.streams.append([])
        return len(self._database.streams)

    async def append(self, records: list[Record]) -> Appended:
        """Insert records of one stream; see the port."""
        if not records:
            return Appended([])
        assert len({stream_of(record.position) for record in records}) == 1
        stream = self._database.streams[stream_of(records[0].position) - 1]
        message_ids = self._database.message_ids
        hashes = [message_hash(record.message_id, b"") for record in records]
        fresh = []
        for record, known_by in zip(records, hashes, strict=True):
            stands = message_ids.setdefault(known_by, record.position)
            fresh.append(stands == record.position)
            if not fresh[-1]:
                continue
            if not stream or stream[-1].position < record.position:
                stream.append(record)
                continue
            at = bisect_right(stream, record.position, key=_position) - 1
            here = stream[at] if at >= 0 else None
            if here is None or here.position != record.position:
                stream.insert(at + 1, record)
            else:
                same = here.is_erased or here.message_id == record.message_id
                assert same, f"position {record.position} holds another event"
        return Appended(fresh)

    async def read(
        self, stream: int, after: int, limit: int, shard: tuple[int, int]
    ) -> tuple[list[Record], int]:
        """Return a shard's records among the next `limit` of a stream, and the position reached."""
        if not 0 < stream <= len(self._database.streams):
            return [], after
        records = self._database.streams[stream - 1]
        first = bisect_right(records, after, key=_position)
        seen = records[first : first + limit]
        if not seen:
            return [], after
        index, shards = shard
        ours = [each for each in seen if each.partition * shards // PARTITIONS == index]
        return ours, seen[-1].position

    async def filed(self, after: int, limit: int) -> list[Filed]:
        """Look at the next events by position: in lists the place is the order."""
        found: list[Filed] = []
        for number, records in enumerate(self._database.streams, 1):
            places = sorted(map(_position, records))
            for place, record in zip(places, records, strict=True):
                if place > after:
                    is_own = stream_of(place) == number and record.position == place
                    found.append(Filed(place, is_own, self._is_known(record)))
                    if len(found) == limit:
                        return found
        return found

    def _is_known(self, record: Record) -> bool | None:
        if record.is_erased:
            return None
        known_by = message_hash(record.message_id, b"")
        return self._database.message_ids.get(known_by) == record.position

    async def tails(self) -> dict[int, int]:
        """Return stream -> last position; streams without a record are left out."""
        return {
            number: records[-1].position
            for number, records in enumerate(self._database.streams, 1)
            if records
        }


def _position(record: Record) -> int:
    return record.position
