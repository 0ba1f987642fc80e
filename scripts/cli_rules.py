"""`mdma rules validate | schema | push | pull | diff | try`, and what `cli_versions` adds."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from scripts.cli_versions import (
    STAY,
    choices_options,
    impact,
    list_,
    moved_lines,
    publish,
    publish_in,
)
from scripts.client import Api, data_option, json_option, named, opened_store, tell, wiring_in_use
from scripts.counting import counted
from scripts.folder import Refused
from scripts.visible import readable, say

if TYPE_CHECKING:
    from agents.protocol.bot import View
    from agents.rules.compiled import CompiledRules
    from messaging.ports import Store
    from messaging.vocabulary.errors import RuleError
    from messaging.vocabulary.events import Record
    from scripts.rules_steps import Stepped
    from scripts.rules_try import Told

PERIODS = {"h": timedelta(hours=1), "d": timedelta(days=1)}
"""Unit -> how long it is."""

folder_type = click.Path(path_type=Path, exists=True, file_okay=False)


@click.group(
    short_help="Check the rules' files, make versions, write them out, compare.",
    epilog="Example: mdma rules validate my-rules",
)
def rules() -> None:
    """Check the marketer's files, make versions of them, write versions out, compare them."""


def _holding(action: str, said: str, done: str) -> None:
    """Add `mdma rules pause | resume | archive | unarchive`."""

    @rules.command(action, help=said, epilog=f"Example: mdma rules {action} lead-to-customer")
    @click.argument("path", metavar="PATH")
    @json_option
    @data_option
    def hold(path: str, data: Path, as_json: bool) -> None:
        api = Api(data)
        if action in ("pause", "resume"):
            body = json.dumps({"path": path}).encode()
            facts = {"paused": api.post(f"/api/v1/{action}", body)["paused"]}
        else:
            named = quote(path, safe="")
            facts = {"archived": api.post(f"/api/v1/paths/{named}/{action}", b"")["archived"]}
        tell(facts, f"{path} {done}", as_json=as_json)


_holding("pause", "Plan and send nothing on a path; what is due waits.", "is paused")
_holding("resume", "Go on with a path; what waited is planned within half an hour.", "goes on")
_holding("archive", "Let nobody onto a path any more; who is on it goes on.", "is archived")
_holding("unarchive", "Let people onto a path again.", "lets people in again")


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
        say(readable(str(error)), err=True)
    raise Refused(f"{counted(len(errors), 'errors')} {where}")


@rules.command(epilog="Example: mdma rules schema cohorts > cohorts.schema.json")
@click.argument("kind", metavar="KIND")
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind of file, for editors: they complete keys and show what they mean.

    KIND: cohorts, scores, senders, paths, templates or interactions.
    """
    from config.schemas import KINDS, schema_of

    if kind not in KINDS:
        raise click.UsageError(f"there is no kind {kind}: {', '.join(KINDS)}")
    click.echo(json.dumps(schema_of(kind), indent=1))


@rules.command(
    epilog="Example: mdma rules push my-rules --publish --group lead-to-customer/2/cart=migrate"
)
@click.argument("folder", metavar="DIR", type=folder_type)
@click.option(
    "--publish", "publishes", is_flag=True, help="Let visitors enter by it, within 20 seconds."
)
@choices_options
@json_option
@data_option
def push(
    folder: Path, publishes: bool, runs: str, groups: dict[str, str], data: Path, as_json: bool
) -> int:
    """Make a version of a folder's files.

    With `--publish`, `--runs` and `--group` choose what becomes of who is on a path, as in `mdma rules publish`: a
    group is named as `mdma rules impact` names it.
    """
    from config.load import RulesInvalid

    if not publishes and (runs != STAY or groups):
        raise click.UsageError("nobody is moved by a version that is not published: add --publish")
    try:
        version, is_new, row = asyncio.run(_push(folder, publishes, runs, groups, data))
    except RulesInvalid as error:
        return _tell_errors(error.errors, f"in {folder}: nothing was pushed", as_json=as_json)
    said = "" if is_new else " (the same files as before)"
    facts: dict[str, Any] = {"version": version, "new": is_new, "published": publishes}
    lines = [f"version {version}{said}" + (", published" if publishes else "")]
    if row is not None:
        facts |= {"runs": runs, "groups": row["impact"]}
        lines += moved_lines(row)
    tell(facts, "\n".join(lines), as_json=as_json)
    return 0


async def _push(
    folder: Path, publishes: bool, runs: str, groups: dict[str, str], data: Path
) -> tuple[int, bool, dict[str, Any] | None]:
    """Return the version, whether it is new, and what is kept of its publication."""
    from messaging.gateway.console.publications import saved_change
    from messaging.store.audit_log import CLI, note
    from scripts.rules import published
    from scripts.rules import push as push_version

    now = datetime.now(UTC)
    async with opened_store(data) as store:
        version, is_new = await push_version(store, folder, at=now, by=CLI)
        if is_new:
            await note(store, saved_change(version, by=CLI), now)
        is_same = not is_new and not groups and runs == STAY and await published(store) == version
        if not publishes or is_same:
            return version, is_new, None
        made = (
            f"version {version} was made, and not published" if is_new else "nothing was published"
        )
        return version, is_new, await publish_in(store, version, runs, groups, made)


@rules.command(epilog="Example: mdma rules pull my-rules --version 3")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--version", metavar="N", type=int, help="Which one (the published one).")
@json_option
@data_option
def pull(folder: Path, version: int | None, data: Path, as_json: bool) -> None:
    """Write a version's files out, byte for byte. Other rule files in the folder stay, and are named."""
    count, number, others = asyncio.run(_pull(folder, version, data))
    facts = {"version": number, "files": count, "folder": str(folder), "others": others}
    said = f"version {number}: {counted(count, 'files')} in {folder}"
    if others:
        said += f"\nnot of version {number}, but in a push of {folder}: {', '.join(others)}"
    tell(facts, said, as_json=as_json)


async def _pull(folder: Path, version: int | None, data: Path) -> tuple[int, int, list[str]]:
    from config.load import names_in, write_folder
    from scripts.rules import files_of, published

    async with opened_store(data) as store:
        number = version if version is not None else await published(store)
        files = await files_of(store, number)
    if files is None:
        raise Refused(f"there is no version {number}")
    write_folder(folder, files)
    return len(files), number, [name for name in names_in(folder) if name not in files]


@rules.command(epilog="Example: mdma rules diff 3 my-rules")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--text", "as_text", is_flag=True, help="Print the differing lines (unified diff).")
@json_option
@data_option
def diff(before: str, after: str, data: Path, *, as_text: bool, as_json: bool) -> int:
    """Say what changed from A to B, each the number of a version or a folder.

    Exit code 0 where nothing differs, 1 where something does. Write ./3 for a folder that is called 3.
    """
    from scripts.rules_diff import changes, sentence, unified

    old, new = asyncio.run(_both(before, after, data))
    found = changes(old, new)
    if as_json:
        facts = [{name: getattr(each, name) for name in each.__struct_fields__} for each in found]
        tell({"changes": facts, "text": unified(old, new)}, "", as_json=True)
    elif as_text:
        for line in unified(old, new).split("\n") if found else ():
            say(line)
    else:
        for change in found:
            say(sentence(change))
        say(counted(len(found), "differences") if found else "nothing differs")
    return 1 if found else 0


async def _both(before: str, after: str, data: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the files of two sides; a system is asked only where one of them is a version."""
    if not (before.isdecimal() or after.isdecimal()):
        return _side_folder(before), _side_folder(after)
    async with opened_store(data) as store:
        return await _side(store, before), await _side(store, after)


async def _side(store: Any, given: str) -> dict[str, str]:
    from scripts.rules import files_of

    if not given.isdecimal():
        return _side_folder(given)
    files = await files_of(store, int(given))
    if files is None:
        raise Refused(f"there is no version {given}")
    return files


def _side_folder(given: str) -> dict[str, str]:
    from config.load import read_folder

    folder = Path(given)
    if not folder.is_dir():
        raise click.UsageError(f"{given} is neither the number of a version nor a folder")
    return read_folder(folder)


def period(ctx: click.Context, _: click.Parameter, text: str) -> timedelta:
    """Read a length of time such as 30d or 12h. Raise UsageError for what is none."""
    number, unit = text[:-1], text[-1:]
    is_number = number.isascii() and number.isdigit() and 0 < len(number) <= 5 and int(number)
    if unit not in PERIODS or not is_number:
        raise click.UsageError(f"{text} is no length of time: write it like 30d or 12h", ctx)
    return int(number) * PERIODS[unit]


@rules.command(
    "try", epilog="Examples: mdma rules try my-rules --since 30d, mdma rules try --draft 3"
)
@click.argument("folder", metavar="[DIR]", type=folder_type, required=False)
@click.option(
    "--draft",
    "number",
    metavar="VERSION",
    type=click.IntRange(min=1),
    help="Try a version that was pushed, in the folder's stead.",
)
@click.option(
    "--since",
    metavar="TIME",
    default="30d",
    callback=period,
    help="How far to look back from the newest event (30d).",
)
@click.option(
    "--visitor",
    "id_",
    metavar="ID",
    callback=named,
    help="One visitor, step by step: visitor id, user id, anonymous id or e-mail address.",
)
@json_option
@data_option
def try_(
    folder: Path | None,
    number: int | None,
    since: timedelta,
    id_: str | None,
    data: Path,
    *,
    as_json: bool,
) -> int:
    """Show what a draft would have made of the journaled events, beside the published rules.

    Without DIR: the shipped routine. Nothing is sent and nothing is written. Who was only seen before that time counts
    as new when they come again, on both sides.
    """
    from config.load import DEFAULTS, RulesInvalid, compile_files, compile_folder
    from scripts.rules_steps import lines as step_lines
    from scripts.rules_try import DRAFT, lines

    if folder is not None and number is not None:
        raise click.UsageError("name a folder or a --draft, not both")
    looked_at = f"version {number}" if number is not None else folder or DEFAULTS
    try:
        if number is not None:
            draft = compile_files(asyncio.run(_files_of(number, data)), DRAFT)
        else:
            draft = compile_folder(folder or DEFAULTS, DRAFT)
    except RulesInvalid as error:
        said = f"in {looked_at}: nothing was tried"
        return _tell_errors(error.errors, said, as_json=as_json)
    if id_ is None:
        everybody = asyncio.run(_try(draft, since, data))
        _tell_tried(everybody, lines(everybody), as_json=as_json)
    else:
        one = asyncio.run(_step(draft, since, data, id_))
        _tell_tried(one, step_lines(one), as_json=as_json)
    return 0


def _tell_tried(told: Told | Stepped, text: Iterable[str], *, as_json: bool) -> None:
    import msgspec

    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())
        return
    for line in text:
        say(line)


async def _files_of(number: int, data: Path) -> dict[str, str]:
    """Return the files of a version that was pushed."""
    from scripts.cli_simulate import files_of_version

    async with opened_store(data) as store:
        return (await files_of_version(store, number)).files


async def _try(draft: CompiledRules, since: timedelta, data: Path) -> Told:
    from scripts.rules_try import tried

    async with _record(data, since) as (store, records, view):
        return await tried(store, records, view, draft, _progress)


async def _step(draft: CompiledRules, since: timedelta, data: Path, id_: str) -> Stepped:
    from agents.runtime.readers import StoreReader
    from scripts.rules_steps import stepped

    async with _record(data, since) as (store, records, view):
        visitor = await StoreReader(store).find(id_)
        if visitor is None:
            raise Refused(f"nobody is known by {id_}")
        return await stepped(store, records, view, draft, visitor)


@asynccontextmanager
async def _record(data: Path, since: timedelta) -> AsyncIterator[tuple[Store, list[Record], View]]:
    """Open the record of a system: its store, the events of so long, and what its bots see."""
    from messaging.journal.mongo import MongoJournal
    from messaging.store.mongo import MongoStore
    from scripts.compose import connected, view_loader
    from scripts.rules_try import read_records

    wiring = wiring_in_use(data)
    connection = connected(wiring)
    store = MongoStore(connection)
    try:
        view = await view_loader(store, wiring).load()
        yield store, await read_records(MongoJournal(connection), since), view
    finally:
        await store.close()
        await connection.close()


def _progress(text: str, _: float) -> None:
    if sys.stderr.isatty():
        say(text, err=True)


for _command in (list_, impact, publish):
    rules.add_command(_command)
