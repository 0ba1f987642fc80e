"""Measure the gateway of a whole running system: batched intake, and single durable requests."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from statistics import median

from messaging.vocabulary.events import Record
from scripts.bench_bare import bare_server
from scripts.bench_ceilings import Ceilings, ceilings
from scripts.bench_load import Load, Outcome, loaded
from scripts.bench_measure import RUNS, Pair, Row, Say, row_of, shown
from scripts.bench_mix import Mix, call_records
from scripts.bench_system import Meter, Running

BATCH_EVENTS = 100
BATCH_CONNECTIONS = 8
BATCH_REQUESTS = 300
SINGLE_CONNECTIONS = 64
SINGLE_REQUESTS = 8_000
CEILING_EVENTS = 20_000
INTAKE_GOAL = 0.3
SINGLE_GOAL = 0.35
QUIET_SECONDS = 120.0
"""What the bots may take to catch up between two runs."""


async def measure_intake(system: Running, say: Say, runs: int = RUNS) -> list[Row]:
    """Return the row `intake`: batches of 100 on 8 connections, against plain inserts."""
    pairs: list[Pair] = []
    outcomes: list[Outcome] = []
    sizes: list[int] = []
    used = ""
    async with ceilings(system.wiring.mongo_url) as ceiling:
        for number in range(1, runs + 1):
            say(f"intake: run {number} of {runs}, the ceiling")
            best, size = await _best_insert(ceiling, number)
            say(f"intake: run {number} of {runs}, the gateway")
            meter = Meter(system)
            outcome = await loaded(_batches(system))
            _check(outcome)
            pairs.append(Pair(outcome.events / outcome.seconds, best))
            outcomes.append(outcome)
            sizes.append(size)
            say(f"intake: run {number} of {runs}, the bots catch up")
            await system.quiet(QUIET_SECONDS)
            used = meter.used(outcome.events)
    row = row_of("intake", "events/s", pairs, against="insert_many", goal=INTAKE_GOAL)
    row.notes.append(used)
    row.notes.append(
        f"{BATCH_EVENTS} events a request, {BATCH_CONNECTIONS} connections, bots at work; "
        f"{_latency(outcomes)}; ceiling at its best batch sizes {sorted(set(sizes))}"
    )
    return [row]


async def measure_single(system: Running, say: Say, runs: int = RUNS) -> list[Row]:
    """Return the row `single`: one event a request on 64 connections, against the bare handler."""
    pairs: list[Pair] = []
    outcomes: list[Outcome] = []
    bare: list[Outcome] = []
    used = ""
    async with bare_server() as port:
        for number in range(1, runs + 1):
            say(f"single: run {number} of {runs}, the bare handler")
            peer = await loaded(_singles(port, system.write_key))
            say(f"single: run {number} of {runs}, the gateway")
            meter = Meter(system)
            outcome = await loaded(_singles(_port(system), system.write_key))
            _check(outcome)
            pairs.append(Pair(outcome.events / outcome.seconds, peer.events / peer.seconds))
            outcomes.append(outcome)
            bare.append(peer)
            say(f"single: run {number} of {runs}, the bots catch up")
            await system.quiet(QUIET_SECONDS)
            used = meter.used(outcome.events)
    row = row_of("single", "requests/s", pairs, against="bare handler", goal=SINGLE_GOAL)
    row.notes.append(used)
    row.notes.append(
        f"{SINGLE_CONNECTIONS} connections, bots at work; {_latency(outcomes)}; "
        f"bare {_latency(bare)}"
    )
    return [row]


async def _best_insert(ceiling: Ceilings, seed: int) -> tuple[float, int]:
    records: list[Record] = list(call_records(Mix(seed), CEILING_EVENTS, datetime.now(UTC)))
    rates = await ceiling.insert_many(records)
    size = max(rates, key=lambda each: rates[each])
    return rates[size], size


def _batches(system: Running) -> Load:
    return Load(
        port=_port(system),
        write_key=system.write_key,
        connections=BATCH_CONNECTIONS,
        requests=BATCH_REQUESTS,
        events=BATCH_EVENTS,
        seed=_fresh_seed(),
    )


def _singles(port: int, write_key: str) -> Load:
    return Load(
        port=port,
        write_key=write_key,
        connections=SINGLE_CONNECTIONS,
        requests=SINGLE_REQUESTS,
        events=1,
        seed=_fresh_seed(),
    )


def _port(system: Running) -> int:
    return int(system.url.rpartition(":")[2])


def _fresh_seed() -> int:
    """Return a seed that no run before had: message ids must be new ones."""
    return random.randrange(1 << 40)  # noqa: S311 - traffic, not a secret


def _check(outcome: Outcome) -> None:
    if outcome.failed:
        raise RuntimeError(f"{outcome.failed} requests were not taken")


def _latency(outcomes: list[Outcome]) -> str:
    again = sum(outcome.again for outcome in outcomes)
    half = median(outcome.p50_ms for outcome in outcomes)
    most = median(outcome.p99_ms for outcome in outcomes)
    late = f", {again} sent again" if again else ""
    return f"p50 {shown(half)} ms, p99 {shown(most)} ms{late}"
