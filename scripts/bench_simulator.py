"""Measure the simulator: all bots in one process on a clock that jumps, on the mix."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from agents.protocol.bot import View
from agents.runtime.garbage import collect_seldom
from agents.runtime.inprocess import InProcess
from config.load import DEFAULTS, compile_folder
from scripts.bench_measure import RUNS, Row, Say, limit_row
from scripts.bench_mix import records

EVENTS = 40_000
GOAL = 20_000.0
START = datetime(2026, 11, 23, 9, tzinfo=UTC)


def default_view() -> View:
    """Return a view of the routine that ships, before anything was learned."""
    rules = compile_folder(DEFAULTS, 1)
    return View(rules, 1, {1: rules}, {})


def measure(say: Say, events: int = EVENTS, runs: int = RUNS) -> list[Row]:
    """Return the row `simulator`."""
    say("simulator: drawing the mix")
    drawn = list(records(events, 1, START))
    view = default_view()
    collect_seldom()  # as every actor does
    values, shares = [], []
    messages = 0
    for number in range(1, runs + 1):
        say(f"simulator: run {number} of {runs}")
        simulator = InProcess(view, START)
        began, used = time.perf_counter(), time.process_time()
        simulator.feed(drawn)
        took = time.perf_counter() - began
        values.append(events / took)
        shares.append((time.process_time() - used) / took)
        messages = simulator.messages
    row = limit_row("simulator", "events/s", values, GOAL, below=False)
    row.notes.append(
        f"{messages / events:.2f} messages an event, {row.value * messages / events:,.0f} messages/s; "
        f"the process had {100 * min(shares):.0f}–{100 * max(shares):.0f} % of a core"
    )
    return [row]
