"""The audit holds what was sent against what was decided: each run within its budget, whoever owns its rows."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from agents.protocol.bot import View
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.audit_ledger import Ledger

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULES = SimpleNamespace(paths={"hello": SimpleNamespace(attempts_total=3, caps=())})


async def rules_of(version: int, snapshots: dict[str, int], visitor: str) -> View:
    return View(rules=RULES, rules_version=version, pinned={}, snapshots={})


def attempts_of(run_of: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what is found in a ledger with an e-mail for each (whom it was decided for, whose the row is now)."""
    store, found = MemoryStore(MemoryDatabase()), list[tuple[str, str]]()

    async def audit() -> None:
        for index, (decided_for, owner) in enumerate(run_of):
            name, at = f"d{index}", AT + timedelta(days=index)
            decision: dict[str, Any] = {"visitor": decided_for, "at": at, "kind": "template"}
            row = {"visitor": owner, "at": at, "path": "hello", "run": "1", "decision_id": name}
            row |= {"status": "handed over", "mailbox": decided_for, "rules_version": 1}
            row |= {"success": False, "confirms": False, "handed_over_at": at}
            await store.put_document("decisions", name, decision)
            await store.put_document("sends", f"s{index}", row)
        ledger = Ledger(
            store,
            rules_of,
            lambda rule, what: found.append((rule, what)),
            Counter(),
            only=None,
            since=None,
        )
        await ledger.sent()

    asyncio.run(audit())
    return found


def test_a_run_with_more_e_mails_than_its_path_allows_is_found() -> None:
    assert attempts_of([("a", "a")] * 3) == []
    assert attempts_of([("a", "a")] * 4) == [("attempts", "a hello run 1: 4 attempts")]
    assert attempts_of([("a", "a")] * 3 + [("a", "b")]) == [
        ("attempts", "a hello run 1: 4 attempts")
    ]


def test_a_row_that_an_answer_moved_after_a_merge_is_of_the_run_that_it_was_sent_in() -> None:
    assert attempts_of([("a", "a")] * 3 + [("b", "b"), ("b", "a")]) == []
