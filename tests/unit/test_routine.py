"""A path drawn with its people: which ways were taken, where everything stands, and what the table says."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import combinations
from typing import Any, cast

import pytest

from agents.rules_manager.bot import RulesBot
from agents.rules_manager.counted import way_of
from agents.rules_manager.flow import BEGAN, merged
from agents.rules_manager.state import RulesState, Run
from agents.runtime.figures import edges_in
from config.load import compile_files
from messaging.gateway.console.routine import Edge, Routine, StageNode, laid_out, rows_of
from messaging.ports import Store
from scripts.learned import interval
from scripts.routine import facts_of, routine_of
from scripts.sent import SentNow
from tests.flow_builders import files_of, on
from tests.gateway_builders import NOON
from tests.rules_builders import PATH

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
    return Routine(
        name="lead",
        version=1,
        is_published=True,
        older=[],
        title="",
        facts=[],
        entered=entered,
        stages=stages,
        edges=edges,
        sent_as_of="",
    )


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


FLOW = """
- {name: rest, wait: {hours: 2}}
- name: q
  if: {in_cart: true}
  then: [{name: yes, tag: y}]
  else: [{name: "no", tag: n}]
- {name: hello, email: {timing: now, templates: [hello]}}
- {name: up, goto: rest, times: 1}
- {name: over, end: true}
"""


NOTHING = SentNow("", {})


class Figures:
    """Stand for the store: sums of the Rules Manager's commits, and nothing learned."""

    def __init__(self, figures: dict[str, float]) -> None:
        self._figures = figures

    async def figures(self, bot: str) -> dict[str, float]:
        assert bot == "rules"
        return self._figures

    async def rows(self, *_: Any, **__: Any) -> list[Any]:
        return []


async def drawn_flow(figures: dict[str, float]) -> Routine:
    rules = compile_files(files_of(FLOW), 1)
    found = await routine_of(cast("Store", Figures(figures)), rules, PATH, NOTHING, rules)
    assert found is not None
    return found


async def test_a_flow_is_drawn_with_every_way_its_branches_leave_open() -> None:
    lead = on(FLOW)
    lead.pass_time(3)
    found = await drawn_flow(lead.bot.figures(lead.state))
    ways = {(edge.source, edge.target): (edge.said, edge.runs) for edge in found.edges}
    assert ways == {
        ("", "rest"): ("", 1),
        ("rest", "q"): ("", 1),
        ("q", "yes"): ("yes", 0),
        ("q", "no"): ("no", 1),
        ("yes", "hello"): ("", 0),
        ("no", "hello"): ("", 1),
        ("hello", "up"): ("", 1),
        ("up", "rest"): ("again", 1),
        ("up", "over"): ("enough", 0),
    }
    assert [node.name for node in found.stages if node.going] == ["rest"]
    diagram = laid_out(found)
    assert len(diagram.ways) == len(ways)
    assert len({way.d for way in diagram.ways}) == len(ways), "none hides another"
    assert {way.said for way in diagram.ways} >= {"yes: 0", "no: 1", "again: 1", "enough: 0"}
    back = next(way for way in diagram.ways if way.said == "again: 1")
    begin, end = re.findall(r"^M72 (\d+)", back.d)[0], re.findall(r" (\d+)H66$", back.d)[0]
    assert int(begin) > int(end), "it leads up again"
    assert ("no (no)", 1) in [(row["target"], row["runs"]) for row in rows_of(found)]
    assert {node.name: node.reached for node in found.stages}["rest"] == 1, "one came, twice"


async def test_every_way_is_counted_once_a_run_however_often_it_is_gone() -> None:
    lead = on(FLOW.replace("times: 1", "times: 3"))
    lead.pass_time(30)
    lead.state.cohorts.append(f".{PATH}.q")  # asked again, the answer is another one
    lead.pass_time(30)
    assert lead.run.gone["up"] > 1
    found = await drawn_flow(lead.bot.figures(lead.state))
    runs = {(edge.source, edge.target): edge.runs for edge in found.edges}
    assert {ways for ways, count in runs.items() if count != 1} <= {("up", "over")}
    assert {node.reached for node in found.stages if node.name != "over"} == {1}


async def test_a_half_of_a_visitor_that_had_come_further_brings_where_it_went_back() -> None:
    lead, other = on(FLOW), on(FLOW)
    other.pass_time(3)
    lead.run.came, lead.run.reached = [BEGAN], {"rest": lead.now}
    assert merged(lead.run, other.run, "up") == "up"
    assert lead.run.again == other.run.again == [(4, 0)]


async def test_a_way_that_the_published_flow_has_no_more_is_shown_while_runs_have_gone_it() -> None:
    found = await drawn_flow({f"steps/{PATH}/rest|hello": 3, f"steps/{PATH}/gone|rest": 2})
    ways = {(edge.source, edge.target): edge.runs for edge in found.edges}
    assert ways["rest", "hello"] == 3
    diagram = laid_out(found)
    assert all(0 <= way.y < diagram.height for way in diagram.ways)


async def test_a_step_says_what_it_does_and_only_emails_have_variants() -> None:
    found = await drawn_flow({})
    said = {node.name: node.on for node in found.stages}
    assert said["rest"] == "waits 2 hours"
    assert said["up"] == "back to rest, 1 time"
    assert {node.name for node in found.stages if node.variants} == {"hello"}


@pytest.mark.parametrize(
    ("hours", "said"),
    [("{from: 0, to: 0}", "none"), ("{from: 21, to: 8}", "21:00 to 8:00 in the visitor's zone")],
)
def test_quiet_hours_that_are_none_are_said_to_be_none(hours: str, said: str) -> None:
    files = files_of("- {name: rest, wait: {hours: 1}}")
    file = f"paths/{PATH}.yaml"
    quiet = re.sub(r"quiet_hours: .*", f"quiet_hours: {hours}", files[file])
    path = compile_files({**files, file: quiet}, 1).paths[PATH]
    assert dict(facts_of(path))["quiet hours"] == said
