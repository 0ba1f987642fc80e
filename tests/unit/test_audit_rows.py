"""Rows are compared by the shard that wrote them last."""

from __future__ import annotations

from datetime import UTC, datetime

from messaging.ports import BatchRecord, Commit, RowWrite
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.audit_rows import Rows

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
YOUNGER, OLDER = "0a" * 12, "fb" * 12


def a_row(visitor: str, status: str) -> RowWrite:
    return RowWrite("sends", "s1", {"visitor": visitor, "at": NOON, "status": status})


async def test_a_send_that_a_merge_gave_to_another_shard_is_that_shards() -> None:
    store = MemoryStore(MemoryDatabase())
    begun, ended = a_row(YOUNGER, "handing over"), a_row(OLDER, "handed over")
    owner = await store.acquire("email-1")
    record = BatchRecord(NOON, "", 0, {}, [], [], [], b"", [], [])
    await store.commit(
        Commit("email-1", "email", owner.epoch, 1, {}, {}, record, [], [], [ended], [], [], [])
    )
    first = Rows("email", None, lambda who: who == YOUNGER)
    first.note([begun])
    second = Rows("email", None, lambda who: who == OLDER)
    second.note([ended])
    assert await first.compare(store) == []
    assert await second.compare(store) == []
    second.note([begun])
    assert await second.compare(store) == ["sends row s1 differs from what was recorded"]
