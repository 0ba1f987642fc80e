"""Measure when mail is read: hours of the week lived through, and hours of opens on a weekday held out."""

from __future__ import annotations

import numpy as np

from learning.protocols import opens, weeks
from learning.protocols.weeks_peers import PEERS
from learning.serving.hours import SHAPES
from scripts.bench_learning_rows import Effort, Held, Vector, by_lead, ratio_by_lead, row
from scripts.bench_measure import Row, Say
from scripts.bench_sets import BenchSet, SetError, numbers_of, read_columns, seconds_of

BEHIND_MAX = 0.012
"""What the learned policy may lose to the best peer of the same run, hits a send."""

LATE = 1.3
"""What the last third should have over one hour for everybody."""

WEEKDAY_SHARE = 0.99
"""What may be left of the weekday's hour: no over-personalising from echoes of campaigns."""


def send_time(known: BenchSet, say: Say, effort: Effort) -> list[Row]:
    """Return the rows of a log of who was there when."""
    log = _weeks_of(known)
    lived = weeks.live_learned(log)
    each_seed = [lived.hit(np.random.default_rng(seed)) for seed in effort.seeds]
    learned: Vector = np.mean(each_seed, axis=0)
    runs = [float(hit.mean()) for hit in each_seed]
    peers: dict[str, Vector] = {}
    for name, peer in PEERS.items():
        say(f"learning: {known.name}, {name}")
        peers[name] = np.mean(
            [peer(log, np.random.default_rng(seed)) for seed in effort.seeds], axis=0
        )
    best = max(peers, key=lambda name: peers[name].mean())
    name = f"send_time.{known.name}"
    rows = [
        row(
            f"{name}.mean",
            by_lead(learned, log.leads, runs),
            "hits a send",
            (f"{best} {peers[best].mean():.4f}", float(peers[best].mean())),
            goal="reported",
            reached=True,
            notes=_notes(log, [SHAPES[shape] for shape in dict.fromkeys(lived.acted)]),
        )
    ]
    for peer_name, hits in peers.items():
        ahead = by_lead(learned - hits, log.leads, [run - float(hits.mean()) for run in runs])
        rows.append(
            row(
                f"{name}.ahead of {peer_name}",
                ahead,
                "hits a send",
                (f"{peer_name} {hits.mean():.4f}", float(hits.mean())),
                goal=f"interval above -{BEHIND_MAX}",
                reached=ahead.low > -BEHIND_MAX,
            )
        )
    return [*rows, _late(name, log, learned, peers)]


def open_hour(known: BenchSet, say: Say, effort: Effort) -> list[Row]:
    """Return the row of opens without dates."""
    columns = read_columns(known)
    hours = [int(value // 3600) for value in numbers_of(columns[known.column("second")])]
    days = [int(value) for value in numbers_of(columns[known.column("weekday")])]
    if not (all(0 <= each < 24 for each in hours) and all(0 <= each < 7 for each in days)):
        raise SetError(f"{known.name}: weekday must be 0 to 6 and second 0 to 86,399")
    counts = opens.counts_of(columns[known.column("user")], days, hours)
    if len(counts) < opens.FOLDS**2:
        raise SetError(f"{known.name}: {len(counts)} leads are too few for folds within folds")
    told = []
    for seed in effort.seeds:
        say(f"learning: {known.name}, folds {seed + 1} of {len(effort.seeds)}")
        told.append(opens.predict(counts, np.random.default_rng(seed)))
    total = float(counts.sum())
    chosen = sorted({prior for each in told for prior in each.priors})
    share = {name: [float(each.hits[name].sum()) / total for each in told] for name in told[0].hits}
    learned: Vector = np.mean([each.hits[opens.LEARNED] for each in told], axis=0)
    weekday: Vector = np.mean([each.hits[opens.WEEKDAY] for each in told], axis=0)
    over = zip(share[opens.LEARNED], share[opens.WEEKDAY], strict=True)
    ratio = ratio_by_lead(learned, weekday, [one / other for one, other in over])
    return [
        row(
            f"open_hour.{known.name}",
            ratio,
            f"× {opens.WEEKDAY}",
            (f"{opens.WEEKDAY} {np.mean(share[opens.WEEKDAY]):.4f} hits an open", 1.0),
            goal=f"≥ {WEEKDAY_SHARE} ×",
            reached=ratio.value >= WEEKDAY_SHARE,
            notes=[
                f"{len(counts):,} leads, {total:,.0f} opens; leads are drawn anew for the interval",
                "hits an open: " + ", ".join(f"{n} {np.mean(v):.4f}" for n, v in share.items()),
                f"opens that everybody's weigh, chosen inside each fold: {chosen} of {opens.PRIORS}",
            ],
        )
    ]


def _weeks_of(known: BenchSet) -> weeks.Weeks:
    columns = read_columns(known)
    seconds = seconds_of(columns[known.column("time")], known.time_format)
    try:
        log = weeks.weeks_of(columns[known.column("user")], seconds)
    except ValueError as error:
        raise SetError(f"{known.name}: {error}") from None
    if not len(log.leads):
        raise SetError(f"{known.name}: nobody is there in {weeks.LEAD_WEEKS_MIN} weeks or more")
    return log


def _late(name: str, log: weeks.Weeks, learned: Vector, peers: dict[str, Vector]) -> Row:
    """Return the row of the last third of the lead-weeks, against one hour for everybody."""
    late = slice(len(learned) * 2 // 3, None)
    one = peers["global greedy"]
    leads = np.unique(log.leads[late], return_inverse=True)[1]
    sums: list[Vector] = [
        np.bincount(leads, weights=hits[late]).astype(np.float64) for hits in (learned, one)
    ]
    ratio: Held = ratio_by_lead(sums[0], sums[1], [])
    return row(
        f"{name}.last third",
        ratio,
        "× global greedy",
        (f"global greedy {one[late].mean():.4f} hits a send", 1.0),
        goal=f"≥ {LATE} ×",
        reached=ratio.value >= LATE,
        notes=[
            f"learned {learned[late].mean():.4f}",
            ", ".join(f"{each} {hits[late].mean():.4f}" for each, hits in peers.items()),
        ],
    )


def _notes(log: weeks.Weeks, acted: list[object]) -> list[str]:
    return [
        f"{log.count} leads, {len(log.leads):,} lead-weeks; uniform {log.hits.mean():.4f}",
        f"one of {len(SHAPES)} shapes acts, chosen inside the run; in turn: "
        + "; ".join(str(shape) for shape in acted),
    ]
