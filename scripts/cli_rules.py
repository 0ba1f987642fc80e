"""`mdma rules validate | push | pull`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.client import data_option, json_option, opened_store, tell
from scripts.counting import counted
from scripts.folder import Refused
from scripts.visible import say

if TYPE_CHECKING:
    from messaging.vocabulary.errors import RuleError

folder_type = click.Path(path_type=Path, exists=True, file_okay=False)


@click.group(
    short_help="Check the rules' files, make versions, write them out.",
    epilog="Example: mdma rules validate my-rules",
)
def rules() -> None:
    """Check the marketer's files, make versions of them, write versions out."""


@rules.command(epilog="Example: mdma rules validate my-rules")
@click.argument("folder", metavar="[DIR]", type=folder_type, required=False)
@json_option
def validate(folder: Path | None, as_json: bool) -> int:
    """Check files; each error with file:line. Without DIR: the shipped routine.

    Exit code 1 if there are errors.
    """
    from config.load import DEFAULTS, validate_folder

    looked_at = folder or DEFAULTS
    errors = validate_folder(looked_at)
    if errors:
        return _tell_errors(errors, f"in {looked_at}", as_json=as_json)
    tell({"folder": str(looked_at), "errors": []}, f"{looked_at}: no errors", as_json=as_json)
    return 0


def _tell_errors(errors: list[RuleError], where: str, *, as_json: bool) -> int:
    """Name each error and return the exit code; raise Refused with their number for people."""
    if as_json:
        facts = [
            {"file": e.file, "line": e.line, "problem": e.problem, "hint": e.hint} for e in errors
        ]
        tell({"errors": facts}, "", as_json=True)
        return 1
    for error in errors:
        say(str(error), err=True)
    raise Refused(f"{counted(len(errors), 'errors')} {where}")


@rules.command(epilog="Example: mdma rules push my-rules --publish")
@click.argument("folder", metavar="DIR", type=folder_type)
@click.option("--publish", "publishes", is_flag=True, help="Let visitors enter by it at once.")
@json_option
@data_option
def push(folder: Path, publishes: bool, data: Path, as_json: bool) -> int:
    """Make a version of a folder's files."""
    from config.load import RulesInvalid

    try:
        version, is_new = asyncio.run(_push(folder, publishes=publishes, data=data))
    except RulesInvalid as error:
        return _tell_errors(error.errors, f"in {folder}: nothing was pushed", as_json=as_json)
    said = "" if is_new else " (the same files as before)"
    facts = {"version": version, "new": is_new, "published": publishes}
    tell(facts, f"version {version}{said}" + (", published" if publishes else ""), as_json=as_json)
    return 0


async def _push(folder: Path, *, publishes: bool, data: Path) -> tuple[int, bool]:
    from scripts.rules import publish
    from scripts.rules import push as push_version

    now = datetime.now(UTC)
    async with opened_store(data) as store:
        version, is_new = await push_version(store, folder, at=now, by="rules push")
        if publishes:
            await publish(store, version, at=now, by="rules push")
        return version, is_new


@rules.command(epilog="Example: mdma rules pull my-rules --version 3")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--version", metavar="N", type=int, help="Which one (the published one).")
@json_option
@data_option
def pull(folder: Path, version: int | None, data: Path, as_json: bool) -> None:
    """Write a version's files out, byte for byte."""
    count, number = asyncio.run(_pull(folder, version, data))
    facts = {"version": number, "files": count, "folder": str(folder)}
    tell(facts, f"version {number}: {counted(count, 'files')} in {folder}", as_json=as_json)


async def _pull(folder: Path, version: int | None, data: Path) -> tuple[int, int]:
    from config.load import write_folder
    from scripts.rules import files_of, published

    async with opened_store(data) as store:
        number = version if version is not None else await published(store)
        files = await files_of(store, number)
    if files is None:
        raise Refused(f"there is no version {number}")
    write_folder(folder, files)
    return len(files), number
