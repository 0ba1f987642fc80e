"""Rows are compared by the shard that wrote them last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from messaging.ports import BatchRecord, Commit, RowWrite
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.ids import policy_key
from scripts.audit_rows import Rows, SharedRows

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


class Moving(MemoryStore):
    """Commit a batch just before rows are read: the world goes on while it is audited."""

    epoch = 0

    async def rows(self, *args: Any, **more: Any) -> list[dict[str, Any]]:
        """Read, once a shard has written one more line."""
        if (await self.owner("rules-0")).batch == 1:  # type: ignore[union-attr]
            await wrote(self, self.epoch, 2, "later", NOON + timedelta(minutes=1))
        return await super().rows(*args, **more)


async def wrote(store: MemoryStore, epoch: int, batch: int, line: str, at: datetime) -> None:
    """Commit a batch that writes a line of the story."""
    row = RowWrite("story", line, {"visitor": YOUNGER, "at": at, "kind": "x"})
    record = BatchRecord(at, "", 0, {}, [], [], [], b"", [], [])
    commit = Commit("rules-0", "rules", epoch, batch, {}, {}, record, [], [], [row], [], [], [])
    await store.commit(commit)


async def test_what_a_shard_writes_while_it_is_audited_is_left_to_the_next_audit() -> None:
    store = Moving(MemoryDatabase())
    store.epoch = (await store.acquire("rules-0")).epoch
    await wrote(store, store.epoch, 1, "planted", NOON - timedelta(minutes=1))
    shared = SharedRows(None)
    shared.take("rules-0", Rows("rules", None, lambda _: True), 1, NOON)
    assert await shared.compare(store, None) == ["story row planted is not in the record"]
    shared.knows_all = False  # a shard could not be folded, and may have wanted it
    assert await shared.compare(store, None) == []


def an_alert(policy: str, status: str = "open") -> RowWrite:
    """Return the row of an alert that the learner raised: it is about no visitor."""
    return RowWrite("alerts", "a1", {"visitor": "", "at": NOON, "policy": policy, "status": status})


async def keeping(*rows: RowWrite) -> MemoryStore:
    store = MemoryStore(MemoryDatabase())
    epoch = (await store.acquire("learner-0")).epoch
    record = BatchRecord(NOON, "", 0, {}, [], [], [], b"", [], [])
    await store.commit(
        Commit("learner-0", "learner", epoch, 1, {}, {}, record, [], [], list(rows), [], [], [])
    )
    return store


async def test_an_alert_about_a_policy_is_compared_by_the_shard_that_keeps_the_policy() -> None:
    key = policy_key("split_test/p/s/n/0")
    store = await keeping(an_alert("split_test/p/s/n/0"))
    rows = Rows("learner", None, lambda who: who == key)
    rows.note([an_alert("split_test/p/s/n/0")])
    assert await rows.compare(store) == []
    rows.note([an_alert("split_test/p/s/n/0", "closed")])
    assert await rows.compare(store) == ["alerts row a1 differs from what was recorded"]


async def test_an_alert_about_a_policy_that_nobody_raised_is_found() -> None:
    store = await keeping(an_alert("split_test/p/s/n/0"))
    shared = SharedRows(None)
    shared.take("learner-0", Rows("learner", None, lambda _: True), 1, NOON)
    assert await shared.compare(store, None) == ["alerts row a1 is not in the record"]


async def test_what_is_left_of_a_decision_of_somebody_who_was_erased_is_not_looked_for() -> None:
    store = await keeping(RowWrite("decisions", "d1", {"visitor": "", "at": NOON, "policy": "x"}))
    assert await Rows("rules", None, lambda _: True).compare(store) == []
