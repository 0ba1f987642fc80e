"""Measure every page of the console and every list of the admin API with a million visitors stored.

Rules
1. The system is the one that a first start makes; the crowd is put into its store as its shards would have written it.
2. A page is asked for as a browser does, one at a time, by whoever is logged in; what counts is the 95th percentile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from bson import Binary

from agents.behavior_bot.state import BehaviorState, Points, Span, Stamped, Tally
from agents.behavior_bot.tallies import hour_of
from agents.protocol.bot import Bot
from agents.rules_manager.state import RulesState, Run
from agents.runtime.held import Codec, Held, groups_of
from agents.runtime.registry import WIRING
from messaging.vocabulary.ids import derive, partition_of
from scripts.bench_measure import Row, Say, limit_row, percentile
from scripts.bench_system import Running, running

VISITORS = 1_000_000
ROWS = 200_000
"""Rows of each table that people read."""
AT_ONCE = 5_000
ASKED = 40
"""Times that each page is asked for."""
GOAL_MS = 100.0
PATH, STAGES = "lead-to-customer", ("invited", "opened", "clicked")
STATUSES = ("planned", "waiting", "won", "alerted", "stopped")
KINDS = 40
"""Different states; each is many visitors'."""

PAGES = (
    "",
    "alerts",
    "alerts?status=closed",
    "visitors",
    "visitors?cohort={cohort}",
    "visitors?path={path}&stage={stage}",
    "visitors/{visitor}",
    "changes",
    "rules",
    "rules/versions/1",
    "rules/edit?file=cohorts.yaml",
    "routines/{path}?stage={stage}",
    "templates",
    "learning",
    "system",
)
LISTS = (
    "visitors",
    "visitors?after={visitor}",
    "visitors/{visitor}",
    "visitors/{visitor}/timeline",
    "cohorts",
    "cohorts/{cohort}/visitors",
    "cohorts/{cohort}/visitors?after={visitor}",
    "paths",
    "paths/{path}/stages/{stage}/visitors",
    "routines/{path}",
    "alerts",
    "alerts?status=open",
    "sends",
    "sends?status=delivered",
    "sends?visitor={visitor}",
    "decisions?visitor={visitor}",
    "decisions",
    "engagements",
    "notices",
    "experiments",
    "policies",
    "rules",
    "templates",
    "audit-log",
    "stats",
)


async def measure(folder: Path, say: Say, visitors: int = VISITORS) -> list[Row]:
    """Return a row for each page and list: its 95th percentile, in milliseconds."""
    say("pages: starting the system")
    async with running(folder, None) as system:
        await _fill(system, say, visitors)
        cohorts = (await system.get("cohorts"))["cohorts"]
        names = {
            "cohort": cohorts[0]["name"],
            "path": PATH,
            "stage": STAGES[0],
            "visitor": _id(visitors // 2),
        }
        rows = []
        admin = {"Authorization": f"Bearer {system.wiring.admin_token}"}
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(system.url, cookie_jar=jar) as session:
            form = {"user": "admin", "password": system.wiring.admin_token}
            async with session.post("/console/login", data=form) as answer:
                answer.raise_for_status()
            for page in PAGES:
                address = f"/console/{page.format(**names)}"
                rows.append(await _row(session, f"page {page or '/'}", address, {}, say))
            for page in LISTS:
                address = f"/api/v1/{page.format(**names)}"
                rows.append(await _row(session, f"api {page}", address, admin, say))
    return rows


async def _row(
    session: aiohttp.ClientSession, name: str, address: str, headers: dict[str, str], say: Say
) -> Row:
    say(f"pages: {name}")
    took = []
    for _ in range(ASKED + 1):
        began = time.perf_counter()
        async with session.get(address, headers=headers) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{address} answers {answer.status}")
        took.append(1_000 * (time.perf_counter() - began))
    took = took[1:]  # the first one reads what is read once
    row = limit_row(name, "ms p95", [percentile(took, 0.95)], GOAL_MS, below=True)
    row.notes.append(f"p50 {percentile(took, 0.5):.1f} ms")
    return row


def _id(number: int) -> str:
    return derive("bench visitor", str(number))[:24]


async def _fill(system: Running, say: Say, visitors: int) -> None:
    """Put a crowd into the store: states with their groups, and rows of a part of them."""
    database = system.connection.database
    now = datetime.now(UTC)
    cohorts = [each["name"] for each in (await system.get("cohorts"))["cohorts"]]
    behavior = [_behavior(kind, cohorts, now) for kind in range(KINDS)]
    for first in range(0, visitors, AT_ONCE):
        say(f"pages: {first:,} of {visitors:,} visitors")
        ids = [_id(number) for number in range(first, min(first + AT_ONCE, visitors))]
        states = [_document(each, *behavior[n % KINDS]) for n, each in enumerate(ids)]
        runs = [_document(each, *_rules(n, each, now)) for n, each in enumerate(ids)]
        await asyncio.gather(
            database["states_behavior"].insert_many(states, ordered=False),
            database["states_rules"].insert_many(runs, ordered=False),
        )
    for table, fields in _tables().items():
        for first in range(0, min(ROWS, visitors), AT_ONCE):
            say(f"pages: {first:,} of {ROWS:,} rows of {table}")
            numbers = range(first, min(first + AT_ONCE, visitors))
            await database[table].insert_many(list(_rows(numbers, fields, now)), ordered=False)


def _rows(
    numbers: Iterable[int], fields: dict[str, Any], now: datetime
) -> Iterator[dict[str, Any]]:
    for number in numbers:
        chosen = {k: v[number % len(v)] if isinstance(v, tuple) else v for k, v in fields.items()}
        at = now - timedelta(seconds=number)
        yield {**chosen, "_id": f"bench{number}", "visitor": _id(number), "at": at}


def _document(visitor: str, body: bytes, groups: list[str]) -> dict[str, Any]:
    found = {"_id": visitor, "p": partition_of(visitor), "s": Binary(body)}
    return found | ({"g": groups} if groups else {})


def _encoded(bot: Bot, state: Any) -> tuple[bytes, list[str]]:
    codec, held = Codec(bot), Held(state, {}, "", b"")
    return codec.encode(held), groups_of(codec.figures(held))


def _behavior(kind: int, cohorts: list[str], now: datetime) -> tuple[bytes, list[str]]:
    at = now.timestamp() - 3_600 * kind
    tally = Tally(count=kind + 1, last=at, hours={hour_of(at): kind + 1})
    names = ("page", "Product Viewed", "Product Added", "identify", "mail_opened")
    state = BehaviorState(
        email=Stamped(f"person{kind}@example.com", at, kind) if kind % 4 else None,
        traits={"city": Stamped("Rio", at, kind), "firstName": Stamped("Ann", at, kind)},
        tallies=dict.fromkeys(names[: 1 + kind % 5], tally),
        scores={"interest": Points(float(kind), at)},
        cohorts=sorted({cohorts[kind % len(cohorts)], cohorts[(kind * 3 + 1) % len(cohorts)]}),
        sessions=[Span(at, at + 600, kind)],
        recent=[(at - n, "page") for n in range(20, 0, -1)],
        pages=[(at - n, "/pricing") for n in range(20, 0, -1)],
        first_seen=at - 86_400,
        rules_version=1,
        kept=1,
        kept_version=1,
    )
    return _encoded(WIRING["behavior"].make(), state)


def _rules(number: int, visitor: str, now: datetime) -> tuple[bytes, list[str]]:
    at = now - timedelta(hours=number % 240)
    run = Run(PATH, 1, "1", at, STAGES[number % 3], STATUSES[number % 5], holdout=False)
    return _encoded(WIRING["rules"].make(), RulesState(visitor, runs={PATH: run}))


def _tables() -> dict[str, dict[str, Any]]:
    run = {"path": PATH, "run": "1", "stage": STAGES, "attempt": 1}
    alert = {"status": ("open", "closed", "resumed"), "kind": "x", "history": [], "by": "kim"}
    send = {"status": ("handed over", "delivered"), "template": "invite-hello", "success": False}
    entered = {"path": PATH, "run": "1", "version": 1, "stage": STAGES[0]}
    return {
        "alerts": {**run, **alert},
        "sends": {**run, **send, "reason": "", "rules_version": 1},
        "story": {"kind": "run.entered", "detail": entered, "bot": "rules", "order": 0},
        "audit_log": {"by": "kim", "act": "alert.closed", "of": "", "said": ""},
    }
