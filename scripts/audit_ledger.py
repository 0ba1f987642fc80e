"""Compare decisions with the ledger of what was sent and offered: budgets, caps, thanks, and what came first.

Rules
1. Each decision to send, or to offer, has one row, and the reverse; the row is no older than its decision.
2. A row may follow its decision by as long as a letter is under way.
3. Budgets and caps are those of the version of the rules by which the last row of a run was decided.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from agents.protocol.bot import View
from agents.rules.compiled import InteractionRule
from agents.runtime.replay import ViewAt
from messaging.ports import Store
from scripts.audit_site import offer_of, over_caps

ROWS_MAX = 5_000_000

SETTLE_SECONDS = 15.0
"""How long a decision may wait for its ledger row: the time a letter is under way."""

CLOCKS_APART = timedelta(seconds=2)
"""What the clocks of two machines may differ by."""

COUNTED = ("handed over", "uncertain", "delivered", "complained")
"""Send statuses that count as an attempt."""


class Ledger:
    """Check the ledger of one system.

    Args:
        store, view_at: where the rows are, and by which rules they were decided.
        found: is told (rule, what) of what should not be.
        looked: counts what was looked at.
        only: the only visitor looked at; None: all.
        since: older rows are left out.
    """

    def __init__(
        self,
        store: Store,
        view_at: ViewAt,
        found: Callable[[str, str], None],
        looked: Counter[str],
        *,
        only: str | None,
        since: datetime | None,
    ) -> None:
        self._store = store
        self._view_at = view_at
        self._found = found
        self._looked = looked
        self._match = {"visitor": only} if only else {}
        self._since = since
        self._views: dict[int, View] = {}

    async def sent(self) -> None:
        """Check what was sent by e-mail."""
        marketing = {"success": False, "confirms": False}
        decisions, sends = await self._joined("template", "sends", marketing)
        self._looked["decisions"] += len(decisions)
        self._looked["sends"] += len(sends)
        for row in sends:
            at, decided_at = row.get("handed_over_at"), _at(decisions.get(row["decision_id"]))
            if at is not None and decided_at is not None and at < decided_at - CLOCKS_APART:
                self._found(
                    "order", f"{row['id']} was handed over {decided_at - at} before its decision"
                )
        await self._thanks()
        if self._since is not None:
            sends = [row for row in sends if row["at"] >= self._since]
        await self._attempts([row for row in sends if row["status"] in COUNTED], decisions)

    async def _thanks(self) -> None:
        """Check that no mailbox was thanked twice for one order."""
        match, since = {"success": True} | self._match, self._since
        rows = await self._store.rows("sends", match, limit=ROWS_MAX, newest=False)
        thanked = Counter(
            (row["mailbox"], row["path"], row["run"])
            for row in rows
            if row["mailbox"] and row["status"] in COUNTED and (since is None or row["at"] >= since)
        )
        self._looked["thanks"] += len(rows)
        for (mailbox, path, order), count in thanked.items():
            if count > 1:
                self._found("success", f"mailbox {mailbox}: {count} of {path} for order {order}")

    async def on_site(self) -> None:
        """Check what was offered on the site."""
        views, since = self._views, self._since
        decisions, rows = await self._joined("interaction", "engagements", {})
        self._looked["offers"] += len(rows)
        made = [(row, decisions.get(row["decision_id"])) for row in rows]
        offers = [offer_of(row, decision) for row, decision in made if decision is not None]
        if since is not None:
            offers = [offer for offer in offers if offer.decided_at >= since]
        for version in {offer.rules_version for offer in offers}:
            await self._rules(version)
        for what in over_caps(offers, lambda number, name: _interaction(views[number], name)):
            self._found("caps", what)

    async def _joined(
        self, kind: str, table: str, asked: dict[str, Any]
    ) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
        """Return the decisions of a kind and the rows that they ask for, after finding that each has the other."""
        found = await self._store.rows(
            "decisions", {**self._match, "kind": kind}, limit=ROWS_MAX, newest=False
        )
        rows = await self._store.rows(table, {**self._match, **asked}, limit=ROWS_MAX, newest=False)
        by_decision = Counter(row["decision_id"] for row in rows)
        # What is left of a decision about somebody who was erased has no row any more.
        missing = {row["id"] for row in found if row["visitor"]} - set(by_decision)
        for _ in range(int(SETTLE_SECONDS)):
            missing -= await self._with_row(table, missing, asked)
            if not missing:
                break
            await asyncio.sleep(1.0)
        for decision in sorted(missing):
            self._found("ledger", f"decision {decision} has no row in the ledger ({table})")
        decisions = {row["id"]: row for row in found}
        for decision, count in by_decision.items():
            known = decisions.get(decision) or await self._decided(decision, kind)
            if count > 1 or known is None:
                self._found("ledger", f"{count} {table} for decision {decision or '(none)'}")
            if known is not None:
                decisions[decision] = known
        return decisions, rows

    async def _with_row(self, table: str, decisions: set[str], asked: dict[str, Any]) -> set[str]:
        """Return which of these decisions have a row by now, also with whoever their visitor was merged into."""
        if not decisions:
            return set()
        if self._match:
            return {d for d in decisions if await self._store.count(table, {"decision_id": d})}
        found = await self._store.rows(
            table, asked, limit=ROWS_MAX, newest=False, only=("decision_id",)
        )
        return {row["decision_id"] for row in found}

    async def _decided(self, decision: str, kind: str) -> dict[str, Any] | None:
        """Return a decision that was made meanwhile, or for a visitor who was merged into the one looked at."""
        found = await self._store.get_document("decisions", decision) if decision else None
        return found if found is not None and found["kind"] == kind else None

    async def _attempts(
        self, rows: list[dict[str, Any]], decisions: dict[str, dict[str, Any]]
    ) -> None:
        """Check the budget of each run and the caps of each mailbox.

        A run is of whom it was decided for: after a merge, an answer to an e-mail moves its row to whom its reader was
        merged into, who may have had a run of the same number.
        """
        runs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        boxes: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in rows:
            decided_for = decisions.get(row["decision_id"], row)["visitor"] or row["visitor"]
            runs.setdefault((decided_for, row["path"], row["run"]), []).append(row)
            boxes.setdefault((row["mailbox"], row["path"]), []).append(row)
        for (visitor, path, run), some in runs.items():
            rule = await self._path(some[-1]["rules_version"], path)
            if rule is not None and len(some) > rule.attempts_total:
                self._found("attempts", f"{visitor} {path} run {run}: {len(some)} attempts")
        for (mailbox, path), some in boxes.items():
            rule = await self._path(some[-1]["rules_version"], path)
            times = sorted(row.get("handed_over_at") or row["at"] for row in some)
            for cap in rule.caps if rule is not None else ():
                for first, last in zip(times, times[cap.count :], strict=False):
                    # The store keeps milliseconds.
                    if last - first < timedelta(hours=cap.hours) - timedelta(milliseconds=2):
                        self._found("caps", f"mailbox {mailbox}: {cap.count + 1} in {last - first}")

    async def _path(self, version: int, path: str) -> Any:
        rules = await self._rules(version)
        return rules.paths.get(path) if rules is not None else None

    async def goals(self, version: int, path: str) -> frozenset[str]:
        """Return the events that are the goal of a path by a version of the rules."""
        rule = await self._path(version, path)
        return rule.goal_events if rule is not None else frozenset()

    async def _rules(self, version: int) -> Any:
        if version not in self._views:
            self._views[version] = await self._view_at(version, {}, "")
        return self._views[version].rules


def _at(decision: dict[str, Any] | None) -> datetime | None:
    return decision["at"] if decision is not None else None


def _interaction(view: View, name: str) -> InteractionRule | None:
    rules = view.rules
    return rules.interactions.get(name) if rules is not None else None
