"""Measure what an event costs with many cohorts published, against few: an event is to cost what it can change."""

from __future__ import annotations

import json
import time
from typing import Any

from agents.protocol.bot import View
from agents.runtime.garbage import collect_seldom
from agents.runtime.inprocess import InProcess
from config.load import DEFAULTS, compile_files, read_folder
from scripts.bench_measure import RUNS, Row, Say, limit_row
from scripts.bench_mix import records
from scripts.bench_simulator import START

EVENTS = 8_000
FEW, MANY = 5, 485
"""Cohorts beside the routine's fifteen: 500 are as many as there can be."""
GOAL = 3.0
COHORTS = "cohorts.yaml"


def condition(number: int) -> dict[str, Any]:
    """Return one of many conditions: ten kinds by turns; a fifth of each asks for what the mix's visitors do."""
    turn, common = number // 10, number // 10 % 5 == 0
    steps = ["Product Viewed", "Product Added"] if common else [f"Step {turn}", f"Done {turn}"]
    match number % 10:
        case 0:
            event = "Product Viewed" if common else f"Event {turn}"
            return {"event": {"name": event, "within_days": 7, "at_least": 1 + turn % 4}}
        case 1:
            trait = "plan" if common else f"plan {turn}"
            return {"trait": {"name": trait, "equals": "abc"[turn % 3]}}
        case 2:
            page = "/shop/cup" if common else f"/section/{turn}"
            return {"page": {"starts_with": page, "within_days": 3}}
        case 3:
            return {"campaign": {"source": f"source {turn}"}}
        case 4:
            none = {"not_event": {"name": "Order Completed", "within_days": 30 + turn}}
            return {"all": [{"may_email": True}, {"country": "BR"}, none]}
        case 5:
            score = {"name": "interest", "from": 5.0 + turn}
            return {"all": [{"score": score}, {"known": "email"}]}
        case 6:
            recent = {"date": {"of": "last_order", "in_last_days": 30 + turn}}
            return {"all": [{"orders": {"at_least": 1 + turn % 5}}, {"not": recent}]}
        case 7:
            product = {"product_id": f"p-{turn}"}
            return {"event": {"name": "Product Viewed", "properties": product, "at_least": 2}}
        case 8:
            return {"sequence": {"steps": steps, "within_days": 2, "same": "product_id"}}
        case _:
            known = {"name": f"trait {turn}", "exists": True}
            depth = {"depth_at_least": 2 + turn % 6}
            return {"all": [{"session": depth}, {"lifecycle": "lead"}, {"trait": known}]}


def view_of(cohorts: int) -> View:
    """Return a view of the routine that ships, with so many cohorts more."""
    files = dict(read_folder(DEFAULTS))
    lines = (f"  made-{n}: {{when: {json.dumps(condition(n))}}}" for n in range(cohorts))
    files[COHORTS] = "\n".join([files[COHORTS], *lines])
    rules = compile_files(files, 1)
    return View(rules, 1, {1: rules}, {})


def measure(say: Say, events: int = EVENTS, runs: int = RUNS) -> list[Row]:
    """Return the row `rules`: processor time of an event with 500 cohorts, by that with 20."""
    say("rules: drawing the mix")
    drawn = list(records(events, 1, START))
    views = view_of(FEW), view_of(MANY)
    collect_seldom()  # as every actor does
    ratios, costs = [], [0.0, 0.0]
    for number in range(1, runs + 1):
        say(f"rules: run {number} of {runs}")
        took = []
        for view in views:
            simulator = InProcess(view, START)
            used = time.process_time()
            simulator.feed(drawn)
            took.append((time.process_time() - used) / events)
        ratios.append(took[1] / took[0])
        costs = took
    row = limit_row("rules", "× the cost", ratios, GOAL, below=True)
    few, many = (1e6 * cost for cost in costs)
    row.notes.append(
        f"all bots: {few:,.0f} µs an event with {len(views[0].rules.cohorts)} cohorts, "
        f"{many:,.0f} µs with {len(views[1].rules.cohorts)}; a fifth of them asks for what happens"
    )
    return [row]
