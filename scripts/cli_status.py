"""`mdma status`, `stop`, `pause` and `resume`."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from scripts.client import Api, data_option, running
from scripts.folder import Refused, read_run

STOP_SECONDS_MAX = 90.0
COLUMNS = ("rate", "lag_seconds", "batch_size", "commit_ms", "visitors_in_memory", "restarts")


@click.command(epilog="Example: mdma status --json")
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")
@data_option
def status(data: Path, as_json: bool) -> None:
    """Show what runs, with rate and lag of each bot."""
    run = running(data)
    stats = Api(data).get("/api/v1/stats")
    if as_json:
        click.echo(json.dumps({"run": run, **stats}, indent=1))
        return
    click.echo(f"{run['url']}  process {run['pid']}  code {run['code']}")
    parts: dict[str, dict[str, float]] = stats.get("parts", {})
    clock = parts.pop("clock-1", None)
    if clock is not None:
        world = datetime.fromtimestamp(clock["world_seconds"], UTC)
        click.echo(f"world {world:%Y-%m-%d %H:%M} UTC, speed reached {clock['speed_reached']:,.0f}")
    click.echo(f"{'':14}" + "".join(f"{name.removesuffix('_seconds'):>20}" for name in COLUMNS))
    for name, numbers in sorted(parts.items()):
        click.echo(f"{name:14}" + "".join(_cell(numbers.get(column)) for column in COLUMNS))
    gateway = stats.get("gateway", {})
    click.echo(
        f"gateway: {gateway.get('waiting_events', 0)} events wait for the journal, "
        f"{gateway.get('replay_waiting', 0)} calls for their time"
    )


def _cell(value: Any) -> str:
    return f"{'-':>20}" if value is None else f"{value:>20,.1f}"


@click.command(epilog="Example: mdma stop")
@data_option
def stop(data: Path) -> None:
    """Drain and stop; return when it is done."""
    run = running(data)
    os.kill(run["pid"], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while read_run(data.resolve()) is not None:
        if time.monotonic() > deadline:
            raise Refused(f"process {run['pid']} still drains: look at its console")
        time.sleep(0.1)
    click.echo("stopped")


@click.command(epilog="Example: mdma pause --path lead-to-customer")
@click.option("--path", metavar="P", default="", help="Only this path's hand-overs.")
@data_option
def pause(data: Path, path: str) -> None:
    """Hold every hand-over within a second; nothing is lost."""
    _hold(data, "pause", path)


@click.command(epilog="Example: mdma resume")
@click.option("--path", metavar="P", default="", help="Only this path's hand-overs.")
@data_option
def resume(data: Path, path: str) -> None:
    """Go on with hand-overs."""
    _hold(data, "resume", path)


def _hold(data: Path, order: str, path: str) -> None:
    answer = Api(data).post(f"/api/v1/{order}", json.dumps({"path": path}).encode())
    paused = answer["paused"]
    if not paused:
        click.echo("nothing is paused")
    else:
        click.echo("paused: " + ("all paths" if paused == "all" else ", ".join(paused)))
