"""An audit beside an erasure reads a part of the record as it was, and a part as it is: it is made again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agents.runtime.eraser import DONE, ERASURES, asked
from messaging.journal.memory import MemoryJournal
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.ids import ERASED_LATEST, micros_of
from scripts.audit import TRIES_MAX, Auditor, Report

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
LINE = {"visitor": "0a" * 12, "at": NOON, "kind": "x"}
SAID = "story row line is not in the record"


class Erasing(MemoryStore):
    """Have somebody erased while the rows are read: what is left of them is gone at the next look."""

    looks = 0
    ends_at = 1
    """After so many looks at the story they are erased."""

    async def rows(self, table: str, *more: Any, **how: Any) -> list[dict[str, Any]]:
        found = await super().rows(table, *more, **how)
        if table == "story":
            self.looks += 1
            over = self.looks >= self.ends_at
            row = asked(["0a" * 12], NOON) | ({"status": DONE} if over else {})
            await self.put_document(ERASURES, "receipt", row)
            if over:
                await self.remove_document("story", "line")
        return found


async def audited(store: MemoryStore) -> Report:
    async def view_at(*_: object) -> Any:
        raise AssertionError("nothing is folded")

    await store.put_document("story", "line", LINE)
    store._database.identity[ERASED_LATEST] = ("", micros_of(NOON))
    journal = MemoryJournal(store._database)
    return await Auditor(store, journal, {}, view_at).run(say=lambda _: None)


async def test_what_is_found_while_somebody_is_erased_is_looked_at_again() -> None:
    store = Erasing(MemoryDatabase())
    report = await audited(store)
    assert (report.findings, store.looks) == ([], 2)


async def test_an_erasure_that_comes_to_no_end_hides_nothing_and_is_counted() -> None:
    store = Erasing(MemoryDatabase())
    store.ends_at = TRIES_MAX + 1
    report = await audited(store)
    assert [each.what for each in report.findings] == [SAID]
    assert report.looked_at["erasures under way"] == 1
    assert store.looks == TRIES_MAX


async def test_without_an_erasure_a_finding_is_one_at_once() -> None:
    store = MemoryStore(MemoryDatabase())
    await store.put_document(ERASURES, "old", asked(["0b" * 12], NOON) | {"status": DONE})
    report = await audited(store)
    assert [each.what for each in report.findings] == [SAID]
    assert "erasures under way" not in report.looked_at
