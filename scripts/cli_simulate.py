"""`mdma simulate`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from scripts.client import json_option, tell
from scripts.folder import Refused
from scripts.visible import say

VISITORS_MAX = 50_000
DAYS_MAX = 730
BAR = 30
REDRAWN = 0.01
"""Share after which the bar is drawn anew."""


@click.command(
    short_help="Rules against learning on a synthetic audience.",
    epilog="Example: mdma simulate --visitors 2000 --days 60 --seed 1",
)
@click.argument(
    "folder",
    metavar="[DIR]",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=False,
)
@click.option(
    "--visitors", metavar="N", type=click.IntRange(2, VISITORS_MAX), default=2000, show_default=True
)
@click.option(
    "--days", metavar="D", type=click.IntRange(1, DAYS_MAX), default=60, show_default=True
)
@click.option("--seed", metavar="S", type=int, default=1, show_default=True, help="Who lives.")
@click.option(
    "--holdout",
    metavar="SHARE",
    type=click.FloatRange(0.0, 0.5),
    show_default="as in the settings, else 0.05",
    help="Share of people who get the rules also where there is learning.",
)
@json_option
def simulate(
    folder: Path | None,
    visitors: int,
    days: int,
    seed: int,
    holdout: float | None,
    as_json: bool,
) -> None:
    """Show what learning would add to the rules in DIR (the shipped routine), before anyone gets a mail.

    All bots live with made-up people on a clock that jumps: once by the rules alone, once with learning. Nothing is
    sent and nothing is stored. The people are synthetic: the lift says what learning can do, not what yours will.
    The same seed gives the same bytes.
    """
    from agents.runtime.garbage import collect_seldom
    from config.load import DEFAULTS, RulesInvalid, compile_folder
    from scripts.simulation import Setting, compare, told

    looked_at = folder or DEFAULTS
    try:
        rules = compile_folder(looked_at, 1)
    except RulesInvalid as error:
        first = error.errors[0]
        raise Refused(f"{first} (mdma rules validate {looked_at} names all errors)") from None
    share = _holdout() if holdout is None else holdout
    collect_seldom()
    bar = _Bar()
    facts = compare(rules, Setting(visitors, days, seed, share), bar.show)
    bar.clear()
    if as_json:
        tell(facts, "", as_json=True)
        return
    for line in told(facts).splitlines():
        say(line)


def _holdout() -> float:
    from config.settings import SettingsInvalid, read_settings

    try:
        return read_settings().holdout
    except SettingsInvalid as error:
        raise click.UsageError(str(error)) from None


class _Bar:
    """Draw how far both arms are, on a terminal only."""

    def __init__(self) -> None:
        self._drawn = ("", -1.0)
        self._shows = sys.stderr.isatty()

    def show(self, arm: str, share: float) -> None:
        """Draw one arm's share done, if it is worth drawing."""
        if not self._shows or (arm == self._drawn[0] and share < self._drawn[1] + REDRAWN):
            return
        self._drawn = (arm, share)
        full = round(BAR * min(1.0, share))
        text = f"{arm:8} [{'#' * full}{'.' * (BAR - full)}] {min(1.0, share):4.0%}"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line to what comes."""
        if self._shows:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
