"""`mdma rules list | impact | publish`: which versions there are, what a publication means, and publish one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from scripts.client import data_option, json_option, opened_store, tell
from scripts.counting import counted
from scripts.folder import Refused

STAY = "stay"
RUNS = (STAY, "migrate", "exit")
LOOK_SECONDS = 0.5
BEGINS_LOOKS_MAX = 20

version_argument = click.argument("version", metavar="N", type=click.IntRange(min=1))


@click.command("list", epilog="Example: mdma rules list")
@json_option
@data_option
def list_(data: Path, as_json: bool) -> None:
    """List what was published: which version, when, by whom, and what became of the runs under way."""
    found = asyncio.run(_publications(data))
    facts = [{**each, "at": each["at"].isoformat()} for each in found]
    lines = [_published_line(each) for each in found] or ["nothing was published yet"]
    tell({"publications": facts}, "\n".join(lines), as_json=as_json)


async def _publications(data: Path) -> list[dict[str, Any]]:
    from scripts.rules import publications

    async with opened_store(data) as store:
        return await publications(store)


def _published_line(each: dict[str, Any]) -> str:
    from messaging.gateway.console.publications import decided
    from scripts.impact import came_of, in_all

    decided_so = decided(in_all(each["impact"], each["runs"]))
    said = f"; decided for the runs under way: {decided_so}" if decided_so else ""
    said += f"; what came of it: {came}" if (came := came_of(each)) else ""
    return f"version {each['version']}, {each['at']:%Y-%m-%d %H:%M} UTC, by {each['by']}{said}"


@click.command(epilog="Example: mdma rules impact 3")
@version_argument
@json_option
@data_option
def impact(version: int, data: Path, as_json: bool) -> None:
    """Say who stands where by other versions, whether version N has a place for them, and how many enter at once.

    Nothing is changed.
    """
    groups, entering = asyncio.run(_impact(version, data))
    facts = {"version": version, "groups": groups, "entering": entering}
    lines = [*_lines(groups, version), *_entering_lines(entering)]
    tell(facts, "\n".join(lines), as_json=as_json)


async def _impact(version: int, data: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    import msgspec

    from scripts.entering import entering
    from scripts.impact import impact as impact_of

    async with opened_store(data) as store:
        try:
            groups = [
                {"group": each.name, **msgspec.to_builtins(each), "choices": each.choices}
                for each in await impact_of(store, version)
            ]
            found = await entering(store, version)
            return groups, list(msgspec.to_builtins(found))
        except KeyError:
            raise Refused(f"there is no version {version}: see mdma rules list") from None


def _entering_lines(found: list[dict[str, Any]]) -> list[str]:
    from scripts.entering import Entering, said

    return [said(Entering(**each)) for each in found]


def _lines(groups: list[dict[str, Any]], version: int) -> list[str]:
    """Return what a publication would mean, in words.

    >>> _lines([], 2)
    ['nobody is on a path by another version than 2']
    """
    if not groups:
        return [f"nobody is on a path by another version than {version}"]
    return [f"{_stands(each)}; {_can(each, version)}" for each in groups]


def _stands(each: dict[str, Any]) -> str:
    """Return who stands at a place."""
    place = f"{each['path']}/{each['version']}/{each['stage']}"
    return f"{place}: {counted(each['runs'], 'runs')} under way, {each['waiting']:,} with a person"


def _can(each: dict[str, Any], version: int) -> str:
    """Return what may become of a group."""
    if each["has_place"]:
        return "can go over"
    return f"cannot go over: version {version} has {each['why_not']}"


def _read_groups(ctx: click.Context, _: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Read what is chosen for groups. Raise UsageError for what chooses nothing."""
    found = {}
    for each in given:
        name, _sign, choice = each.partition("=")
        if choice not in RUNS:
            raise click.UsageError(
                f"{each} chooses nothing: write a group as `mdma rules impact` names it, then "
                f"={' or ='.join(RUNS)}",
                ctx,
            )
        found[name] = choice
    return found


def choices_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what becomes of the runs under way: to all that publishes."""
    runs = click.option(
        "--runs",
        type=click.Choice(RUNS),
        default=STAY,
        help="What becomes of who is on a path by another version (stay).",
    )
    group = click.option(
        "--group",
        "groups",
        metavar="PATH/VERSION/STAGE=CHOICE",
        multiple=True,
        callback=_read_groups,
        help="What becomes of who stands at one stage, where that is something else; may be given again.",
    )
    return runs(group(command))


@click.command(
    epilog="Example: mdma rules publish 3 --runs migrate --group lead-to-customer/2/cart=stay"
)
@version_argument
@choices_options
@json_option
@data_option
def publish(version: int, runs: str, groups: dict[str, str], data: Path, as_json: bool) -> None:
    """Let visitors enter paths by version N from now on; an older one rolls back.

    Who is on a path stays on the version by which they entered. With `--runs migrate` they go over to this one where it
    has their stage, attempts and waits included; with `--runs exit` they leave their path, and
    only an e-mail that was asked for already still goes out. `--group` chooses for those at one stage by one version.
    """
    row = asyncio.run(_publish(version, runs, groups, data))
    lines = [f"version {version} is published"]
    lines += asyncio.run(_filling(data, watch=sys.stdout.isatty() and not as_json))
    lines += moved_lines(row)
    facts = {"version": version, "runs": runs, "groups": row["impact"]}
    tell(facts, "\n".join(lines), as_json=as_json)


def moved_lines(row: dict[str, Any]) -> list[str]:
    """Return what a publication means for the runs under way."""
    from agents.runtime.mover import moves_any
    from scripts.impact import said_of

    version, groups = row["version"], row["impact"]
    if moves_any(row):
        return [
            *(f"{_stands(each)}; {said_of(each, row)}" for each in groups),
            "they are being moved: it goes on by itself" if groups else "nobody is moved",
        ]
    if not groups:
        return []
    staying = counted(sum(each["runs"] for each in groups), "runs")
    said = f"{staying} under way stay by older versions, which this one's cohorts move"
    return [f"{said}: see `mdma rules impact {version}`"]


async def _filling(data: Path, *, watch: bool) -> list[str]:
    """Return how far the back-filling has come; `watch`: once it is done, with a bar meanwhile."""
    from agents.rules.flow import named
    from agents.runtime.filler import UNDER_WAY, filling_of, percent
    from scripts.cli_status import OF_PATHS

    async with opened_store(data) as store:
        for _ in range(BEGINS_LOOKS_MAX):  # it is looked for every few seconds
            job = await filling_of(store)
            if job is not None:
                break
            await asyncio.sleep(LOOK_SECONDS)
        if job is not None and job["status"] == UNDER_WAY and watch:
            with click.progressbar(length=100, label="back-filling its cohorts") as bar:
                while job is not None and job["status"] == UNDER_WAY:
                    bar.update(percent(job) - bar.pos)
                    await asyncio.sleep(LOOK_SECONDS)
                    job = await filling_of(store)
                bar.update(100 - bar.pos)
    if job is None or job["status"] == UNDER_WAY:
        return ["cohorts that are other ones are being back-filled: see mdma status"]
    if not job["cohorts"]:
        return ["no cohort is another one"]
    return [f"back-filled and exact: {', '.join(named(job['cohorts'])) or OF_PATHS}"]


async def _publish(version: int, runs: str, groups: dict[str, str], data: Path) -> dict[str, Any]:
    async with opened_store(data) as store:
        try:
            return await publish_in(store, version, runs, groups)
        except KeyError:
            raise Refused(f"there is no version {version}: see mdma rules list") from None


async def publish_in(
    store: Any, version: int, runs: str, groups: dict[str, str], made: str = "nothing was published"
) -> dict[str, Any]:
    """Publish a version as the command line; return what is kept of it.

    Raise KeyError for a version that there is not, and Refused, with what was `made` until then, where what is chosen
    cannot become of the runs under way, or nothing is chosen and it is published already.
    """
    from messaging.store.audit_log import CLI
    from scripts.impact import ImpossibleError
    from scripts.rules import PublishedAlreadyError, publish_noted

    now = datetime.now(UTC)
    try:
        return await publish_noted(store, version, at=now, by=CLI, runs=runs, groups=groups)
    except (ImpossibleError, PublishedAlreadyError) as error:
        raise Refused(f"{made}: {error}") from None
