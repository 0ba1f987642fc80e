"""Measure who converts: the next rows said before they are learned, and a random split.

The protocol by which figures are compared learns a row with the next ones, though its horizon may not be over by then.
Where that makes a difference, rows learned only once they were answered are reported beside it.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np

from learning.evaluation.calibration import auc, expected_calibration_error, log_loss
from learning.protocols import scores
from learning.training.mixture import EVIDENCE, FORGET, NEWEST, OF_ALL, Table
from scripts.bench_learning_rows import Effort, Held, row
from scripts.bench_measure import Row, Say
from scripts.bench_sets import BenchSet, Column, SetError, read_columns, seconds_of

BEHIND_MAX = 0.005
"""AUC that may be lost to the better of logistic regression and boosted trees."""
LOSS_MORE = 5e-4
"""Log-loss below which two models are not told apart."""

PARTS = 5
"""Parts of the rows whose figures show how steady they are."""

LATE = "the next rows said, learned once their horizon was over: what a running system can know"

DAY = 86_400.0


def lead_score(known: BenchSet, say: Say, effort: Effort) -> list[Row]:
    """Return the rows of a table of leads."""
    del effort  # a model of all rows is measured once
    table, answered = _table_of(known)
    each = min(scores.EACH, max(200, len(table) // 10))
    name = f"lead_score.{known.name}"
    rows = []
    try:
        said = scores.prequential(table, each)
        rows += _rows(f"{name}.prequential", said, f"the next {each} rows said, then learned")
        if (answered < np.arange(len(answered))).any():
            said = scores.prequential(table, each, answered)
            rows += [_reported(each) for each in _rows(f"{name}.as answers came", said, LATE)]
    except ValueError as error:
        raise SetError(f"{known.name}: {error}") from None
    say(f"learning: {known.name}, a random split")
    said = scores.split(table, np.random.default_rng(0))
    return rows + _rows(f"{name}.split", said, f"{scores.FOLDS} random parts, each from the others")


def _reported(told: Row) -> Row:
    told.goal, told.reached = "reported", True
    return told


def _rows(name: str, said: scores.Said, how: str) -> list[Row]:
    """Return the row of AUC and that of log-loss, each against the better model of all rows."""
    ranked = {each: auc(chances, said.labels) for each, chances in said.by_model.items()}
    lost = {each: log_loss(chances, said.labels) for each, chances in said.by_model.items()}
    best = max(OF_ALL, key=lambda each: ranked[each])
    least = min(OF_ALL, key=lambda each: lost[each])
    parts = np.array_split(np.arange(len(said.labels)), PARTS)
    ranks = [auc(said.chances[part], said.labels[part]) for part in parts]
    losses = [log_loss(said.chances[part], said.labels[part]) for part in parts]
    value, loss = auc(said.chances, said.labels), log_loss(said.chances, said.labels)
    return [
        row(
            f"{name}.auc",
            _bootstrapped(value, said, ranks, by_rank=True),
            "AUC",
            (f"{best} {ranked[best]:.4f}", ranked[best]),
            goal=f"≥ the better - {BEHIND_MAX}",
            reached=value >= ranked[best] - BEHIND_MAX,
            notes=_notes(said, how, ranked, lost),
        ),
        row(
            f"{name}.log_loss",
            _bootstrapped(loss, said, losses, by_rank=False),
            "nats",
            (f"{least} {lost[least]:.4f}", lost[least]),
            goal=f"≤ the better + {LOSS_MORE}",
            reached=loss <= lost[least] + LOSS_MORE,
        ),
    ]


def _bootstrapped(value: float, said: scores.Said, runs: list[float], *, by_rank: bool) -> Held:
    """Return a figure with its interval, by drawing rows anew; `runs`: the figures of parts in order."""
    rng, figure, drawn = np.random.default_rng(0), auc if by_rank else log_loss, []
    for _ in range(200):
        rows = rng.integers(0, len(said.labels), len(said.labels))
        drawn.append(figure(said.chances[rows], said.labels[rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Held(value, float(low), float(high), runs)


def _notes(
    said: scores.Said, how: str, ranked: dict[str, float], lost: dict[str, float]
) -> list[str]:
    return [
        f"{how}; {len(said.labels):,} rows, {said.labels.mean():.1%} yes",
        "; ".join(f"{each}: AUC {ranked[each]:.4f}, log-loss {lost[each]:.4f}" for each in ranked),
        "weights at the end: " + ", ".join(f"{each} {w:.2f}" for each, w in said.weights.items()),
        f"expected calibration error {expected_calibration_error(said.chances, said.labels):.4f}",
        f"for all sets: {NEWEST:,} newest rows, a step counts for {EVIDENCE:g} answers, the next {FORGET:g} of it",
    ]


def _table_of(known: BenchSet) -> tuple[Table, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return the rows in order, and how many of them were answered when each one came."""
    columns = read_columns(known)
    count = len(next(iter(columns.values())))
    gone = {*known.listed("drop"), known.column("time"), known.column("label_time")}
    answered = np.arange(count)
    if known.column("label"):
        labels = [known.is_positive(value) for value in columns[known.column("label")]]
        gone.add(known.column("label"))
        keep = list(range(count))
        if known.column("time") and known.order == "time":
            at = seconds_of(columns[known.column("time")], known.time_format)
            keep.sort(key=lambda place: at[place])
    else:
        labels, keep, answered = _labels_by_time(known, columns)
    if not any(labels[place] for place in keep) or all(labels[place] for place in keep):
        raise SetError(f"{known.name}: every row has the same label: see columns, positive, until")
    chosen = known.listed("features") if "features" in known.columns else list(columns)
    left = {name: [columns[name][place] for place in keep] for name in chosen if name not in gone}
    return scores.table_of(left, [labels[place] for place in keep]), answered


def _labels_by_time(
    known: BenchSet, columns: Column
) -> tuple[list[bool], list[int], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return who converted within the horizon, the rows in order of time, and how many were answered at each."""
    at = seconds_of(columns[known.column("time")], known.time_format)
    then = seconds_of(columns[known.column("label_time")], known.time_format)
    horizon = (known.horizon_days or 0) * DAY
    end = math.inf
    if known.until is not None:
        end = datetime(known.until.year, known.until.month, known.until.day, tzinfo=UTC).timestamp()
    rows = sorted((place for place in range(len(at)) if at[place] < end), key=lambda row: at[row])
    times = np.asarray([at[place] for place in rows])
    answered = np.searchsorted(times + horizon, times, side="right")
    labels = [later - first <= horizon for first, later in zip(at, then, strict=True)]
    return labels, rows, answered
