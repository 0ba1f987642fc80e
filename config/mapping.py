"""Turn the rows of a CSV file into Segment calls, as a marketer's mapping says; read JSON lines too.

Rules
1. A call's id is made of what stands in the file, so that importing it again adds nothing.
2. A text made of empty columns is left out of traits and properties; in an id it is an error.
3. Consent is never implied: a call carries it only where the mapping names it, with its basis.
4. An error names the row, as a spreadsheet counts them (the header is row 1), and the column.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo, available_timezones

import orjson
from pydantic import AfterValidator, Field, model_validator

from agents.rules.condition_models import Model, Plain, Text
from agents.rules.reading import read_model
from agents.rules.source import parse
from config.load import RulesInvalid
from messaging.vocabulary.errors import MdmaError
from messaging.vocabulary.events import PUBLIC_TYPES
from messaging.vocabulary.iso_times import read_iso

Call = dict[str, Any]
"""One call of the Segment API, ready to be sent."""

LINE_BYTES_MAX = 32 * 1024
"""What an event may weigh at the gateway."""

_MANY_DIGITS = re.compile(rb"\d{19}")
_COLUMN = re.compile(r"\{([^{}]+)\}")


class RowError(MdmaError):
    """Say which row and column of a file cannot be taken, and why."""

    def __init__(self, row: int, column: str, problem: str) -> None:
        where = f"row {row}, column {column}" if column else f"row {row}"
        super().__init__(f"{where}: {problem}")
        self.row = row
        self.column = column
        self.problem = problem


class _TooManyDigits(Exception):  # noqa: N818
    """Name a whole number that no reader keeps whole."""


def _template(text: str) -> str:
    rest = _COLUMN.sub("", text)
    if "{" in rest or "}" in rest:
        raise ValueError("write a column as {column}, with both braces")
    return text


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("there is no such time zone; write it like America/Sao_Paulo")
    return name


def _time_format(text: str) -> str:
    if text == "iso":
        return text
    try:
        datetime.strptime("", text)  # noqa: DTZ007 - only the format is looked at
    except re.error:
        raise ValueError("names one part of the time twice") from None
    except ValueError as error:
        if "directive" in str(error) or "stray" in str(error):
            raise ValueError(f"{error}; see Python's strptime") from None
    return text


Template = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_template)]


class ColumnValue(Model):
    """Take a column's value as a number, as yes or no, or as text."""

    column: Text
    kind: Literal["text", "number", "yes_no"] = Field(default="text", alias="as")


class Consent(Model):
    """Name what was agreed to, and on what basis: it is kept beside the address."""

    email: bool | None = None
    site: bool | None = None
    basis: Text

    @model_validator(mode="after")
    def _some_category(self) -> Self:
        if self.email is None and self.site is None:
            raise ValueError("consent needs email, site, or both")
        return self


Values = dict[Text, Template | Plain | ColumnValue]


class CallMapping(Model):
    """Say how one call is made of a row."""

    type: Literal["identify", "track", "page"]
    when: Text | None = None
    """A column that must not be empty; None: each row makes this call."""
    time: Text
    """The column that says when it happened."""
    time_format: Annotated[Text, AfterValidator(_time_format)] = "iso"
    """`iso`, or as Python's strptime has it: `%d-%m-%Y`."""
    message_id: Template
    user_id: Template | None = None
    anonymous_id: Template | None = None
    email: Template | None = None
    event: Text | None = None
    name: Template | None = None
    traits: Values = Field(default={})
    properties: Values = Field(default={})
    consent: Consent | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.type == "track") != (self.event is not None):
            raise ValueError("a track call, and no other, names its event")
        if self.type == "identify" and self.properties:
            raise ValueError("an identify call has traits, no properties")
        if self.name is not None and self.type != "page":
            raise ValueError("only a page call has a name")
        if not _COLUMN.search(self.message_id):
            raise ValueError(
                "message_id names no {column}: all rows but the first would be repeats"
            )
        if self.user_id is None and self.anonymous_id is None and self.email is None:
            raise ValueError("say who it is: user_id, anonymous_id or email")
        return self


class ImportMapping(Model):
    """Hold a mapping file."""

    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """Zone of times that do not name theirs; a date without an hour is its midnight."""
    calls: list[CallMapping] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [call.message_id for call in self.calls]
        for text in ids:
            if ids.count(text) > 1:
                problem = (
                    f"two calls have the message_id {text}: one would be a repeat of the other"
                )
                raise ValueError(problem)
        return self


def load_mapping(path: Path) -> ImportMapping:
    """Return the mapping in a file. Raise RulesInvalid with every error, each with file:line."""
    source = parse(str(path), path.read_bytes().decode(errors="replace"))
    mapping = read_model(source, ImportMapping)
    if isinstance(mapping, list):
        raise RulesInvalid(mapping)
    return mapping


# -------------------------------------------------------------------------------------- files


def read_calls(path: Path, mapping: ImportMapping | None = None) -> Iterator[Call]:
    """Give the calls of a file (`.gz` too), in its order: CSV with a mapping, JSON lines without.

    Raise RowError at the first row that cannot be taken.
    """
    with _open(path) as lines:
        yield from json_calls(lines) if mapping is None else csv_calls(lines, mapping)


class Checked(NamedTuple):
    """Say what a file holds.

    Attributes:
        calls: calls up to the first bad row.
        error: what is wrong with that row, None if there is none.
        repeats: calls whose message id an earlier call of the file has: they will be ignored.
        repeated: the first such id.
    """

    calls: int
    error: RowError | None = None
    repeats: int = 0
    repeated: str = ""


def check_calls(path: Path, mapping: ImportMapping | None = None) -> Checked:
    """Read a file through and return what it holds; 60 bytes are held for each call."""
    count = repeats = 0
    repeated, seen = "", set[int]()
    try:
        for call in read_calls(path, mapping):
            count += 1
            id_ = call.get("messageId")
            known = len(seen)
            if id_:
                seen.add(hash(id_))
                if len(seen) == known:
                    repeats, repeated = repeats + 1, repeated or str(id_)
    except RowError as error:
        return Checked(count, error, repeats, repeated)
    return Checked(count, None, repeats, repeated)


@contextmanager
def _open(path: Path) -> Iterator[Iterable[str]]:
    binary: Any = gzip.open if path.suffix == ".gz" else Path.open
    with binary(path, "rb") as raw:
        yield _decoded(raw)


def _decoded(raw: Iterable[bytes]) -> Iterator[str]:
    """Decode line by line: a decoder that reads ahead would stumble rows before the one that it cannot read."""
    encoding = "utf-8-sig"
    for line in raw:
        text = line.decode(encoding)
        encoding = "utf-8"
        if "\r" in text[:-2]:  # ended by a carriage return alone, as old programs do
            yield from io.StringIO(text, newline="")
        else:
            yield text


def _rows(lines: Iterable[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Give (row number, fields), and turn whatever a broken file does into a RowError."""
    number = 0
    try:
        for fields in csv.reader(lines, delimiter=separator, strict=True):
            number += 1
            yield number, fields
    except UnicodeDecodeError as error:
        raise RowError(number + 1, "", "this is not UTF-8: save the file as UTF-8") from error
    except (csv.Error, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RowError(number + 1, "", f"this cannot be read: {error}") from error


def csv_calls(lines: Iterable[str], mapping: ImportMapping) -> Iterator[Call]:
    """Give the calls that the rows make. Raise RowError."""
    rows = _rows(lines, mapping.separator)
    _, header = next(rows, (1, None))
    if header is None:
        return  # an empty file makes no calls; whether that is right is for the caller to say
    header = [name.strip() for name in header]
    _check_header(header, mapping)
    for number, fields in rows:
        if not fields:
            continue
        if len(fields) != len(header):
            problem = f"{len(fields)} fields, but the header has {len(header)}"
            raise RowError(number, "", problem)
        row = dict(zip(header, (field.strip() for field in fields), strict=True))
        for call in row_calls(row, mapping, number):
            _check_size(orjson.dumps(call), number)
            yield call


def _check_header(header: list[str], mapping: ImportMapping) -> None:
    for column in header:
        if header.count(column) > 1:
            raise RowError(1, column, "stands twice in the header")
    for call in mapping.calls:
        for column in _columns_of(call):
            if column not in header:
                raise RowError(1, column, f"is not in the file; there are: {', '.join(header)}")


def _columns_of(call: CallMapping) -> list[str]:
    columns = [call.time] if call.when is None else [call.time, call.when]
    texts = [call.message_id, call.user_id, call.anonymous_id, call.email, call.name]
    for value in (*texts, *call.traits.values(), *call.properties.values()):
        if isinstance(value, str):
            columns += _COLUMN.findall(value)
        if isinstance(value, ColumnValue):
            columns.append(value.column)
    return columns


def json_calls(lines: Iterable[str]) -> Iterator[Call]:
    """Give the calls of JSON lines; one without a messageId gets one from its line. Raise RowError."""
    number = 0
    try:
        for line in lines:
            number += 1
            if line.strip():
                yield _json_call(line.strip(), number)
    except UnicodeDecodeError as error:
        raise RowError(number + 1, "", "this is not UTF-8: save the file as UTF-8") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RowError(number + 1, "", f"this cannot be read: {error}") from error


def _check_size(body: bytes, number: int) -> None:
    if len(body) > LINE_BYTES_MAX:
        raise RowError(number, "", f"a call may have {LINE_BYTES_MAX} bytes, this has {len(body)}")


def _whole(text: str) -> int:
    """Refuse what the reader would round without a word."""
    if not -(2**63) <= int(text) < 2**64:
        raise _TooManyDigits(text[:40])
    return int(text)


def _json_call(line: str, number: int) -> Call:
    body = line.encode()
    _check_size(body, number)
    try:
        call = orjson.loads(body)
        if _MANY_DIGITS.search(body):
            json.loads(body, parse_int=_whole)
    except _TooManyDigits as error:
        raise RowError(number, "", f"{error} has more than 64 bits: write it as a text") from None
    except orjson.JSONDecodeError as error:
        raise RowError(number, "", f"this is no JSON: {error}") from error
    known = isinstance(call, dict) and isinstance(call.get("type"), str)
    if not isinstance(call, dict) or not known or call["type"] not in PUBLIC_TYPES:
        raise RowError(number, "type", f"must be one of {', '.join(sorted(PUBLIC_TYPES))}")
    if not call.get("messageId"):
        digest = hashlib.blake2b(body, digest_size=12).hexdigest()
        call["messageId"] = f"import:{digest}:{number}"
    return call


# --------------------------------------------------------------------------------------- rows


def row_calls(row: dict[str, str], mapping: ImportMapping, number: int) -> list[Call]:
    """Return the calls that one row makes. Raise RowError."""
    zone = ZoneInfo(mapping.zone)
    wanted = [each for each in mapping.calls if each.when is None or row[each.when]]
    return [_call(row, each, number, zone) for each in wanted]


def _call(row: dict[str, str], mapping: CallMapping, number: int, zone: ZoneInfo) -> Call:
    call: Call = {
        "type": mapping.type,
        "messageId": _identity(row, mapping.message_id, number),
        "timestamp": _time(row, mapping, number, zone),
    }
    if mapping.user_id is not None:
        call["userId"] = _identity(row, mapping.user_id, number)
    if mapping.anonymous_id is not None:
        call["anonymousId"] = _identity(row, mapping.anonymous_id, number)
    if mapping.event is not None:
        call["event"] = mapping.event
    if mapping.name is not None and (name := _filled(row, mapping.name)):
        call["name"] = name
    traits = _values(row, mapping.traits, number)
    if mapping.email is not None:
        traits["email"] = _identity(row, mapping.email, number)
    context: dict[str, Any] = {}
    if mapping.type == "identify":
        call["traits"] = traits
    else:
        call["properties"] = _values(row, mapping.properties, number)
        if traits:
            context["traits"] = traits
    if mapping.consent is not None:
        context["consent"] = _consent(mapping.consent)
    if context:
        call["context"] = context
    return call


def _identity(row: dict[str, str], text: str, number: int) -> str:
    for column in _COLUMN.findall(text):
        if not row[column]:
            raise RowError(number, column, f"is empty, and {text} is made of it")
    return _filled(row, text)


def _filled(row: dict[str, str], text: str) -> str:
    """Return a text with its columns; empty if all of them are."""
    columns = _COLUMN.findall(text)
    if columns and not any(row[column] for column in columns):
        return ""
    return _COLUMN.sub(lambda found: row[found[1]], text)


def _values(row: dict[str, str], values: Values, number: int) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, ColumnValue):
            if row[value.column]:
                filled[name] = _typed(row[value.column], value, number)
        elif isinstance(value, str):
            if text := _filled(row, value):
                filled[name] = text
        else:
            filled[name] = value
    return filled


def _typed(text: str, value: ColumnValue, number: int) -> str | float | bool:
    if value.kind == "number":
        if not re.fullmatch(r"[-+]?\d{1,15}(\.\d{0,10})?", text):
            raise RowError(number, value.column, f"{text[:40]!r} is no number")
        return float(text)
    if value.kind == "yes_no":
        answer = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in answer:
            raise RowError(number, value.column, f"{text[:40]!r} is neither yes nor no")
        return answer[text.lower()]
    return text


def _time(row: dict[str, str], mapping: CallMapping, number: int, zone: ZoneInfo) -> str:
    text = row[mapping.time]
    if not text:
        raise RowError(number, mapping.time, "is empty, and it says when the call was")
    try:
        moment = _read_time(text, mapping.time_format)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError) as error:
        problem = f"{text[:40]!r} is not of the format {mapping.time_format}"
        raise RowError(number, mapping.time, problem) from error


def _read_time(text: str, form: str) -> datetime:
    if form == "iso":
        return read_iso(text)
    return datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows


def _consent(consent: Consent) -> dict[str, Any]:
    said = {"email": consent.email, "site": consent.site}
    preferences = {name: value for name, value in said.items() if value is not None}
    return {"categoryPreferences": preferences, "basis": consent.basis}
