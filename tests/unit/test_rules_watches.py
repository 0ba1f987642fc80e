"""Of many rules that ask for a property's value each, an event is held against those of the value it has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.behavior_builders import a_view_of

ASKED: list[dict[str, Any]] = [
    {"size": 5},
    {"size": {"in": ["5", 6]}},
    {"size": {"at_least": 5}},
    {"size": 5, "color": "Red"},
    {"color": {"exists": True}},
    {"color": {"starts_with": "r"}},
    {"size": True},
]
SENT: list[dict[str, Any]] = [
    {},
    {"size": 5},
    {"size": 5.0, "color": " red "},
    {"size": "6"},
    {"size": None, "color": "blue"},
    {"size": True},
    {"size": [5]},
    {"size": {"a": 1}},
]


@pytest.mark.parametrize("sent", SENT)
def test_the_watches_of_a_value_leave_the_marks_that_all_would(sent: dict[str, Any]) -> None:
    trees = [{"event": {"name": "Form Sent", "properties": asked}} for asked in ASKED]
    trees.append({"sequence": {"steps": ["Form Sent", "Form Read"], "within_days": 2}})
    watching = a_view_of(trees).rules.watched["Form Sent"]
    found = [watch for watch in watching.of(sent) if [*watch.marks("Form Sent", sent, 1.0)]]
    all_of_them = {watch.id: watch for watch in watching.watches}
    assert len(all_of_them) == len(trees)
    wanted = [each for each in all_of_them.values() if [*each.marks("Form Sent", sent, 1.0)]]
    assert sorted(each.id for each in found) == sorted(each.id for each in wanted)


def test_an_event_is_not_held_against_the_values_it_does_not_have() -> None:
    trees = [{"event": {"name": "Form Sent", "properties": {"size": n}}} for n in range(50)]
    watching = a_view_of(trees).rules.watched["Form Sent"]
    assert len([*watching.of({"size": 7})]) == 1
    assert [*watching.of({})] == []
