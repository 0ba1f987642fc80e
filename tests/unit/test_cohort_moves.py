"""Which cohorts a visitor entered and left, and by what, is part of their story."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from agents.behavior_bot.state import MOVES_MAX
from agents.rules.flow import is_hidden
from agents.runtime.timelines import moves_of
from messaging.vocabulary.effects import Effect, Tell
from messaging.vocabulary.messages import CohortEntered, CohortLeft
from scripts.story import sentence
from tests.behavior_builders import (
    START,
    Ann,
    a_page,
    a_track,
    a_view_of,
    an_identify,
)

BOUGHT = {"event": {"name": "Product Added"}}
FRESH = {"event": {"name": "Product Added", "within_days": 2}}


def told_of(effects: list[Effect], kind: type[CohortEntered | CohortLeft]) -> list[str]:
    return [
        each.message.cohort
        for each in effects
        if isinstance(each, Tell) and isinstance(each.message, kind)
    ]


def said(ann: Ann) -> list[str]:
    return [sentence(line) for line in moves_of(ann.state)]


def test_what_was_done_is_what_moved_them_and_time_is_where_it_did() -> None:
    ann = Ann(a_view_of([BOUGHT, FRESH]))
    ann.sees(a_page(1), a_track(2, "Product Added"))
    assert said(ann) == ['entered cohorts c0 + c1: did "Product Added"']
    ann.wakes_until(START + timedelta(days=4))
    assert said(ann)[1:] == ["left cohort c1: time went by"]
    [_, left] = moves_of(ann.state)
    assert START + timedelta(days=2) <= left["at"] < START + timedelta(days=4)


def test_who_is_moved_by_a_version_of_the_rules_is_told_so() -> None:
    ann = Ann(a_view_of([BOUGHT]))
    ann.sees(a_track(1, "Product Added"))
    later = a_view_of([{"not": BOUGHT}])
    ann.view = msgspec.structs.replace(later, rules_version=2, pinned={2: later.rules})
    ann.sees(a_page(2))
    assert said(ann)[1:] == ["left cohort c0: version 2 of the rules was published"]


def test_cohorts_are_left_and_entered_in_the_order_they_are_written_whatever_they_need() -> None:
    """One needs a trait, one an event, one nothing: what they are looked up by says nothing of their order."""
    holds = [
        {"trait": {"name": "plan", "equals": "a"}},
        {"not": BOUGHT},
        {"trait": {"name": "b", "exists": True}},
    ]
    trees = [each for tree in holds for each in (tree, {"not": tree})]
    ann = Ann(a_view_of(trees))
    first = ann.sees(an_identify(1, "u1", traits={"plan": "a", "b": True}))
    assert told_of(first, CohortEntered) == ["c0", "c2", "c4"]
    later = [an_identify(2, "u1", traits={"plan": "z", "b": None}), a_track(3, "Product Added")]
    moved = ann.sees(later[0])
    assert (told_of(moved, CohortLeft), told_of(moved, CohortEntered)) == (
        ["c0", "c4"],
        ["c1", "c5"],
    )
    moved = ann.sees(later[1])
    assert (told_of(moved, CohortLeft), told_of(moved, CohortEntered)) == (["c2"], ["c3"])


def test_no_more_than_the_newest_moves_are_kept() -> None:
    ann = Ann(a_view_of([{"event": {"name": "Product Added", "within_hours": 1}}]))
    for number in range(MOVES_MAX):
        at = START + timedelta(hours=5 * number)
        ann.wakes_until(at)
        ann.sees(a_track(number, "Product Added", at=at))
    assert len(ann.state.moves) == MOVES_MAX
    assert ann.state.moves == sorted(ann.state.moves)
    assert ann.state.moves[-1][1:] == ("+c0", "track:Product Added")
    size = len(msgspec.msgpack.encode(ann.state.moves))
    assert size < 2_048


def test_cohorts_that_no_marketer_wrote_are_not_told() -> None:
    ann = Ann()
    ann.sees(an_identify(1, "u1", email="ann@example.com"))
    names = [what[1:] for _, what, _ in ann.state.moves]
    assert names
    assert not [name for name in names if is_hidden(name)]
