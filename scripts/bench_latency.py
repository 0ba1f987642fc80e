"""Measure how long the loop takes for one visitor, unloaded: a visit to its e-mail, a purchase to the end of it.

Rules
1. The clock starts before the call is sent and stops when the SMTP server has the whole e-mail, or when the
   store shows the run as won and its open send as cancelled. One visitor at a time.
2. A send stays open for a purchase to cancel because all hand-overs are paused.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from scripts.bench_measure import RUNS, Row, Say, limit_row, percentile, shown
from scripts.bench_rules import PATH, write_rules_now
from scripts.bench_smtp import Mailbox, mailbox
from scripts.bench_system import Running, running

VISITS = 100
"""Visits of one run: 300 altogether."""
PURCHASES = 60
WARM = 10
PAGE = "/offer"
HALF_GOAL_MS = 150.0
MOST_GOAL_MS = 500.0
SECONDS_MAX = 30.0
LOOK_SECONDS = 0.002


async def measure(folder: Path, say: Say, runs: int = RUNS) -> list[Row]:
    """Return the rows `latency.visit.p50`, `latency.visit.p99` and `latency.purchase.p99`."""
    rules = folder / "rules"
    write_rules_now(rules, entry_page=PAGE)
    say("latency: starting the system")
    async with (
        mailbox() as box,
        running(folder / "data", box.port, config=rules, holdout="0") as system,
    ):
        visits = await _visits(system, box, say, runs)
        purchases = await _purchases(system, say, runs)
    return [
        _row("latency.visit.p50", visits, 0.5, HALF_GOAL_MS),
        _row("latency.visit.p99", visits, 0.99, MOST_GOAL_MS),
        _row("latency.purchase.p99", purchases, 0.99, MOST_GOAL_MS),
    ]


def _row(name: str, runs: list[list[float]], share: float, limit: float) -> Row:
    row = limit_row(name, "ms", [percentile(run, share) for run in runs], limit, below=True)
    every = [each for run in runs for each in run]
    row.notes.append(f"{len(every)} one after the other; the slowest took {shown(max(every))} ms")
    return row


async def _visits(system: Running, box: Mailbox, say: Say, runs: int) -> list[list[float]]:
    """Return the milliseconds from a page visit to its e-mail, run by run."""
    say("latency: leads become known")
    names = [f"visit-{number}" for number in range(runs * VISITS + WARM)]
    await _known(system, names)
    for name in names[:WARM]:
        await _visit(system, box, name)
    found = []
    for number in range(runs):
        say(f"latency: visits, run {number + 1} of {runs}")
        start = WARM + number * VISITS
        found.append([await _visit(system, box, name) for name in names[start : start + VISITS]])
    return found


async def _visit(system: Running, box: Mailbox, name: str) -> float:
    began = time.monotonic()
    await system.send(_page(name))
    arrived = await box.wait_for(f"{name}@example.com", SECONDS_MAX)
    return 1000 * (arrived - began)


async def _purchases(system: Running, say: Say, runs: int) -> list[list[float]]:
    """Return the milliseconds from a purchase to the end of the run and its open send, run by run."""
    say("latency: sends wait")
    names = [f"buyer-{number}" for number in range(runs * PURCHASES)]
    await system.post("pause", {})  # of all: a path that is paused plans nothing
    await _known(system, names)
    for name in names:
        await system.send(_page(name))
    sends = await _open_sends(system, len(names))
    found = []
    for number in range(runs):
        say(f"latency: purchases, run {number + 1} of {runs}")
        start = number * PURCHASES
        some = names[start : start + PURCHASES]
        found.append([await _purchase(system, name, sends) for name in some])
    await system.post("resume", {})
    return found


async def _purchase(system: Running, name: str, sends: dict[str, str]) -> float:
    """Buy, and wait until the run is won and the send that was open is cancelled."""
    visitor = str((await system.get(f"visitors/{name}"))["visitor_id"])
    database = system.connection.database
    cancelled = {"_id": sends[visitor], "status": "cancelled"}
    won = {"visitor": visitor, "kind": "run.won"}
    began = time.monotonic()
    order = {"order_id": f"order-{name}", "total": 20.0, "currency": "EUR"}
    await system.send(
        {"type": "track", "userId": name, "event": "Order Completed", "properties": order}
    )
    open_still = [("sends", cancelled), ("story", won)]
    while open_still:
        table, match = open_still[0]
        if await database[table].find_one(match, {"_id": 1}) is not None:
            open_still.pop(0)
        elif time.monotonic() > began + SECONDS_MAX:
            raise TimeoutError(f"the purchase of {name} is not taken: {open_still}")
        else:
            await asyncio.sleep(LOOK_SECONDS)
    return 1000 * (time.monotonic() - began)


async def _open_sends(system: Running, count: int) -> dict[str, str]:
    """Wait until so many sends are open; return visitor -> send."""
    match = {"status": "waiting", "path": PATH}
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            found = await system.connection.database["sends"].find(match).to_list(None)
            if len(found) >= count:
                return {each["visitor"]: each["_id"] for each in found}
            await asyncio.sleep(0.1)


async def _known(system: Running, names: list[str]) -> None:
    """Let leads become known who may be written to; wait until all bots know it."""
    for name in names:
        traits = {"email": f"{name}@example.com", "email_consent": True, "first_name": "Ann"}
        await system.send({"type": "identify", "userId": name, "traits": traits})
    deadline = time.monotonic() + SECONDS_MAX
    while any("sends" not in key for key in await system.behind()):
        if time.monotonic() > deadline:
            raise TimeoutError("the bots do not catch up")
        await asyncio.sleep(0.1)


def _page(name: str) -> dict[str, object]:
    url = f"https://shop.example{PAGE}"
    return {
        "type": "page",
        "userId": name,
        "name": "Offer",
        "context": {"page": {"path": PAGE, "url": url}},
    }
