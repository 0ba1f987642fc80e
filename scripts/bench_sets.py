"""Read the data that learning is measured on: a folder with a `bench.yaml` for each set.

`bench.yaml` says what a file's columns mean, so that data which nobody has seen here is measured by the same command:

    task: send_time            # send_time | open_hour | next_best | lead_score | off_policy
    file: log.csv.gz           # CSV with a header, gzipped or not
    separator: ","
    columns: {user: sender, time: epoch}
    order: time                # rows: as they stand; time: by the time column; none: no order
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

SPEC = "bench.yaml"

NEEDED: dict[str, tuple[str, ...]] = {
    "send_time": ("user", "time"),
    "open_hour": ("user", "weekday", "second"),
    "next_best": ("arm", "reward"),
    "lead_score": (),
    "off_policy": ("arm", "reward", "propensity"),
}
"""Columns that each task needs; a lead score needs `label`, or `time` and `label_time` with `horizon_days`."""

YES = ("1", "1.0", "yes", "true", "y", "t")
"""Labels that count as a yes where none is named."""

Task = Literal["send_time", "open_hour", "next_best", "lead_score", "off_policy"]
Column = dict[str, list[str]]


class SetError(ValueError):
    """A set that cannot be read: says which file, what is wrong and what to do."""


class BenchSet(BaseModel):
    """Hold what a `bench.yaml` says."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    folder: Path
    task: Task
    file: str
    target: str = ""
    """Off-policy: the log of the policy that is to be valued."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    columns: dict[str, str | list[str]] = {}
    order: Literal["rows", "time", "none"] = "rows"
    time_format: str = "epoch_seconds"
    positive: str | bool = ""
    """The label that counts as a yes, also written among the columns; a YAML yes is any of `YES`."""
    propensity: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    horizon_days: Annotated[int, Field(ge=1)] | None = None
    until: date | None = None
    """Rows from this day on are left out: what came of them is not known yet."""
    licence: str = ""
    unread: list[str] = []
    """Keys that the command does not know: shown with the rows, so that a slip of the pen is seen."""

    @model_validator(mode="after")
    def _complete(self) -> BenchSet:
        lacking = [name for name in NEEDED[self.task] if name not in self.columns]
        if self.task == "lead_score" and "label" not in self.columns:
            lacking += [name for name in ("time", "label_time") if name not in self.columns]
            if self.horizon_days is None:
                raise ValueError("a label by time needs horizon_days")
        if self.task == "off_policy" and not self.target:
            raise ValueError("off_policy needs target: the log of the policy that is to be valued")
        if lacking:
            raise ValueError(f"columns lacks {', '.join(lacking)}")
        return self

    def column(self, name: str) -> str:
        """Return the file's name of a column; empty where the set has none."""
        told = self.columns.get(name, "")
        return told if isinstance(told, str) else ""

    def is_positive(self, value: str) -> bool:
        """Tell whether a label counts as a yes."""
        if isinstance(self.positive, bool) or not self.positive:
            return value.strip().lower() in YES
        return value.strip() == self.positive

    def listed(self, name: str) -> list[str]:
        """Return the file's names of columns that are told as a list (`drop`, `features`)."""
        told = self.columns.get(name, [])
        return told if isinstance(told, list) else [told]


def specs_in(folder: Path) -> list[Path]:
    """Return the `bench.yaml` of a folder itself, or of the folders in it, by name."""
    own = folder / SPEC
    return [own] if own.is_file() else sorted(folder.glob(f"*/{SPEC}"))


def sets_in(folder: Path) -> list[BenchSet]:
    """Return the sets of a folder, by name. Raise SetError."""
    if not folder.is_dir():
        raise SetError(
            f"{folder} is no folder: --data names one that holds a folder with {SPEC} for each set"
        )
    specs = specs_in(folder)
    if not specs:
        raise SetError(
            f"{folder}: no folder in it holds a {SPEC}: write one beside each set's file"
        )
    return [read_spec(spec) for spec in specs]


def read_spec(spec: Path) -> BenchSet:
    """Return what one `bench.yaml` says. Raise SetError."""
    try:
        told = yaml.safe_load(spec.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SetError(f"{spec}: is no YAML: {error}") from None
    if not isinstance(told, dict) or not isinstance(told.get("columns", {}), dict):
        raise SetError(f"{spec}: must say task, file and columns: {{meaning: name in the file}}")
    columns = dict(told.get("columns") or {})
    positive = columns.pop("positive", told.get("positive", ""))
    own = {
        "name": spec.parent.name,
        "folder": spec.parent,
        "columns": columns,
        "positive": positive if isinstance(positive, bool) else str(positive),
        "unread": sorted(str(key) for key in set(told) - set(BenchSet.model_fields)),
    }
    try:
        known = BenchSet(**{**{str(key): value for key, value in told.items()}, **own})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])} {each['msg']}".strip()
            for each in error.errors()
        )
        raise SetError(f"{spec}: {wrong}") from None
    for file in filter(None, (known.file, known.target)):
        if not (known.folder / file).is_file():
            raise SetError(f"{spec}: {file} is not beside it")
    return known


def read_columns(known: BenchSet, file: str = "") -> Column:
    """Return a set's file as text columns. Raise SetError where a column is missing or a row is short."""
    path = known.folder / (file or known.file)
    try:
        with _opened(path) as lines:
            rows = csv.reader(lines, delimiter=known.separator)
            head = next(rows, [])
            kept = [row for row in _whole(rows, len(head), path) if row]
    except (UnicodeDecodeError, csv.Error, EOFError, OSError, zlib.error) as error:
        raise SetError(f"{path}: cannot be read: {error}") from None
    named: list[str] = []
    for told in known.columns.values():
        named += told if isinstance(told, list) else [told]
    lacking = [name for name in named if name not in head]
    if lacking:
        raise SetError(f"{path}: has no column {lacking[0]!r}; it has {', '.join(head)}")
    if not kept:
        raise SetError(f"{path}: has no row below its header")
    return {name: [row[place] for row in kept] for place, name in enumerate(head)}


def seconds_of(values: list[str], time_format: str) -> list[float]:
    """Return times as epoch seconds; empty is NaN. Raise SetError with the first that is none, and its row.

    A format is `epoch_seconds`, `iso` or one of strptime's (`%d-%m-%Y`); ISO 8601 is read in any case. UTC where no
    zone is told.
    """
    seconds = []
    for row, value in enumerate(values, 1):
        try:
            seconds.append(_seconds(value.strip(), time_format))
        except ValueError:
            raise SetError(
                f"row {row}: {value!r} is no time ({time_format}, or ISO 8601)"
            ) from None
    return seconds


def numbers_of(values: list[str]) -> list[float]:
    """Return finite numbers; raise SetError with the first that is none, and its row."""
    numbers = []
    for row, value in enumerate(values, 1):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise SetError(f"row {row}: {value!r} is no number")
        numbers.append(number)
    return numbers


def _seconds(value: str, time_format: str) -> float:
    if not value:
        return math.nan
    if time_format == "epoch_seconds":
        try:
            return float(value)
        except ValueError:
            pass  # many logs say ISO 8601 without telling
    at = _moment(value, time_format)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _moment(value: str, time_format: str) -> datetime:
    if "%" in time_format:
        return datetime.strptime(value, time_format)  # noqa: DTZ007 - the caller adds the zone
    return datetime.fromisoformat(value)


def _whole(rows: Any, width: int, path: Path) -> Iterator[list[str]]:
    for row in rows:
        if row and len(row) != width:
            raise SetError(f"{path}:{rows.line_num}: has {len(row)} fields, the header {width}")
        yield row


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
