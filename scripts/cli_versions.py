"""`mdma rules list | impact | publish`: which versions there are, what a publication means, and publish one."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from scripts.client import data_option, json_option, opened_store, tell
from scripts.counting import counted
from scripts.folder import Refused

RUNS = ("stay", "migrate", "exit")
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
    runs = {
        "stay": "",
        "migrate": "; runs under way went over to it",
        "exit": "; runs under way ended",
    }
    return f"version {each['version']}, {each['at']:%Y-%m-%d %H:%M} UTC, by {each['by']}{runs[each['runs']]}"


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
    from scripts.rules import impact as impact_of

    async with opened_store(data) as store:
        try:
            groups = msgspec.to_builtins(await impact_of(store, version))
            found = await entering(store, version)
            return list(groups), list(msgspec.to_builtins(found))
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
    return [
        f"{each['path']}, stage {each['stage']}, by version {each['version']}: "
        f"{counted(each['runs'], 'runs')} under way, {each['waiting']:,} with a person; "
        + (f"version {version} has " + ("this stage" if each["has_place"] else "no such stage"))
        for each in groups
    ]


@click.command(epilog="Example: mdma rules publish 3 --runs migrate")
@version_argument
@click.option(
    "--runs",
    type=click.Choice(RUNS),
    default="stay",
    help="What becomes of who is on a path by another version (stay).",
)
@json_option
@data_option
def publish(version: int, runs: str, data: Path, as_json: bool) -> None:
    """Let visitors enter paths by version N from now on; an older one rolls back.

    Who is on a path stays on the version by which they entered. With `--runs migrate` they go over to this one where it
    has their stage, attempts and waits included; with `--runs exit` they leave their path, and
    only an e-mail that was asked for already still goes out.
    """
    groups = asyncio.run(_publish(version, runs, data))
    lines = [f"version {version} is published"]
    lines += asyncio.run(_filling(data, watch=sys.stdout.isatty() and not as_json))
    if runs == "stay" and groups:
        staying = counted(sum(each["runs"] for each in groups), "runs")
        lines.append(
            f"{staying} under way stay by older versions, which this one's cohorts move: see"
            f" `mdma rules impact {version}`"
        )
    elif runs != "stay":
        lines += _lines(groups, version)
        lines.append("they are being moved: it goes on by itself" if groups else "nobody is moved")
    facts = {"version": version, "runs": runs, "groups": groups}
    tell(facts, "\n".join(lines), as_json=as_json)


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


async def _publish(version: int, runs: str, data: Path) -> list[dict[str, Any]]:
    from messaging.store.audit_log import Change, note
    from scripts.rules import publications
    from scripts.rules import publish as publish_version

    now = datetime.now(UTC)
    async with opened_store(data) as store:
        try:
            await publish_version(store, version, at=now, by="rules publish", runs=runs)
        except KeyError:
            raise Refused(f"there is no version {version}: see mdma rules list") from None
        said = "" if runs == "stay" else f"runs under way: {runs}"
        change = Change(by="cli", act="rules.published", of=f"version {version}", said=said)
        await note(store, change, now)
        return list((await publications(store))[0]["impact"])
