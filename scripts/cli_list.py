"""`mdma list add | remove | show`: who stands on a static list, which a condition (`in_list`) or an entry asks for.

Rules
1. Files are read through before anything is sent: a bad row costs nothing but a line.
2. A run that was cut off is simply run again: to be put on a list twice changes nothing. Each call has a name of its
   own, so that one whose answer was lost is not taken twice.
"""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from messaging.vocabulary.addresses import AddressRefused, written_address
from messaging.vocabulary.ids import normal_address
from scripts.cli_import import progress, sent_again
from scripts.client import Api, data_option, json_option, tell
from scripts.counting import counted
from scripts.folder import Refused
from scripts.visible import say, shown

AT_ONCE = 500
PEOPLE_MAX = 1_000_000
COLUMNS = ("email", "userid")
"""Columns of a CSV that name people, the better first; however they are written (`_plain`)."""
DELIMITERS = ",;\t"
"""Signs that may stand between columns: where numbers have a comma, spreadsheets write semicolons."""
SAID_MAX = 5
PERSON_CHARACTERS_MAX = 256

file_type = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(
    "list",
    short_help="Put people on a static list, take them off, show who stands there.",
    epilog="Example: mdma list add vip --file vip.csv --basis 'customers of 2026, contract'",
)
def list_() -> None:
    """Keep static lists: conditions ask for them by `in_list`, paths by `entry: {list: …}`."""


people_argument = click.argument("people", metavar="[PERSON]...", nargs=-1)
file_option = click.option(
    "--file",
    type=file_type,
    metavar="FILE.csv",
    help="CSV with a column email or user_id (, or ; between).",
)


@list_.command(epilog="Example: mdma list add vip ann@example.com --basis 'asked for it by phone'")
@click.argument("name")
@people_argument
@file_option
@click.option("--basis", metavar="TEXT", help="On what basis they agreed to be written to.")
@click.option("--no-consent", is_flag=True, help="Say nothing of consent: who gave it keeps it.")
@json_option
@data_option
def add(
    name: str,
    people: tuple[str, ...],
    file: Path | None,
    basis: str | None,
    no_consent: bool,
    data: Path,
    as_json: bool,
) -> None:
    """Put people on a list; who is not known yet comes to be known by it."""
    if bool(basis) == no_consent:
        raise click.UsageError("name the --basis of their consent, or say --no-consent")
    _change(data, name, "add", _people(people, file), basis or "", as_json=as_json)


@list_.command(epilog="Example: mdma list remove vip ann@example.com")
@click.argument("name")
@people_argument
@file_option
@json_option
@data_option
def remove(
    name: str,
    people: tuple[str, ...],
    file: Path | None,
    data: Path,
    as_json: bool,
) -> None:
    """Take people off a list; they stay known."""
    _change(data, name, "remove", _people(people, file), "", as_json=as_json)


@list_.command(epilog="Example: mdma list show vip")
@click.argument("name", required=False)
@json_option
@data_option
def show(name: str | None, data: Path, as_json: bool) -> None:
    """Show who stands on a list, the newest first; without NAME: all lists."""
    api = Api(data)
    if name is None:
        found = _all_pages(api, "/api/v1/lists", "lists")
        lines = [f"{each['name']}: {counted(each['people'], 'people')}" for each in found["lists"]]
        return _tell_lines(found, lines or ["nobody was ever put on a list"], as_json=as_json)
    found = _all_pages(api, f"/api/v1/lists/{quote(name, safe='')}", "members")
    lines = [f"{found['name']}: {counted(found['people'], 'people')}"]
    lines += [f"  {each['visitor']}  since {each['since']}" for each in found["members"]]
    return _tell_lines(found, lines, as_json=as_json)


def _all_pages(api: Api, path: str, rows: str) -> dict[str, Any]:
    """Return the answer of the first page with the rows of all of them."""
    found: dict[str, Any] = api.get(path, limit=AT_ONCE)
    after = found.pop("after")
    while after is not None:
        page = api.get(path, limit=AT_ONCE, after=after)
        found[rows] += page[rows]
        after = page["after"]
    return found


def _tell_lines(facts: dict[str, Any], lines: list[str], *, as_json: bool) -> None:
    if as_json:
        tell(facts, "", as_json=True)
        return
    for line in lines:
        say(line)


def _people(named: tuple[str, ...], file: Path | None) -> list[str]:
    """Return who is named, each once. Raise UsageError for nobody, Refused for a file that names nobody in a row."""
    found: dict[str, str] = {}
    for person in chain(named, _rows(file) if file is not None else ()):
        found.setdefault(normal_address(person) if "@" in person else person, person)
        if len(found) > PEOPLE_MAX:  # the rest of the file need not be read to know
            raise Refused(f"more than {PEOPLE_MAX:,} people are too many at once; nothing was sent")
    if not found:
        raise click.UsageError("name people by address or user id, or a --file")
    return list(found.values())


def _rows(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            first = next(lines, "")
            between, column = _column(first)
            if not column:
                problem = "the first row must name a column email or user_id"
                signs = "commas, semicolons or tabs between columns"
                raise Refused(f"{file}: {problem}, with {signs}; nothing was sent")
            rows = csv.DictReader(chain([first], lines), strict=True, delimiter=between)
            for row in rows:
                person = (row[column] or "").strip()
                if problem := _problem(column, person):
                    raise Refused(f"{file}:{rows.line_num}: {column} {problem}; nothing was sent")
                yield person
    except UnicodeDecodeError:
        raise Refused(f"{file}: is not UTF-8; nothing was sent") from None
    except csv.Error as error:
        raise Refused(f"{file}: {error}; nothing was sent") from None


def _column(first: str) -> tuple[str, str]:
    """Return what stands between the columns of a file, and the one that names people; empty where none does.

    >>> _column("Name;E-Mail"), _column("user_id,Email"), _column("name,city")
    ((';', 'E-Mail'), (',', 'Email'), ('', ''))
    """
    for delimiter in DELIMITERS:
        names = next(csv.reader([first], delimiter=delimiter), [])
        for wanted in COLUMNS:
            if found := [name for name in names if _plain(name) == wanted]:
                return delimiter, found[0]
    return "", ""


def _plain(name: str) -> str:
    """Return a column's name without regard to case, blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", name).casefold()


def _problem(column: str, person: str) -> str:
    """Return what is wrong with a field: an address without @ would be somebody's user id, and consent theirs."""
    if not person:
        return "is empty"
    if len(person) > PERSON_CHARACTERS_MAX:
        return "is too long"
    if _plain(column) == "email":
        try:
            written_address(person)
        except AddressRefused:
            return "is no address"
    return ""


def _change(
    data: Path, name: str, action: str, people: list[str], basis: str, *, as_json: bool
) -> None:
    api = Api(data)
    path = f"/api/v1/lists/{quote(name, safe='')}/{action}"
    request = f"{action} {time.time_ns()}"
    facts: dict[str, Any] = {"changed": 0, "before": 0, "unknown": [], "refused": []}
    with progress(len(people)) as bar:
        for first in range(0, len(people), AT_ONCE):
            some = people[first : first + AT_ONCE]
            body = {"people": some, "request": request, "basis": basis}
            answer = sent_again(api, path, json.dumps(body).encode(), "application/json")
            for key, value in answer.items():
                facts[key] += value
            bar.update(len(some))
    for each in facts["refused"][:SAID_MAX]:
        say(f"{shown(each['person'])}: {shown(each['reason'])}", err=True)
    tell(facts, _said(action, name, facts), as_json=as_json)
    if not facts["changed"] + facts["before"]:
        raise SystemExit(1)


def _said(action: str, name: str, facts: dict[str, Any]) -> str:
    way = "put on" if action == "add" else "taken off"
    said = f"{counted(facts['changed'], 'people')} {way} {name}"
    for key in ("unknown", "refused"):
        if facts[key]:
            said += f", {len(facts[key]):,} {key}"
    return said
