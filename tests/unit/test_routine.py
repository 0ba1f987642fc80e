"""A path drawn with its people: which ways were taken, where everything stands, and what the table says."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import combinations

import pytest

from agents.rules_manager.bot import RulesBot, way_of
from agents.rules_manager.state import RulesState, Run
from agents.runtime.figures import edges_in
from messaging.gateway.console.routine import Edge, Routine, StageNode, laid_out, rows_of
from scripts.learned import interval
from tests.gateway_builders import NOON

STAGES = ["invited", "opened", "visited", "cart"]


def a_run(stage: str, status: str = "waiting", **hours: float) -> Run:
    """Return a run that stands at a stage; `hours`: stage -> hours after its entry at which it was reached."""
    reached = {name: NOON + timedelta(hours=after) for name, after in hours.items()}
    return Run("lead", 1, "1", NOON, stage, status, holdout=False, reached=reached)


def edges_of(*runs: Run) -> dict[tuple[str, str], int]:
    figures: dict[str, float] = {}
    for run in runs:
        for name, value in RulesBot().figures(RulesState("v", runs={"lead": run})).items():
            figures[name] = figures.get(name, 0) + value
    return edges_in(figures, "lead", STAGES)


@pytest.mark.parametrize(
    ("run", "edges"),
    [
        (a_run("invited"), {("", "invited"): 1}),
        (a_run("opened", opened=3), {("", "invited"): 1, ("invited", "opened"): 1}),
        # The cart came first: what was opened afterwards is no step forward.
        (a_run("cart", cart=2, opened=5), {("", "invited"): 1, ("invited", "cart"): 1}),
        # It had been in the cart when it entered, or a person let it go on from there.
        (a_run("cart", cart=0, opened=5), {("", "cart"): 1}),
        # What was done after the purchase moved nobody.
        (
            a_run("opened", "won", opened=1, cart=9),
            {("", "invited"): 1, ("invited", "opened"): 1},
        ),
        (
            a_run("cart", visited=1, opened=2, cart=3),
            {("", "invited"): 1, ("invited", "visited"): 1, ("visited", "cart"): 1},
        ),
    ],
)
def test_the_way_of_a_run_is_its_steps_forward(run: Run, edges: dict[tuple[str, str], int]) -> None:
    assert edges_of(run) == edges


def test_ways_add_up_and_a_stage_that_the_path_lost_is_passed_over() -> None:
    gone = a_run("cart", gone=1, cart=2)
    found = edges_of(a_run("cart", cart=2), gone, a_run("opened", opened=1))
    assert found == {("", "invited"): 3, ("invited", "cart"): 2, ("invited", "opened"): 1}
    assert way_of(gone) == "0|gone|cart"


def a_routine(edges: list[Edge], won: int = 0) -> Routine:
    def node(name: str) -> StageNode:
        came = sum(edge.runs for edge in edges if edge.target == name)
        return StageNode(
            name=name,
            on="",
            reached=came,
            going=0,
            calls=0,
            won=won,
            over=0,
            is_opportunity=False,
            is_hold=False,
            email=[],
            variants=[],
        )

    entered = sum(edge.runs for edge in edges if not edge.source)
    stages = [node(name) for name in STAGES]
    return Routine(name="lead", title="", facts=[], entered=entered, stages=stages, edges=edges)


def test_every_way_that_can_be_taken_stays_within_the_picture() -> None:
    edges = [Edge(source=a, target=b, runs=1) for a, b in combinations(["", *STAGES], 2)]
    diagram = laid_out(a_routine(edges, won=3))
    for way in diagram.ways:
        numbers = [float(each) for each in re.findall(r"\d+(?:\.\d+)?", way.d)]
        assert all(0 <= each <= max(diagram.width, diagram.height) for each in numbers)
        assert 0 <= way.x < diagram.width
        assert 0 <= way.y < diagram.height
    assert len({way.d for way in diagram.ways}) == len(diagram.ways), "none hides another"
    assert diagram.won == 12


def test_an_empty_path_has_its_stages_and_no_numbers() -> None:
    routine = a_routine([])
    assert [box.stage.name for box in laid_out(routine).boxes] == STAGES
    assert rows_of(routine) == []


def test_the_table_holds_what_the_picture_shows() -> None:
    edges = [
        Edge(source="invited", target="cart", runs=2),
        Edge(source="", target="invited", runs=8),
        Edge(source="gone", target="cart", runs=5),
    ]
    rows = [tuple(row.values()) for row in rows_of(a_routine(edges))]
    assert rows == [("Enter", "invited", 8, "100 %"), ("invited", "cart", 2, "25 %")]


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (1.0, 500.0), (90_000.0, 10_000.0), (3.0, 9.0)])
def test_an_interval_holds_the_mean_and_lies_between_none_and_all(a: float, b: float) -> None:
    low, high = interval(a, b)
    assert 0.0 <= low < a / (a + b) < high <= 1.0
