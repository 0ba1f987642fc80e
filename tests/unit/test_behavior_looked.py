"""Pages that rules mean are counted when they come, bounded, and also for whom an older version kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.behavior_bot.looked import HOURS_IN_ALL_MAX, LOOKED_MAX
from agents.behavior_bot.sessions import VIEWED_MAX
from agents.behavior_bot.state import BehaviorState
from agents.rules.condition_models import PageSeen
from tests.behavior_builders import START, Ann, a_page, a_view_of

PRICES: dict[str, Any] = {"page": {"starts_with": "/pricing", "at_least": 3}}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BYTES_MAX = 16_000


def test_who_was_kept_before_pages_were_counted_begins_with_the_newest() -> None:
    ann = Ann(a_view_of([PRICES]))
    for number in range(1, 3):
        ann.sees(a_page(number, path="/pricing", at=START + number * MINUTE))
    fields = msgspec.to_builtins(ann.state)
    # As it was stored before: without the two last fields.
    older = fields[: BehaviorState.__struct_fields__.index("looked")]
    ann.state = msgspec.convert(older, BehaviorState, strict=False)
    assert not ann.state.looked
    ann.sees(a_page(3, path="/pricing", at=START + 3 * MINUTE))
    assert "c0" in ann.state.cohorts


def test_nothing_is_counted_that_no_rule_asks_for() -> None:
    ann = Ann(a_view_of([PRICES]))
    ann.sees(a_page(1, path="/about", at=START))
    assert ann.state.looked == {}


def test_a_question_that_is_not_asked_any_more_is_not_kept() -> None:
    ann = Ann(msgspec.structs.replace(a_view_of([PRICES]), publication=1))
    ann.sees(a_page(1, path="/pricing", at=START))
    assert len(ann.state.looked) == 1
    now = a_view_of([])
    older = {ann.view.rules_version: ann.view.rules}
    ann.view = msgspec.structs.replace(now, rules_version=9, publication=2, pinned=older)
    ann.sees(a_page(2, path="/pricing", at=START + MINUTE))
    assert ann.state.looked == {}


def test_who_sees_everything_that_hundreds_of_rules_ask_for_stays_small() -> None:
    trees = [{"page": {"contains": f"/{number}-", "within_days": 30}} for number in range(300)]
    ann = Ann(a_view_of(trees))
    for number in range(1, 1_201):
        path = f"/{number % 300}-{'x' * 60}"
        ann.sees(a_page(number, path=path, at=START + number * HOUR / 2))
    state = ann.state
    assert len(state.looked) <= LOOKED_MAX
    assert sum(len(each.hours) for each in state.looked.values()) <= HOURS_IN_ALL_MAX
    assert state.let_go > 0, "what went is told"
    assert len(msgspec.msgpack.encode(state)) < BYTES_MAX
    asked = {name for name in state.cohorts if name.startswith("c")}
    assert len(asked - {"c"}) <= LOOKED_MAX, "what went decides no cohort any more"


IN_ONE_VISIT: dict[str, Any] = {"session": {"pages_contain": ["pricing"], "pages_at_least": 3}}


def test_who_was_kept_before_pages_of_sessions_were_counted_begins_with_the_newest() -> None:
    ann = Ann(a_view_of([IN_ONE_VISIT]))
    for number in range(1, 3):
        ann.sees(a_page(number, path="/pricing", at=START + number * MINUTE))
    fields = msgspec.to_builtins(ann.state)
    place = BehaviorState.__struct_fields__.index("sessions")
    fields[place] = [span[:4] for span in fields[place]]  # as it was stored before
    ann.state = msgspec.convert(fields, BehaviorState, strict=False)
    assert not ann.state.sessions[-1].viewed
    ann.sees(a_page(3, path="/pricing", at=START + 3 * MINUTE))
    assert "c0" in ann.state.cohorts


def test_a_question_for_sessions_that_is_not_asked_any_more_is_not_kept() -> None:
    ann = Ann(msgspec.structs.replace(a_view_of([IN_ONE_VISIT]), publication=1))
    ann.sees(a_page(1, path="/pricing", at=START))
    assert len(ann.state.sessions[-1].viewed) == 1
    older = {ann.view.rules_version: ann.view.rules}
    ann.view = msgspec.structs.replace(a_view_of([]), rules_version=9, publication=2, pinned=older)
    ann.sees(a_page(2, path="/pricing", at=START + MINUTE))
    assert ann.state.sessions[-1].viewed == {}


def test_who_sees_in_sessions_what_hundreds_of_rules_ask_for_stays_small() -> None:
    trees = [{"session": {"pages_contain": [f"/{number}-"]}} for number in range(300)]
    ann = Ann(a_view_of(trees))
    for number in range(1, 1_201):
        gap = HOUR if number % 100 == 0 else timedelta()
        ann.sees(a_page(number, path=f"/{number % 300}-x", at=ann.now + MINUTE + gap))
    state = ann.state
    assert sum(len(span.viewed) for span in state.sessions) <= VIEWED_MAX
    assert state.let_go > 0, "what went is told"
    assert len(msgspec.msgpack.encode(state)) < BYTES_MAX


def test_no_rule_counts_pages_further_than_they_are_kept() -> None:
    with pytest.raises(ValueError, match="count to 100 at most"):
        PageSeen(contains="x", at_least=101, within_days=3)
    assert PageSeen(contains="x", at_least=101).at_least == 101
