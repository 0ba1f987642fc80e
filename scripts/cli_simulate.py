"""`mdma simulate`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from scripts.client import data_option, json_option, opened_store, tell, wiring_in_use
from scripts.counting import counted
from scripts.folder import Refused
from scripts.visible import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from learning.audience.people import Profile
    from messaging.ports import Store
    from scripts.simulation import Files, Request

VISITORS_MIN, VISITORS_MAX = 2, 50_000
VISITORS_MADE_UP = 2_000
SYNTHETIC, REAL = PROFILES = ("synthetic", "real")
WORLDS = ("default", "alike")
DAYS_MAX, SEEDS_MAX = 730, 50
BAR = 30
REDRAWN = 0.01
"""Share after which the bar is drawn anew."""


@click.command(
    short_help="Rules against learning on a synthetic audience.",
    epilog="Example: mdma simulate --visitors 2000 --days 60 --seed 1\n\n"
    "Example: mdma simulate --draft 3 --profiles real",
)
@click.argument(
    "folder",
    metavar="[DIR]",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=False,
)
@click.option(
    "--visitors",
    metavar="N",
    type=click.IntRange(VISITORS_MIN, VISITORS_MAX),
    show_default=f"{VISITORS_MADE_UP}, real ones: all",
)
@click.option(
    "--days", metavar="D", type=click.IntRange(1, DAYS_MAX), default=60, show_default=True
)
@click.option("--seed", metavar="S", type=int, default=1, show_default=True, help="Who lives.")
@click.option(
    "--seeds",
    metavar="N",
    type=click.IntRange(1, SEEDS_MAX),
    default=1,
    show_default=True,
    help="So many audiences, from that seed on: intervals then cover other tastes.",
)
@click.option(
    "--draft",
    metavar="V",
    type=click.IntRange(1),
    help="Version of the rules in the system, published or not, instead of DIR.",
)
@click.option(
    "--profiles",
    type=click.Choice(PROFILES),
    default=SYNTHETIC,
    show_default=True,
    help="Who they are: made up, or known as the system's leads are (traits, zone, consent, how often they come).",
)
@click.option(
    "--world",
    type=click.Choice(WORLDS),
    default=WORLDS[0],
    show_default=True,
    help="How people are: as published tables have it, or with nothing to learn (no e-mail, no hour is better).",
)
@click.option(
    "--holdout",
    metavar="SHARE",
    type=click.FloatRange(0.0, 0.5),
    show_default="as in the system asked, else the settings",
    help="Share of people who get the rules also where there is learning.",
)
@click.option(
    "--social/--no-social",
    default=None,
    show_default="as in the system asked, else the settings",
    help="Whether Social looks people up: made-up ones on a made-up web, real leads as it found them.",
)
@json_option
@data_option
def simulate(*, as_json: bool, **given: Any) -> None:
    """Show what learning would add to rules before anyone gets a mail: those in DIR, or of a version in the system.

    Without either: the shipped routine, or what is published where the profiles are real. Where a version is published
    and another one is named, the published one lives beside it.

    Holdout, consent and Social are as in the system that runs where a version or leads of it are asked for, else as in
    the settings here.

    All bots live with made-up people on a clock that jumps: once by the rules alone, once with learning. Nothing is
    sent and nothing is stored. What people do is synthetic, also where their profiles are real: the lift says what
    learning can do, not what yours will. The same seed gives the same bytes.
    """
    from agents.runtime.garbage import collect_seldom
    from scripts.simulation import simulate as simulated
    from scripts.simulation_told import told

    asked = Asked(**given)
    if asked.folder is not None and asked.draft is not None:
        raise click.UsageError("name a folder or a --draft, not both")
    request = asyncio.run(_request(asked))
    collect_seldom()
    bar = _Bar()
    facts = _checked(asked, lambda: simulated(request, bar.show))
    bar.clear()
    if as_json:
        tell(facts, "", as_json=True)
        return
    for line in told(facts).splitlines():
        say(line)


class Asked(msgspec.Struct):
    """Hold what the command line asks for."""

    folder: Path | None
    visitors: int | None
    days: int
    seed: int
    seeds: int
    draft: int | None
    profiles: str
    world: str
    holdout: float | None
    social: bool | None
    data: Path

    @property
    def asks_system(self) -> bool:
        """Say whether the system that runs has to be asked for anything."""
        return self.draft is not None or self.profiles == REAL


async def _request(asked: Asked) -> Request:
    """Return what to simulate, with the rules and, where they are to be real, the profiles."""
    from scripts.simulation import Request

    setting = _in_force(asked)
    draft, beside, known = await _found(asked, setting)
    return Request(
        draft=draft,
        published=beside,
        visitors=asked.visitors or VISITORS_MADE_UP,
        days=asked.days,
        seed=asked.seed,
        seeds=asked.seeds,
        holdout=setting.holdout if asked.holdout is None else asked.holdout,
        consent=setting.consent,
        social=setting.social if asked.social is None else asked.social,
        profiles=asked.profiles,
        world=asked.world,
        known=known,
    )


class InForce(msgspec.Struct, frozen=True):
    """Hold the settings that people live by."""

    holdout: float
    consent: str
    social: bool


def _in_force(asked: Asked) -> InForce:
    """Return the settings of the system that runs where it is asked: `up` may have been given what no file says."""
    from config.settings import SettingsInvalid, read_settings

    if asked.asks_system:
        wiring = wiring_in_use(asked.data)
        return InForce(wiring.holdout, wiring.consent, "social" in wiring.shards)
    try:
        here = read_settings()
    except SettingsInvalid as error:
        raise click.UsageError(str(error)) from None
    return InForce(here.holdout, here.consent, here.social)


async def _found(asked: Asked, setting: InForce) -> tuple[Files, Files | None, list[Profile]]:
    """Return the draft, what is published beside it, and the profiles."""
    if not asked.asks_system:
        return _files_in(asked.folder), None, []
    async with opened_store(asked.data) as store:
        given = asked.folder is not None
        draft = _files_in(asked.folder) if given else await files_of_version(store, asked.draft)
        beside = await published_beside(store, draft)
        is_real = asked.profiles == REAL
        known = (
            await leads_of(store, asked.seed, asked.visitors, setting.consent) if is_real else []
        )
    return draft, beside, known


def _files_in(folder: Path | None) -> Files:
    from config.load import DEFAULTS, read_folder
    from messaging.vocabulary.errors import RuleError
    from scripts.simulation import Files

    try:
        return Files(0, read_folder(folder or DEFAULTS))
    except RuleError as error:
        raise Refused(str(error)) from None


def _checked(asked: Asked, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what the work comes to; name the first error of rules that cannot be compiled."""
    from config.load import DEFAULTS, RulesInvalid

    try:
        return work()
    except RulesInvalid as error:
        looked_at = asked.folder or DEFAULTS
        where = f" (mdma rules validate {looked_at} names all errors)" if not asked.draft else ""
        raise Refused(f"{error.errors[0]}{where}") from None


async def files_of_version(store: Store, draft: int | None) -> Files:
    """Return a version, the published one where none is named. Raise Refused where there is none."""
    from scripts.rules import published, version_of
    from scripts.simulation import Files

    number = draft or await published(store)
    found = await version_of(store, number)
    if found is None:
        raise Refused(
            f"there is no version {draft}: `mdma rules push DIR` makes one"
            if draft
            else "no version is published: name one with --draft, or a folder"
        )
    return Files(number, *found)


async def published_beside(store: Store, draft: Files) -> Files | None:
    """Return the published version; None where there is none, or where the draft is it."""
    from scripts.rules import published, version_of
    from scripts.simulation import Files

    number = await published(store)
    found = await version_of(store, number)
    return None if found is None or number == draft.version else Files(number, *found)


async def leads_of(store: Store, seed: int, visitors: int | None, consent: str) -> list[Profile]:
    """Return the profiles of so many leads, of all where no number is named. Raise Refused where there are too few."""
    from scripts.profiles import draw_profiles

    found = await draw_profiles(store, seed, visitors or VISITORS_MAX, consent)
    if len(found) < VISITORS_MIN:
        few = counted(len(found), "leads")
        raise Refused(f"the system knows {few} by address who have not bought: too few to simulate")
    return found


class _Bar:
    """Draw how far it is, on a terminal only."""

    def __init__(self) -> None:
        self._drawn = ("", -1.0)
        self._shows = sys.stderr.isatty()

    def show(self, arm: str, share: float) -> None:
        """Draw the share done and which arm lives now, if it is worth drawing."""
        if not self._shows or (arm == self._drawn[0] and share < self._drawn[1] + REDRAWN):
            return
        self._drawn = (arm, share)
        full = round(BAR * min(1.0, share))
        text = f"{arm:9} [{'#' * full}{'.' * (BAR - full)}] {min(1.0, share):4.0%}"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line to what comes."""
        if self._shows:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
