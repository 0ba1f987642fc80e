"""Measure what an event costs with many cohorts published, against few, and what a visitor weighs as time goes by.

An event is to cost what it can change, and what is kept of a visitor is to have bounds.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from datetime import timedelta
from statistics import median
from typing import Any

from agents.protocol.bot import View
from agents.runtime.garbage import collect_seldom
from agents.runtime.held import Codec
from agents.runtime.inprocess import InProcess
from agents.runtime.registry import WIRING
from config.load import DEFAULTS, compile_files, read_folder
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import partition_of, position, user_key, visitor_id_for
from scripts.bench_measure import RUNS, Row, Say, limit_row
from scripts.bench_mix import records
from scripts.bench_simulator import START

EVENTS = 8_000
IN_ALL = 500
"""As many cohorts as there can be."""
GOAL = 3.0
GROWTH = 1.05
"""What is kept reaches its bounds within half a year; numbers grow by a digit."""
HALF_A_YEAR, ACTS_MAX = 180, 16
COHORTS, ON_SITE = "cohorts.yaml", "interactions/"
OF_PATH = frozenset({"addressable-lead", "in-cart", "in-talk", "presence-unknown", "at-work"})
"""Cohorts that the routine's path and templates ask for."""


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
            near = {"date": {"trait": f"day {turn}", "anniversary_in_days": 7}}
            told = {"any": [{"trait": known}, near]}
            return {"all": [{"session": depth}, {"lifecycle": "lead"}, told]}


def view_of(cohorts: int) -> View:
    """Return a view of the routine that ships, with so many cohorts more."""
    return _view(dict(read_folder(DEFAULTS)), cohorts)


def bare_view_of(cohorts: int) -> View:
    """Return a view of the routine's path with the five cohorts that it asks for, and so many more.

    Nothing is offered on the site, so that nothing but the number of cohorts differs between two of them.
    """
    files = {n: text for n, text in read_folder(DEFAULTS).items() if not n.startswith(ON_SITE)}
    head, *blocks = re.split(r"(?m)^(?=  [a-z-]+:$)", files[COHORTS])
    names = [block.partition(":")[0].strip() for block in blocks]
    files[COHORTS] = head + "".join(b for n, b in zip(names, blocks, strict=True) if n in OF_PATH)
    return _view(files, cohorts)


def _view(files: dict[str, str], cohorts: int) -> View:
    lines = (f"  made-{n}: {{when: {json.dumps(condition(n))}}}" for n in range(cohorts))
    files[COHORTS] = "\n".join([files[COHORTS], *lines])
    rules = compile_files(files, 1)
    return View(rules, 1, {1: rules}, {})


def measure(say: Say, events: int = EVENTS, runs: int = RUNS) -> list[Row]:
    """Return the rows of an event's cost with 500 cohorts by that with few, and of what a visitor's states weigh."""
    say("rules: drawing the mix")
    drawn = list(records(events, 1, START))
    collect_seldom()  # as every actor does
    bare = bare_view_of(0), bare_view_of(IN_ALL - len(OF_PATH))
    routine = view_of(0), view_of(IN_ALL - len(view_of(0).rules.cohorts))
    return [
        _cost("rules", bare, drawn, runs, say),
        _cost("rules_routine", routine, drawn, runs, say),
        _memory(bare[1], say),
    ]


def _cost(name: str, views: tuple[View, View], drawn: list[Record], runs: int, say: Say) -> Row:
    """Return the row of processor time of an event under the second view, by that under the first."""
    ratios, costs, weights = [], [0.0, 0.0], [0.0, 0.0]
    for number in range(1, runs + 1):
        say(f"{name}: run {number} of {runs}")
        for index, view in enumerate(views):
            simulator = InProcess(view, START)
            used = time.process_time()
            simulator.feed(drawn)
            costs[index] = (time.process_time() - used) / len(drawn)
            weights[index] = median(_weights(simulator))
        ratios.append(costs[1] / costs[0])
    row = limit_row(name, "× the cost", ratios, GOAL, below=True)
    few, many = (len(view.rules.cohorts) for view in views)
    row.notes.append(
        f"all bots: {1e6 * costs[0]:,.0f} µs an event with {few} cohorts, {1e6 * costs[1]:,.0f} µs with {many}; "
        f"a fifth of them asks for what happens. A visitor (median) {weights[0]:,.0f} and {weights[1]:,.0f} bytes"
    )
    return row


def _memory(view: View, say: Say) -> Row:
    """Return the row of what one who comes every day weighs at most in half a year, by that of the half before.

    At most: a state that is squeezed now and then weighs less afterwards, and whether that was just now says nothing.
    """
    say("rules_memory: a year of days")
    simulator = InProcess(view, START)
    sizes: list[float] = []
    for half in (0, 1):
        most = 0
        for day in range(half * HALF_A_YEAR, (half + 1) * HALF_A_YEAR):
            simulator.feed(a_day(day))
            simulator.rows.clear()
            most = max(most, *_weights(simulator))
        sizes.append(most)
    row = limit_row("rules_memory", "× the bytes", [sizes[1] / sizes[0]], GROWTH, below=True)
    row.notes.append(
        f"all bots' states of one who comes every day, with {len(view.rules.cohorts)} cohorts: "
        f"{sizes[0]:,.0f} bytes at most in {HALF_A_YEAR} days, {sizes[1]:,.0f} in the next {HALF_A_YEAR}"
    )
    return row


def a_day(day: int) -> list[Record]:
    """Return what one visitor does on a day: some pages, a product, now and then an order, and who they are."""
    acts: list[dict[str, Any]] = [
        {"type": "identify", "traits": {"email": "a@example.com", "plan": "abc"[day % 3]}},
        *(
            {"type": "page", "context": {"page": {"path": f"/shop/cup/{day}/{n}"}}}
            for n in range(4)
        ),
    ]
    for event in ("Product Viewed", "Product Added", f"Event {day}"):
        properties = {"product_id": f"p-{day}", "price": 12.5}
        acts.append({"type": "track", "event": event, "properties": properties})
    if day % 2 == 0:
        order = {"order_id": f"order-{day}", "total": 49.0}
        acts.append({"type": "track", "event": "Order Completed", "properties": order})
    partition = partition_of(visitor_id_for(user_key("u1")))
    found = []
    for number, act in enumerate(acts, 1):
        at = START + timedelta(days=day, minutes=number)
        raw = json.dumps({"messageId": f"{day}-{number}", "userId": "u1", **act}).encode()
        place = position(1, day * ACTS_MAX + number)
        found.append(Record(place, f"{day}-{number}", partition, at, at, "", raw))
    return found


def _weights(simulator: InProcess) -> list[int]:
    """Return the bytes that each visitor's states take in the store, all bots together."""
    weights: Counter[str] = Counter()
    for bot, wiring in WIRING.items():
        if bot != "learner":  # it has no visitors
            codec = Codec(wiring.make())
            for visitor, held in simulator.everybody(bot):
                weights[visitor] += len(codec.encode(held))
    return list(weights.values())
