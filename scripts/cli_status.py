"""`mdma status`, `stop`, `pause` and `resume`."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from scripts.client import Api, data_option, json_option, running, tell
from scripts.counting import counted
from scripts.folder import Refused, read_run
from scripts.visible import say
from scripts.worth import back_said, revenue_said, unread_said

STOP_SECONDS_MAX = 90.0
COLUMNS = {
    "events/s": ("rate", 1),
    "lag s": ("lag_seconds", 1),
    "batch": ("batch_size", 0),
    "commit ms": ("commit_ms", 1),
    "visitors": ("visitors_in_memory", 0),
    "restarts": ("restarts", 0),
}
"""Title -> the number it shows, and with how many decimals."""
WIDTH = 11

OF_PATHS = "what its paths ask"
"""Stands where a back-filling concerns no cohort that a marketer wrote."""


@click.command(epilog="Example: mdma status")
@json_option
@data_option
def status(data: Path, as_json: bool) -> None:
    """Show what runs, with rate and lag of each bot, and what came of it so far."""
    run = running(data)
    stats = Api(data).get("/api/v1/stats")
    if as_json:
        click.echo(json.dumps({"run": run, **stats}, indent=1))
        return
    parts: dict[str, dict[str, float]] = stats.pop("parts", {})
    clock = parts.pop("clock-1", None)
    demo = parts.pop("demo-1", None)
    say(f"{run['url']}   process {run['pid']}, code {run['code']}")
    if run.get("draining"):
        say("it drains and stops")
    if clock is not None:
        world = datetime.fromtimestamp(clock["world_seconds"], UTC)
        say(f"world time {world:%Y-%m-%d %H:%M} UTC, {times(clock['speed_reached'])} x as fast")
    if demo is not None:
        say(f"demo: {played(demo)}")
    say("")
    for line in table(parts).split("\n"):
        say(line)
    say("")
    for name, value in totals(stats):
        say(f"{name:9} {value}")


def times(speed: float) -> str:
    """Return how many times as fast as time itself.

    >>> times(0.98), times(1800.4)
    ('1.0', '1,800')
    """
    return f"{speed:,.0f}" if speed >= 10.0 else f"{speed:.1f}"


def played(demo: dict[str, float]) -> str:
    """Return how a demo fares.

    >>> played({"people": 65.0, "acts_total": 812.0, "rows_taken": 8.0, "rows_of": 11.0})
    '8 of 11 rows of the routine taken, no sale yet; 65 people, who did 812 things'
    """
    seconds = demo.get("first_sale_seconds")
    sale = "no sale yet" if seconds is None else f"first sale after {seconds:.0f} s"
    return (
        f"{demo['rows_taken']:.0f} of {demo['rows_of']:.0f} rows of the routine taken, {sale}; "
        f"{demo['people']:,.0f} people, who did {demo['acts_total']:,.0f} things"
    )


def table(parts: dict[str, dict[str, float]]) -> str:
    """Return how each bot fares, a line for each.

    >>> print(table({"rules-0": {"rate": 2.0, "restarts": 1.0}}))
                   events/s      lag s      batch  commit ms   visitors   restarts
    rules-0             2.0          -          -          -          -          1
    >>> table({"rules-0": {"up": 0.0, "lag_seconds": 4.2}}).splitlines()[1]
    'rules-0     away for 4 s, is being started again'
    """
    lines = ["".join([" " * 12, *(f"{title:>{WIDTH}}" for title in COLUMNS)])]
    for name, numbers in sorted(parts.items()):
        if not numbers.get("up", 1.0):
            since = f"for {numbers['lag_seconds']:.0f} s" if "lag_seconds" in numbers else "still"
            lines.append(f"{name:12}away {since}, is being started again")
            continue
        cells = (_cell(numbers.get(key), places) for key, places in COLUMNS.values())
        lines.append("".join([f"{name:12}", *cells]))
    return "\n".join(lines)


def _cell(value: Any, places: int) -> str:
    return f"{'-':>{WIDTH}}" if value is None else f"{value:>{WIDTH},.{places}f}"


def totals(stats: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Return what came of it all so far, as names and words."""
    gateway = stats.get("gateway", {})
    yield "runs", _counted(stats["runs"]) or "none yet"
    yield "e-mails", _counted(stats["sends"]) or "none yet"
    if waits := stats.get("mail_waits"):
        yield "mail", waits
    yield "on site", _counted(stats.get("engagements", {})) or "nothing offered yet"
    yield "orders", _orders(stats)
    wait = "waits" if stats["alerts_open"] == 1 else "wait"
    yield "alerts", f"{stats['alerts_open']:,} {wait} for a person, {stats['alerts']:,} in all"
    if tests := _counted(stats.get("experiments", {})):
        alarm = stats["experiments"].get("alarm")
        yield "tests", f"{tests}{' (see `mdma experiments`)' if alarm else ''}"
    if undelivered := _counted(stats.get("notices", {})):
        yield "notices", f"{undelivered}: not told yet, or perhaps not (GET /api/v1/notices)"
    if filling := stats.get("filling"):
        yield "cohorts", filling_said(filling)
    if paused := stats.get("paused"):
        yield "paused", f"{paths_said(paused)}: nothing is handed over until `mdma resume`"
    if stats["quarantined"]:
        aside = counted(stats["quarantined"], "messages that could not be taken")
        yield "set aside", f"{aside} (see `mdma quarantine`)"
    events, calls = gateway.get("waiting_events", 0), gateway.get("replay_waiting", 0)
    yield (
        "waiting",
        f"{counted(events, 'events')} for the journal, {counted(calls, 'calls')} of a replay",
    )


def filling_said(filling: dict[str, Any]) -> str:
    """Return how far a back-filling has come.

    >>> filling = {"version": 3, "percent": 42, "cohorts": ["big"]}
    >>> filling_said({**filling, "done": {"behavior-0": 420}, "of": {"behavior-0": 1000}})
    'version 3 back-fills 42 % (420 of 1,000 visitors): big'
    """
    done, whole = sum(filling["done"].values()), sum(filling["of"].values())
    count = f"{filling['percent']} % ({done:,} of {whole:,} visitors)"
    cohorts = ", ".join(filling["cohorts"]) or OF_PATHS
    return f"version {filling['version']} back-fills {count}: {cohorts}"


def _orders(stats: dict[str, Any]) -> str:
    sales = stats.get("sales")
    if not stats["orders"]:
        return "none yet"
    if not sales:
        return f"{stats['orders']:,}"
    back = f", {back_said(sales)} given back" if back_said(sales) else ""
    unread = f"; {unread_said(sales)}" if unread_said(sales) else ""
    return f"{stats['orders']:,} worth {revenue_said(sales)}{back}{unread}"


def paths_said(paused: str | list[str]) -> str:
    """Return what is paused in words.

    >>> paths_said("all"), paths_said(["leads", "stock"])
    ('all paths', 'leads, stock')
    """
    return "all paths" if paused == "all" else ", ".join(paused)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


@click.command(epilog="Example: mdma stop")
@json_option
@data_option
def stop(data: Path, as_json: bool) -> None:
    """Drain and stop; return when it is done."""
    run = running(data)
    os.kill(run["pid"], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while read_run(data.resolve()) is not None:
        if time.monotonic() > deadline:
            raise Refused(f"process {run['pid']} still drains: look at its console")
        time.sleep(0.1)
    tell({"stopped": True, "pid": run["pid"]}, "stopped", as_json=as_json)


@click.command(epilog="Example: mdma pause --path lead-to-customer")
@click.option("--path", metavar="P", default="", help="Only this path's hand-overs.")
@json_option
@data_option
def pause(data: Path, path: str, as_json: bool) -> None:
    """Hold every hand-over within a second; nothing is lost."""
    _hold(data, "pause", path, as_json=as_json)


@click.command(epilog="Example: mdma resume")
@click.option("--path", metavar="P", default="", help="Only this path's hand-overs.")
@json_option
@data_option
def resume(data: Path, path: str, as_json: bool) -> None:
    """Go on with hand-overs."""
    _hold(data, "resume", path, as_json=as_json)


def _hold(data: Path, order: str, path: str, *, as_json: bool) -> None:
    answer = Api(data).post(f"/api/v1/{order}", json.dumps({"path": path}).encode())
    paused = answer["paused"]
    tell(
        {"paused": paused},
        f"paused: {paths_said(paused)}" if paused else "nothing is paused",
        as_json=as_json,
    )
