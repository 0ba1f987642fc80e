"""At a cap the most valuable of what is due together goes; the others are refused, and it is said why."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from agents.protocol.bot import View
from agents.rules.compiled import EntryRule
from messaging.vocabulary.effects import LogStory
from messaging.vocabulary.messages import EntryMet
from messaging.vocabulary.records import Snapshot
from scripts.story import sentence
from tests.rules_builders import PATH, VISITOR, OneVisitor, a_view, some_rules

OTHER = "to-return"


def two_paths(*, worth: float = 1.0, priority: int = 0, **view: object) -> View:
    """Return a view of two paths that send at once; `worth` and `priority` are the other one's."""
    rules = some_rules(timing="now")
    first = msgspec.structs.replace(rules.paths[PATH], entry=EntryRule(api=True))
    second = msgspec.structs.replace(first, name=OTHER, worth=worth, priority=priority)
    return a_view(replace(rules, paths={PATH: first, OTHER: second}), **view)


def snapshots(rates: dict[str, float]) -> dict[str, Snapshot]:
    """Return what was learned of the first stage of each path, by its rate of response."""
    found = {}
    for path, rate in rates.items():
        name = f"next_best/{path}/invited"
        arrays = {"exposures": [1000.0], "successes": [1000.0 * rate]}
        found[name] = Snapshot(policy=name, version=1, arms=["invited-mail-a"], arrays=arrays)
    return found


def both_due(view: View) -> OneVisitor:
    """Let one visitor enter both paths at night, so that both are due at eight."""
    one = OneVisitor(view)
    one.now = one.now.replace(hour=3)
    one.identify()
    for path in (PATH, OTHER):
        one.take(EntryMet(VISITOR, one.now, path, 1))
    one.pass_time(6)
    return one


@pytest.mark.parametrize(
    ("changes", "rates", "goes"),
    [
        ({}, {}, PATH),  # alike: the one whose name comes first, since both are of one age
        ({"worth": 2.0}, {}, OTHER),
        ({"priority": 5}, {}, OTHER),
        ({"worth": 0.5, "priority": 5}, {}, PATH),
        ({}, {PATH: 0.1, OTHER: 0.3}, OTHER),
        ({"worth": 2.0}, {PATH: 0.3, OTHER: 0.1}, PATH),
        ({"worth": 2.0}, {PATH: 0.3}, OTHER),  # nothing is known of the other: worth alone
    ],
)
def test_the_most_valuable_goes(
    changes: dict[str, float], rates: dict[str, float], goes: str
) -> None:
    view = two_paths(**changes)  # type: ignore[arg-type]
    view.snapshots.update(snapshots(rates))
    one = both_due(view)
    assert [plan.path for plan in one.plans] == [goes]


def test_who_is_held_out_is_arbitrated_by_worth_alone() -> None:
    view = two_paths(worth=2.0, holdout=1.0)
    view.snapshots.update(snapshots({PATH: 0.3, OTHER: 0.1}))
    assert [plan.path for plan in both_due(view).plans] == [OTHER]


def test_what_is_refused_says_what_went_before_it_and_goes_when_the_cap_allows_it() -> None:
    one = both_due(two_paths(worth=2.0))
    lines = [e for e in one.effects if isinstance(e, LogStory) and e.kind == "touch.refused"]
    assert [(line.detail["path"], line.detail["rule"], line.detail["ahead"]) for line in lines] == [
        (PATH, "outvalued", OTHER)
    ]
    row = {"kind": "story: touch.refused", "bot": "rules", "detail": lines[0].detail}
    template = one.plans[0].template
    assert f"more value went before it ({template} of {OTHER}, 2 against 1)" in sentence(row)
    assert one.state.refused == 1
    one.pass_time(24)
    assert [plan.path for plan in one.plans] == [OTHER, PATH]
