"""How far the world clock may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.runtime.gate import QUANTUM, GateReport, idle, limit

NOON = datetime(2017, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=3)


def test_the_oldest_thing_held_or_due_sets_the_limit():
    assert limit([GateReport(LATER, None), GateReport(None, NOON)]) == NOON + QUANTUM
    assert limit([GateReport(NOON, LATER), GateReport(None, LATER)]) == NOON + QUANTUM


def test_a_silent_part_holds_everything_up():
    assert limit([GateReport(None, NOON), None]) is None
    assert not idle([GateReport(None, None), None])


def test_nothing_due_anywhere_gives_no_limit_and_is_idle():
    assert limit([GateReport(None, None)]) is None
    assert idle([GateReport(None, None)])
    assert not idle([GateReport(None, NOON)])
