"""Count the whole system: what the overview shows, from sums and keys; no visitor's state is read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from agents.rules.flow import named
from agents.runtime import tested
from agents.runtime.figures import (
    arms_in,
    bounds_in,
    by_status,
    people_by_version,
    sales_in,
    stages_in,
    with_erased,
    work_in,
)
from agents.runtime.filler import UNDER_WAY, filling_of, percent
from agents.runtime.views import PAUSE
from messaging.gateway.late import late_said
from messaging.ports import Store
from messaging.vocabulary.quarantine import OPEN, QUARANTINE

ERASED_ORDERS_MAX = 1_000_000
"""Orders that stayed without a name."""

STATUSES = (
    "waiting",
    "handing over",
    "handed over",
    "bounced",
    "refused",
    "cancelled",
    "given up",
    "uncertain",
    "deferred",
)
"""States of a send that are counted."""

ENDS_ON_SITE = ("offered", "shown", "clicked", "submitted", "dismissed", "withdrawn", "expired")
"""States of an engagement that are counted."""
PEOPLE = ("people", "known", "customers")
"""Who is counted: everybody, those with an address, those who bought."""
PRESENCES = ("found", "none", "unknown")
"""What Social's look-ups came to."""
UNDELIVERED = ("waiting", "failed", "uncertain")
"""States of a notice in which nobody has been told of an alert, or perhaps nobody."""


async def stats(store: Store) -> dict[str, Any]:
    """Return counts of the whole system."""
    success = {"success": True, "status": "handed over"}
    return {
        **await counts(store),
        "success_mails": await store.count("sends", success),
        "notices": {s: await _notices(store, s) for s in UNDELIVERED},
        "experiments": dict(Counter(each["verdict"] for each in await tested.experiments(store))),
        "filling": await _filling(store),
        "mail_waits": await late_said(store),
    }


async def counts(store: Store) -> dict[str, Any]:
    """Return what the overview counts: of states and rows nothing is read but sums and keys."""
    people, rules, sales, looked = [
        await store.figures(bot) for bot in ("behavior", "rules", "sales", "social")
    ]
    erased = await store.rows("orders", {"visitor": ""}, limit=ERASED_ORDERS_MAX)
    sales = with_erased(sales, erased)
    sends = await store.tally("sends", "status")
    offered = await store.tally("engagements", "status")
    stages = stages_in(rules)
    held = await store.get_document(*PAUSE) or {}
    return {
        "sends": {status: sends.get(status, 0) for status in STATUSES},
        "engagements": {status: offered.get(status, 0) for status in ENDS_ON_SITE},
        "alerts_open": await store.count("alerts", {"status": "open"}),
        "alerts": await store.count("alerts", {}),
        "orders": int(sales.get("orders", 0)),
        "sales": sales_in(sales),
        "quarantined": await store.count(QUARANTINE, {"status": OPEN}),
        "runs": by_status(stages),
        "stages": stages,
        "by_version": people_by_version(rules),
        "arms": arms_in(rules),
        "work": work_in(rules, people),
        "bounds": bounds_in(people),
        "people": {name: int(people.get(name, 0)) for name in PEOPLE},
        "presences": {name: int(looked.get(f"presence/{name}", 0)) for name in PRESENCES},
        "paused": held.get("paths", []),
        "archived": held.get("archived", []),
    }


async def _filling(store: Store) -> dict[str, Any] | None:
    """Return how far the back-filling of the newest publication has come, None where none is under way."""
    job = await filling_of(store)
    if job is None or job["status"] != UNDER_WAY:
        return None
    told = {name: job[name] for name in ("version", "done", "of")}
    return {**told, "cohorts": named(job["cohorts"]), "percent": percent(job)}


async def _notices(store: Store, status: str) -> int:
    # What waits for its first try has no delivery yet: the queue knows of it.
    table = "notices" if status == "waiting" else "deliveries"
    return await store.count(table, {"status": status})
