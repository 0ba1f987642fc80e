"""Hold what a benchmark row is, and show rows: on the terminal, and as the JSON that others read.

Rules
1. A row's value and its ceiling are measured in turn, run by run, on the same machine in the same minutes:
   `ratio` is the median of the runs' own ratios, so that a noisy neighbour hits both alike.
2. What is not reached is shown like what is.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import psutil

RUNS = 3
"""Runs of each row: their median counts."""

Say = Callable[[str], None]


class Row(msgspec.Struct, kw_only=True):
    """Hold one measured number beside what it is held against."""

    name: str
    value: float
    unit: str
    against: str
    """What the value is held against, with its own median."""
    ratio: float
    low: float
    high: float
    runs: list[float]
    goal: str = ""
    """What the ratio (or the value) should be."""
    reached: bool = True
    notes: list[str] = []


class Pair(msgspec.Struct):
    """Hold one run: the value and its ceiling."""

    value: float
    ceiling: float


def row_of(name: str, unit: str, pairs: list[Pair], *, against: str, goal: float) -> Row:
    """Return the row of several runs against a ceiling; the goal is a ratio that should be reached.

    >>> row = row_of("a", "1/s", [Pair(5, 10), Pair(4, 10), Pair(9, 10)], against="b", goal=0.4)
    >>> row.value, row.ratio, row.low, row.high, row.reached
    (5, 0.5, 4, 9, True)
    """
    values = [pair.value for pair in pairs]
    ratio = median(pair.value / pair.ceiling for pair in pairs)
    return Row(
        name=name,
        value=median(values),
        unit=unit,
        against=f"{against} {shown(median(pair.ceiling for pair in pairs))} {unit}",
        ratio=ratio,
        low=min(values),
        high=max(values),
        runs=values,
        goal=f"≥ {goal:g} ×",
        reached=ratio >= goal,
    )


def limit_row(name: str, unit: str, values: list[float], limit: float, *, below: bool) -> Row:
    """Return the row of several runs against a fixed limit: to stay below, or to get above."""
    value = median(values)
    return Row(
        name=name,
        value=value,
        unit=unit,
        against=f"goal {shown(limit)} {unit}",
        ratio=value / limit,
        low=min(values),
        high=max(values),
        runs=values,
        goal=f"{'<' if below else '≥'} {shown(limit)} {unit}",
        reached=value < limit if below else value >= limit,
    )


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of all values does not exceed.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5), percentile([1.0, 2.0, 3.0, 4.0], 0.99)
    (2.0, 4.0)
    """
    ordered = sorted(values)
    place = max(0, -(-int(share * 1_000_000) * len(ordered) // 1_000_000) - 1)
    return ordered[min(place, len(ordered) - 1)]


def shown(value: float) -> str:
    """Return a number as people read it.

    >>> shown(12345.6), shown(42.25), shown(0.371)
    ('12,346', '42.2', '0.371')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def table(rows: list[Row]) -> str:
    """Return the rows as a table, the notes of each below."""
    head = ("row", "median", "unit", "against", "ratio", "low", "high", "goal", "")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    left = {0, 2, 3, 7, 8}
    text = []
    for number, line in enumerate(lines):
        cells = (
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        text.append("  ".join(cells).rstrip())
        if number:
            text += [f"    {note}" for note in rows[number - 1].notes]
    return "\n".join(text)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        shown(row.value),
        row.unit,
        row.against,
        f"{row.ratio:.2f}",
        shown(row.low),
        shown(row.high),
        row.goal,
        "reached" if row.reached else "NOT REACHED",
    )


def report(rows: list[Row]) -> dict[str, Any]:
    """Return what `--json` writes."""
    return {
        "commit": commit(),
        "machine": machine(),
        "rows": [msgspec.to_builtins(row) for row in rows],
    }


def commit() -> str:
    """Return the commit that is measured, with a plus sign where files differ from it."""
    root = Path(__file__).resolve().parents[1]

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    head = git("rev-parse", "HEAD")
    return head + ("+" if head and git("status", "--porcelain", "--untracked-files=no") else "")


def machine() -> dict[str, Any]:
    """Return what it was measured on."""
    model = ""
    file = Path("/proc/cpuinfo")
    if file.exists():
        names = [line for line in file.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else ""
    return {
        "cpu": model or platform.processor(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": round(psutil.getloadavg()[0], 2),
    }


def write_json(file: Path, rows: list[Row]) -> None:
    """Write the rows for others to read."""
    file.write_text(json.dumps(report(rows), indent=1) + "\n")


def progress(text: str) -> None:
    """Tell what is under way; only a person at a terminal is told."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def progress_over() -> None:
    """Clear the line of `progress`."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
