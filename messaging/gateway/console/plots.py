"""Lay columns out as a chart. Pure.

Rules
1. Every column says its number where the pointer rests on it; a legend names the series; the page that shows the chart
   shows a table of the same numbers too.
2. Sizes are those of the drawing, which scales with the page: it is as wide as a page's text.
"""

from __future__ import annotations

import math

import msgspec

LEFT, RIGHT, TOP, BOTTOM = 52.0, 628.0, 10.0, 170.0
WIDTH, HEIGHT = 640, 200
GAP = 0.25
"""Share of a place that stays empty between the columns of one label and the next."""

LABELS_MAX = 12
TICKS = 3


class Column(msgspec.Struct, kw_only=True):
    """Place one column."""

    x: float
    y: float
    width: float
    height: float
    series: str
    said: str


class Mark(msgspec.Struct, kw_only=True):
    """Place a word at an axis."""

    at: float
    said: str


class Plot(msgspec.Struct, kw_only=True):
    """Hold a chart of columns."""

    width: int
    height: int
    columns: list[Column]
    across: list[Mark]
    """Below the columns."""
    up: list[Mark]
    """Left of them, with a line each."""
    series: list[str]


def columns(labels: list[str], series: list[tuple[str, list[float]]]) -> Plot:
    """Return the chart of some series of counts over the same labels.

    >>> plot = columns(["Mon", "Tue"], [("draft", [1.0, 2.0])])
    >>> [each.said for each in plot.columns], [each.said for each in plot.up]
    (['Mon, draft: 1', 'Tue, draft: 2'], ['0', '1', '2'])
    """
    most = nice(max(2.0, *(max(values, default=0.0) for _, values in series)))
    place = (RIGHT - LEFT) / max(1, len(labels))
    wide = place * (1 - GAP) / max(1, len(series))
    found = []
    for number, label in enumerate(labels):
        for nth, (name, values) in enumerate(series):
            tall = (BOTTOM - TOP) * values[number] / most
            column = Column(
                x=round(LEFT + place * number + place * GAP / 2 + wide * nth, 2),
                y=round(BOTTOM - tall, 2),
                width=round(wide, 2),
                height=round(tall, 2),
                series=name,
                said=f"{label}, {name}: {values[number]:,.12g}",
            )
            found.append(column)
    step = max(1, math.ceil(len(labels) / LABELS_MAX))
    across = [
        Mark(at=round(LEFT + place * (number + 0.5), 1), said=label)
        for number, label in enumerate(labels)
        if number % step == 0
    ]
    parts = TICKS if most % TICKS == 0 else 2
    up = [
        Mark(
            at=round(BOTTOM - (BOTTOM - TOP) * part / parts, 1), said=f"{most * part / parts:,.3g}"
        )
        for part in range(parts + 1)
    ]
    return Plot(
        width=WIDTH,
        height=HEIGHT,
        columns=found,
        across=across,
        up=up,
        series=[name for name, _ in series],
    )


def nice(most: float) -> float:
    """Return a round number that is at least this, and more than nothing.

    >>> [nice(each) for each in (0.0, 3.0, 0.07, 41.0, 1_001.0)]
    [2.0, 4.0, 0.08, 60.0, 2000.0]
    """
    if most <= 0:
        return 2.0
    size = 10.0 ** math.floor(math.log10(most))
    return next(
        round(step * size, 12)
        for step in (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
        if step * size >= most - 1e-9
    )
