"""Who did the work, and what learning brings: both counts, and an interval that is honest about few."""

from __future__ import annotations

from typing import Any

import pytest

from agents.runtime.figures import arms_in, stages_in
from scripts.lift import difference, lift_now, wilson
from scripts.working import both, tasks

WORK = {
    "segment": {"machine": 70, "people": 12},
    "score": {"machine": 40},
    "whom": {"machine": 7, "people": 3},
    "what": {"machine": 12, "people": 5},
    "offer": {"machine": 4, "people": 2},
    "when": {"machine": 11, "people": 6},
    "send": {"machine": 15, "people": 2},
    "follow_up": {"machine": 9, "people": 1},
}


def some_facts(**changed: Any) -> dict[str, Any]:
    counts = {
        "engagements": {"shown": 4, "clicked": 2},
        "sends": {"handed over": 19},
        "work": WORK,
        "alerts": 5,
    }
    return {"counts": counts, "acts": {}, "by_people": 2, **changed}


def test_each_kind_of_task_has_both_counts() -> None:
    acts = {"alert.changed": 1, "rules.published": 4, "template.tested": 3, "session.opened": 99}
    found = {task.name: (task.machine, task.people) for task in tasks(some_facts(acts=acts))}
    assert found == {
        "Set the strategy": (0, 4),
        "Segment": (70, 13),
        "Score": (40, 0),
        "Choose whom": (7, 3),
        "Choose what": (16, 7),
        "Choose when": (11, 6),
        "Send": (23, 5),
        "Follow up": (9, 1),
        "Hand over": (3, 2),
    }


def test_what_only_one_of_the_two_can_do_has_no_share() -> None:
    told = tasks(some_facts())
    assert {task.name for task in told if not task.shared} == {"Set the strategy", "Score"}
    machine, people = both(told)
    assert machine == sum(t.machine for t in told) - 40
    assert people == sum(t.people for t in told)


def test_nothing_done_is_nothing_for_both() -> None:
    counts = {"engagements": {}, "sends": {"handed over": 0}, "work": {}, "alerts": 0}
    assert {(t.machine, t.people) for t in tasks(some_facts(counts=counts, by_people=0))} == {
        (0, 0)
    }


@pytest.mark.parametrize("arms", [{}, {"rules": (1, 1)}, {"learning": (500, 9), "rules": (1, 0)}])
def test_too_few_have_no_verdict(arms: dict[str, tuple[int, int]]) -> None:
    told = lift_now("lead", arms)
    assert (told.difference, told.interval) == ("no verdict", "too few runs to compare")


def test_an_interval_holds_the_difference_and_narrows_with_more_people() -> None:
    few = difference((3, 10), (2, 10))
    many = difference((300, 1_000), (200, 1_000))
    for middle, low, high in (few, many):
        assert low < middle < high
    assert many[2] - many[1] < (few[2] - few[1]) / 5
    assert few[1] < 0 < few[2]
    assert many[1] > 0


@pytest.mark.parametrize(("won", "of"), [(0, 5), (5, 5), (0, 1_000_000)])
def test_an_interval_stays_a_share_at_its_ends(won: int, of: int) -> None:
    low, high = wilson(won, of)
    assert 0.0 <= low <= won / of <= high <= 1.0


def test_figures_of_arms_and_of_stages_are_told_apart() -> None:
    figures = {
        "runs/lead/won/cart": 2.0,
        "arms/lead/rules/entered": 3.0,
        "arms/lead/learning/entered": 9.0,
        "arms/lead/learning/won": 2.0,
        "work/send/machine": 4.0,
    }
    assert stages_in(figures) == {"lead": {"cart": {"won": 2}}}
    assert arms_in(figures) == {"lead": {"learning": (9, 2), "rules": (3, 0)}}
