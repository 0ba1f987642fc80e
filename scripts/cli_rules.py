"""`mdma rules validate | push | pull`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click

from scripts.client import data_option, opened_store
from scripts.counting import counted
from scripts.folder import Refused

folder_type = click.Path(path_type=Path, exists=True, file_okay=False)


@click.group(
    short_help="Check the rules' files, make versions, write them out.",
    epilog="Example: mdma rules validate my-rules",
)
def rules() -> None:
    """Check the marketer's files, make versions of them, write versions out."""


@rules.command(epilog="Example: mdma rules validate my-rules")
@click.argument("folder", metavar="[DIR]", type=folder_type, required=False)
def validate(folder: Path | None) -> None:
    """Check files; each error with file:line. Without DIR: the shipped routine."""
    from config.load import DEFAULTS, validate_folder

    errors = validate_folder(folder or DEFAULTS)
    for error in errors:
        click.echo(str(error), err=True)
    if errors:
        raise Refused(f"{counted(len(errors), 'errors')} in {folder or DEFAULTS}")
    click.echo(f"{folder or DEFAULTS}: no errors")


@rules.command(epilog="Example: mdma rules push my-rules --publish")
@click.argument("folder", metavar="DIR", type=folder_type)
@click.option("--publish", "publishes", is_flag=True, help="Let visitors enter by it at once.")
@data_option
def push(folder: Path, publishes: bool, data: Path) -> None:
    """Make a version of a folder's files."""
    from config.load import RulesInvalid

    try:
        version, is_new = asyncio.run(_push(folder, publishes=publishes, data=data))
    except RulesInvalid as error:
        for each in error.errors:
            click.echo(str(each), err=True)
        raise Refused(
            f"{counted(len(error.errors), 'errors')} in {folder}: nothing was pushed"
        ) from None
    said = "" if is_new else " (the same files as before)"
    click.echo(f"version {version}{said}" + (", published" if publishes else ""))


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
@data_option
def pull(folder: Path, version: int | None, data: Path) -> None:
    """Write a version's files out, byte for byte."""
    count, number = asyncio.run(_pull(folder, version, data))
    click.echo(f"version {number}: {counted(count, 'files')} in {folder}")


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
