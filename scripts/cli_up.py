"""`mdma up`: read the settings, refuse what must not be, run the system."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

SPEED_HELP = "World seconds for each second, or max; the clock waits for what is due."


@click.command(epilog="Example: mdma up --speed max --clock-start 2017-06-01 --set bots.behavior=4")
@click.option("--demo", is_flag=True, help="With a shop and a made-up audience, in time-lapse.")
@click.option("--speed", metavar="X", help=SPEED_HELP)
@click.option("--clock-start", metavar="T", help="World time to start at, in an empty data folder.")
@click.option("--host", metavar="H", help="Address to listen at (127.0.0.1).")
@click.option(
    "--port", metavar="P", type=click.IntRange(0, 65535), help="Port (8080; 0: a free one)."
)
@click.option("--data", metavar="DIR", type=click.Path(path_type=Path), help="Data folder (.mdma).")
@click.option(
    "--config",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Rules to publish when the store is empty (the shipped routine).",
)
@click.option("--ray-address", metavar="A", help="A running Ray cluster (one is started here).")
@click.option(
    "--set", "assignments", metavar="NAME=VALUE", multiple=True, help="Any other setting."
)
def up(assignments: tuple[str, ...], *, demo: bool, **given: Any) -> None:
    """Run the system until Ctrl-C, then drain and stop all it started."""
    from config.settings import (
        SettingsInvalid,
        non_loopback_smtp,
        read_settings,
        web_look_ups,
    )
    from scripts.folder import Refused

    flags = {name: value for name, value in given.items() if value is not None}
    others = assigned(assignments)
    for twice in flags.keys() & others.keys():
        raise click.UsageError(f"{twice} is given twice: as a flag and by --set")
    try:
        settings = read_settings(**flags, **others)
    except SettingsInvalid as error:
        raise Refused(str(error), 2) from None
    forbidden = non_loopback_smtp(settings, demo=demo) or web_look_ups(settings, demo=demo)
    if forbidden:
        raise Refused(forbidden, 2)
    _run(settings, demo=demo)


def _run(settings: Any, *, demo: bool) -> None:
    import uvloop

    from scripts.demo import with_demo
    from scripts.logs import configure
    from scripts.system import System

    configure(settings.log)
    if demo:
        settings = with_demo(settings, datetime.now(UTC))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(System(settings, _say, demo=demo).run())


def _say(text: str) -> None:
    click.echo(text)


def assigned(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings that `--set` names.

    >>> assigned(("bots.behavior=4", "holdout=0.1"))
    {'bots': {'behavior': '4'}, 'holdout': '0.1'}
    """
    found: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set {assignment}: write it like bots.behavior=4")
        *groups, last = name.split(".")
        inner = found
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise click.UsageError(f"--set {assignment}: {group} has a value already")
        if last in inner:
            raise click.UsageError(f"--set {assignment}: {name} has a value already")
        inner[last] = value
    return found
