"""Measure what learns: recorded data by each task's protocol, and made-up worlds, beside peers in the same run.

The sets stay where they are (`--data DIR`, see `bench_sets.py`): what a licence does not allow to be passed on is
measured on and never part of this project. No constant is chosen on a set; what is chosen inside a run, and what holds
for all, is printed with its row.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scripts.bench_learning_arms import next_best
from scripts.bench_learning_logs import off_policy
from scripts.bench_learning_mail import open_hour, send_time
from scripts.bench_learning_rows import Effort
from scripts.bench_learning_scores import lead_score
from scripts.bench_learning_speed import measure as measure_speed
from scripts.bench_learning_worlds import measure as measure_worlds
from scripts.bench_measure import Row, Say
from scripts.bench_peers import peers_of
from scripts.bench_sets import BenchSet, SetError, sets_in

TASKS: dict[str, Callable[[BenchSet, Say, Effort], list[Row]]] = {
    "send_time": send_time,
    "open_hour": open_hour,
    "next_best": next_best,
    "lead_score": lead_score,
    "off_policy": off_policy,
}


def measure(folder: Path | None, say: Say) -> list[Row]:
    """Return the rows of every set in a folder, then of made-up worlds. Raise SetError where a set cannot be read."""
    effort = Effort(peers_of())
    rows = recorded(folder, say, effort) if folder is not None else []
    rows += measure_worlds(say, effort)
    return rows + measure_speed(say)


def recorded(folder: Path, say: Say, effort: Effort) -> list[Row]:
    """Return the rows of every set in a folder, by its task's protocol. Raise SetError where one cannot be read."""
    rows: list[Row] = []
    for known in sets_in(folder):
        say(f"learning: {known.name} ({known.task})")
        rows += _measured(known, say, effort)
    return rows


def _measured(known: BenchSet, say: Say, effort: Effort) -> list[Row]:
    try:
        rows = TASKS[known.task](known, say, effort)
    except SetError as error:
        raise SetError(
            str(error) if known.name in str(error) else f"{known.name}: {error}"
        ) from None
    if known.unread:
        rows[0].notes.append(f"not known, and not read, in bench.yaml: {', '.join(known.unread)}")
    return rows
