"""Gather what the overview shows of all bots: counts, the newest rows, whom they are about.

Rule 1: nothing here reads all of anything: sums of the commits, keys of indexes, and a handful of rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from agents.learner_bot.alerts import alert_id
from agents.runtime.policies import choosing
from agents.runtime.readers import StoreReader
from agents.runtime.stages_kept import stages_of
from agents.runtime.views import PUBLISHED, VERSIONS
from learning.serving.split_test import ALARM
from messaging.gateway.late import late_said
from messaging.ports import Store
from messaging.store.audit_log import AUDIT_LOG
from messaging.vocabulary.effects import BY_ITSELF, SAMPLE_RATIO
from messaging.vocabulary.records import Snapshot

DECISIONS = 12
ALERTS = 6
LINES = 200
"""So many of the newest lines of all stories are looked through for Social's last."""

BY_THE_MACHINE = (*BY_ITSELF, "")
"""Who settles an alert that no person settled; empty: it is open."""


class Looking:
    """Look at all bots at once.

    Parameters:
        store: what is looked at.
        reader: reads counts and stages.
    """

    def __init__(self, store: Store, reader: StoreReader) -> None:
        self._store = store
        self._reader = reader
        self._stages: tuple[int, dict[str, list[str]]] = (0, {})

    async def look(self) -> dict[str, Any]:
        """Return the facts of this moment, each as it is stored."""
        store = self._store
        counts, decisions, alerts, settled = await asyncio.gather(
            self._reader.counts(),
            store.latest("decisions", DECISIONS),
            store.rows("alerts", {"status": "open"}, limit=ALERTS),
            store.tally("alerts", "by"),
        )
        newest = await self._newest()
        rows = [*decisions, *alerts, *(row for row in newest.values() if row is not None)]
        return {
            "counts": counts,
            "decisions": decisions,
            "decided": await store.count("decisions", {}),
            "acts": await store.tally(AUDIT_LOG, "act"),
            "rewarded": await store.count("rewards", {}),
            "alerts": alerts,
            "by_people": sum(n for by, n in settled.items() if by and by not in BY_THE_MACHINE),
            "newest": newest,
            "addresses": await self._reader.addresses(_visitors(rows)),
            "likely": await self._reader.likely(_visitors(alerts)),
            "mail_waits": await late_said(store),
            "order_of_stages": await self._order_of_stages(),
        }

    async def without_alert(self, tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the split tests but for those whose alarm was raised as an alert: that stands in the inbox."""
        found = []
        for test in tests:
            if test["verdict"] == ALARM:
                alert = alert_id(test["policy"], SAMPLE_RATIO)
                if await self._store.get_document("alerts", alert) is not None:
                    continue
            found.append(test)
        return found

    async def policies(self) -> list[Snapshot]:
        """Return the newest snapshot of each policy that chooses."""
        return await choosing(self._store)

    async def refusals(self, since: datetime) -> list[tuple[str, str, int, datetime, str]]:
        """Return which e-mails were refused since a moment: by template and reason."""
        return await self._store.refusals(since)

    async def _newest(self) -> dict[str, dict[str, Any] | None]:
        """Return what each bot did last; an order also names the template that gets its credit."""
        store = self._store
        handed, late, offers, orders, snapshots, lines = await asyncio.gather(
            store.rows("sends", {"status": "handed over"}, limit=1),
            store.rows("sends", {"status": "deferred"}, limit=1),
            store.latest("engagements", 1),
            store.latest("orders", 1),
            store.latest("snapshots", 1),
            store.latest("story", LINES),
        )
        order = _first(orders)
        if order is not None and order["credited"]:
            send = await store.get_document("sends", order["credited"])
            order["template"] = send["template"] if send is not None else ""
        return {
            "send": _first(handed),
            "late": _first(late),
            "offer": _first(offers),
            "order": order,
            "snapshot": _first(snapshots),
            "seen": _first([line for line in lines if line["kind"] == "social.seen"]),
        }

    async def _order_of_stages(self) -> dict[str, list[str]]:
        """Return path -> its stages in order; read again when another version is published."""
        published = await self._store.get_document(*PUBLISHED)
        version = int(published["version"]) if published else 0
        if self._stages[0] != version:
            row = await self._store.get_document(VERSIONS, str(version))
            self._stages = (version, stages_of([row] if row is not None else []))
        return self._stages[1]


def _first(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    return rows[0] if rows else None


def _visitors(rows: Iterable[dict[str, Any]]) -> list[str]:
    return sorted({row["visitor"] for row in rows if row.get("visitor")})
