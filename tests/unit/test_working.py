"""Who did the work, and what learning brings: both counts, and an interval that is honest about few."""

from __future__ import annotations

from typing import Any

import pytest

from agents.runtime.figures import arms_in, stages_in
from scripts.lift import difference, lift_now, wilson
from scripts.working import tasks


def some_facts(**changed: Any) -> dict[str, Any]:
    counts = {
        "runs": {"waiting": 5, "won": 3},
        "engagements": {"shown": 4, "clicked": 2},
        "people": {"people": 40},
        "sends": {"handed over": 17},
        "follow_ups": 9,
        "alerts": 3,
    }
    return {"counts": counts, "kinds": {}, "acts": {}, "by_people": 2, **changed}


def test_each_kind_of_task_has_both_counts() -> None:
    facts = some_facts(
        kinds={"template": 20, "send_hour": 18, "interaction": 6},
        acts={"alert.resumed": 1, "rules.published": 4, "session.opened": 99},
    )
    found = {task.name: (task.machine, task.people) for task in tasks(facts)}
    assert found["Choose whom"] == (7, 1), "a run that a person resumed is the person's"
    assert found["Choose what"] == (26, 0)
    assert found["Choose when"] == (18, 0)
    assert found["Send"] == (23, 0)
    assert found["Follow up"] == (9, 0)
    assert found["Hand over"] == (3, 2)
    assert found["Set the strategy"] == (0, 4)


def test_nothing_done_is_nothing_for_both() -> None:
    counts = {"runs": {}, "engagements": {}, "people": {"people": 0}}
    counts |= {"sends": {"handed over": 0}, "follow_ups": 0, "alerts": 0}
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
        "follow_ups": 4.0,
    }
    assert stages_in(figures) == {"lead": {"cart": {"won": 2}}}
    assert arms_in(figures) == {"lead": {"learning": (9, 2), "rules": (3, 0)}}
