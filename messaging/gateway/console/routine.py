"""Lay a path out as a diagram: its stages or steps from top to bottom, with who stands there and who went on.

Rules
1. The diagram is as wide as a phone, so that its words can be read there.
2. Everything it shows stands in a table below it too.
3. To the next stage the way is straight; over a stage it goes by the left, in a lane of its own; a won run leaves to
   the right.
4. Of a flow every way that its steps leave open is drawn, also one that nobody went yet, and back where it leads back.
"""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

BOX_LEFT, BOX_RIGHT = 72, 312
BOX_HEIGHT = 76
ROW = 128
TOP = 72
"""Where the first stage begins: above it people enter."""

ENTRY, ENTRY_Y, ENTRY_LEFT = "Enter", 20, 152
GOAL = "the goal"

LANE_FIRST, LANE_STEP, LANE_LAST = 60, 13, 8
RAIL = 352
GOAL_HEIGHT = 52
CORNER = 6
SAID_MAX = 14
"""Characters of a way's condition: two stand beside each other between the boxes."""


class VariantLine(msgspec.Struct, kw_only=True):
    """Say one template of a stage."""

    template: str
    subject: str
    meant_for: str
    """The cohort that alone may get it; empty: everybody."""
    default: str
    """Which attempt gets it by the rules; empty: none."""
    sent: int
    """By every version: a server had a word about so many."""
    bounced: int
    """Of these, they came back."""
    opened: int
    """Of these, a person opened them, as far as can be told."""
    clicked: int
    weighed: str
    """What the policy weighs of them, where older ones count less; empty: nothing is learned."""
    rate: str
    """What the policy expects, with its interval; empty: nothing is learned."""


class StageLine(msgspec.Struct, kw_only=True):
    """Count who came to one stage, or one step of a flow, and what became of them there."""

    name: str
    reached: int
    going: int
    """On the way."""
    calls: int
    """They wait for a person, or a person took them over."""
    won: int
    over: int


class StageNode(StageLine, kw_only=True):
    """Hold one stage, or one step of a flow, with its people."""

    on: str
    """What brings people here; of a step, what it does."""
    is_opportunity: bool
    is_hold: bool
    email: list[tuple[str, str]]
    """(name, value) of what its e-mail step says; of a step of another kind, of what that says."""
    variants: list[VariantLine]


class Edge(msgspec.Struct, kw_only=True):
    """Count the runs that went from one stage to another."""

    source: str
    """Empty: they began at `target`."""
    target: str
    runs: int
    said: str = ""
    """Of a flow: on what condition it is gone; empty: always."""


class OlderLine(msgspec.Struct, kw_only=True):
    """Say who still goes a path by another version than the published one."""

    path: str
    version: int
    people: int
    """On the way, or with a person."""
    has_path: bool
    """Whether the published version has a path of this name."""
    lost: dict[str, int]
    """Stage that the published version lacks -> people who stand there."""


class Routine(msgspec.Struct, kw_only=True):
    """Hold one path, as one version has it.

    Who stands at a stage is counted over all versions where the version is the published one, and of this version alone
    where it is another. Who came, went on, or won is counted over all versions.
    """

    name: str
    version: int
    is_published: bool
    older: list[OlderLine]
    """Who goes it by other versions than the published one, the newest first."""
    title: str
    facts: list[tuple[str, str]]
    entered: int
    stages: list[StageNode]
    edges: list[Edge]
    sent_as_of: str
    """The moment that `sent` of its e-mails is of."""
    is_flow: bool = False
    """True: `edges` holds every way that may be gone."""


class RoutineLine(msgspec.Struct, kw_only=True):
    """Say one path of the list, as the version has it by which it is drawn; counted as in `Routine`."""

    name: str
    version: int
    is_published: bool
    older: list[OlderLine]
    """Who goes it by other versions than the published one, the newest first."""
    title: str
    entered: int
    stages: list[StageLine]
    is_flow: bool = False
    is_paused: bool = False
    """Nothing is planned or sent on it; what is due waits."""
    is_archived: bool = False
    """Nobody is let onto it; who is on it goes on."""


class Routines(msgspec.Struct, kw_only=True):
    """Hold all paths: those that are published, and those that people go by older versions alone."""

    version: int
    """The published one; 0: none is."""
    lines: list[RoutineLine]


class Box(msgspec.Struct, kw_only=True):
    """Place a stage."""

    stage: StageNode
    y: int


class Way(msgspec.Struct, kw_only=True):
    """Draw an edge."""

    d: str
    """The path's shape (SVG)."""
    x: int
    y: int
    """Where its number stands."""
    said: str
    title: str
    kind: str
    """`on`, `over` or `won`."""


class Diagram(msgspec.Struct, kw_only=True):
    """Hold a laid out path."""

    width: int
    height: int
    boxes: list[Box]
    ways: list[Way]
    goal_y: int
    won: int


def laid_out(routine: Routine) -> Diagram:
    """Return where everything stands."""
    boxes = [Box(stage=stage, y=TOP + ROW * row) for row, stage in enumerate(routine.stages)]
    place = {box.stage.name: row for row, box in enumerate(boxes)} | {"": -1}
    goal_y = TOP + ROW * len(boxes)
    known = [edge for edge in routine.edges if edge.source in place and edge.target in place]
    reached = {stage.name: stage.reached for stage in routine.stages} | {"": routine.entered}
    next_to = [edge for edge in known if place[edge.target] == place[edge.source] + 1]
    if not routine.is_flow:
        next_to = _neighbours(routine, next_to)
    ways = [_straight(edge, place[edge.target], reached[edge.source]) for edge in next_to]
    over = [edge for edge in known if place[edge.target] != place[edge.source] + 1]
    over.sort(key=lambda edge: abs(place[edge.target] - place[edge.source]))
    lanes: list[list[tuple[int, int]]] = []
    for edge in over:
        rows = (place[edge.source], place[edge.target])
        lane = _lane(lanes, rows)
        way = _by_the_left(edge, rows, lane, reached[edge.source])
        if edge.source:
            _put_between(way, edge, rows, lane)
        ways.append(way)
    ways += [_won(box, goal_y) for box in boxes if box.stage.won]
    won = sum(stage.won for stage in routine.stages)
    height = goal_y + GOAL_HEIGHT + 8
    return Diagram(width=400, height=height, boxes=boxes, ways=ways, goal_y=goal_y, won=won)


def _neighbours(routine: Routine, known: list[Edge]) -> list[Edge]:
    """Return the ways from each stage to the next, also those that nobody went."""
    runs = {(edge.source, edge.target): edge.runs for edge in known}
    names = ["", *(stage.name for stage in routine.stages)]
    return [
        Edge(source=source, target=target, runs=runs.get((source, target), 0))
        for source, target in itertools.pairwise(names)
    ]


def _lane(lanes: list[list[tuple[int, int]]], rows: tuple[int, int]) -> int:
    """Return the first lane in which a way meets no other, and take it."""
    low, high = sorted(rows)
    for number, taken in enumerate(lanes):
        if all(high <= other_low or low >= other_high for other_low, other_high in taken):
            taken.append((low, high))
            return number
    lanes.append([(low, high)])
    return len(lanes) - 1


def share(part: int, whole: int) -> str:
    """Return a share in words.

    >>> share(1, 8), share(0, 0)
    ('12 %', '–')
    """
    return f"{100 * part / whole:.0f} %" if whole else "–"


def rows_of(routine: Routine) -> list[dict[str, Any]]:
    """Return every edge as a row of the table: from, to, runs, share of those who were there."""
    names = ["", *(stage.name for stage in routine.stages)]
    reached = {stage.name: stage.reached for stage in routine.stages} | {"": routine.entered}
    edges = [edge for edge in routine.edges if edge.source in reached and edge.target in reached]
    edges.sort(key=lambda edge: (names.index(edge.source), names.index(edge.target)))
    edges += [
        Edge(source=stage.name, target=GOAL, runs=stage.won)
        for stage in routine.stages
        if stage.won
    ]
    return [
        {
            "source": edge.source or ENTRY,
            "target": f"{edge.target} ({edge.said})" if edge.said else edge.target,
            "runs": edge.runs,
            "share": share(edge.runs, reached[edge.source]),
        }
        for edge in edges
    ]


def _title(edge: Edge, portion: str) -> str:
    if not edge.source:
        return f"{edge.runs:,} began at {edge.target}, {portion} of all"
    way = f"from {edge.source} to {edge.target}" + (f" ({edge.said})" if edge.said else "")
    return f"{edge.runs:,} went {way}, {portion} of those who were there"


def _straight(edge: Edge, row: int, whole: int) -> Way:
    middle = (BOX_LEFT + BOX_RIGHT) // 2
    end = TOP + ROW * row - 6
    begin = end - (ROW - BOX_HEIGHT - 6) if row else ENTRY_Y + 10
    portion = share(edge.runs, whole)
    said = f"{edge.runs:,} · {portion}" if edge.runs and row else f"{edge.runs:,}"
    return Way(
        d=f"M{middle} {begin}V{end}",
        x=middle + 10,
        y=(begin + end) // 2 + 5,
        said=_with_condition(edge, said),
        title=_title(edge, portion),
        kind="on",
    )


def _by_the_left(edge: Edge, rows: tuple[int, int], lane: int, whole: int) -> Way:
    x = max(LANE_LAST, LANE_FIRST - LANE_STEP * lane)
    # Lanes leave and arrive one below the other, so that none hides the next.
    begin = TOP + ROW * rows[0] + BOX_HEIGHT - 12 - 4 * (lane % 6)
    end = TOP + ROW * rows[1] + 14 + 7 * (lane % 6)
    from_x = BOX_LEFT
    if not edge.source:
        begin, from_x = ENTRY_Y, ENTRY_LEFT
    return Way(
        d=_round(from_x, x, BOX_LEFT - 6, begin, end),
        x=x + 4,
        y=(begin + end) // 2 + 16 * (lane % 3) - 16,
        said=f"{edge.runs:,}",
        title=_title(edge, share(edge.runs, whole)),
        kind="over",
    )


def _with_condition(edge: Edge, said: str) -> str:
    """Return a way's number with the condition on which it is gone; a long one is cut, the table has it whole."""
    short = edge.said if len(edge.said) <= SAID_MAX else f"{edge.said[: SAID_MAX - 1]}…"
    return f"{short}: {said}" if short else said


def _put_between(way: Way, edge: Edge, rows: tuple[int, int], lane: int) -> None:
    """Put a way's number between two boxes, beside the step that it leaves: there is room for its condition as well."""
    gap = TOP + ROW * rows[0] + (BOX_HEIGHT if rows[1] > rows[0] else BOX_HEIGHT - ROW)
    way.y = gap + 18 + 14 * (lane % 3)
    way.said = _with_condition(edge, way.said)


def _won(box: Box, goal_y: int) -> Way:
    y = box.y + BOX_HEIGHT // 2
    end = goal_y + GOAL_HEIGHT // 2
    portion = share(box.stage.won, box.stage.reached)
    return Way(
        d=_round(BOX_RIGHT, RAIL, BOX_RIGHT + 6, y, end),
        x=RAIL + 6,
        y=y + 18,
        said=f"{box.stage.won:,}",
        title=f"{box.stage.won:,} reached the goal from {box.stage.name}, {portion} of those who were there",
        kind="won",
    )


def _round(from_x: int, rail: int, to_x: int, begin: int, end: int) -> str:
    """Return a way that goes out sideways, along a rail (down, or up again), and back in, with round corners."""
    inward = CORNER if rail < from_x else -CORNER
    onward = CORNER if end > begin else -CORNER
    out = f"M{from_x} {begin}H{rail + inward}Q{rail} {begin} {rail} {begin + onward}"
    return f"{out}V{end - onward}Q{rail} {end} {rail + inward} {end}H{to_x}"
