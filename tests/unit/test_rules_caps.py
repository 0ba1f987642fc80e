"""Caps count what went out when it went out, and what may go out at any moment as of now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.rules.compiled import Cap
from agents.rules_manager.calendar import caps_free_at
from agents.rules_manager.state import Touch
from tests.rules_builders import OneVisitor, a_view, some_rules

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAILY = [Cap(channel="email", count=1, hours=20)]


def test_a_touch_that_went_out_frees_the_cap_after_its_hours() -> None:
    touch = Touch(NOON - timedelta(hours=19), "email", "s")
    assert caps_free_at([touch], DAILY, "email", NOON, now=NOON) == NOON + timedelta(hours=1)


def test_a_reserved_touch_that_waits_longer_than_the_cap_still_holds_it() -> None:
    waiting = Touch(NOON - timedelta(hours=30), "email", "s", open=True)
    assert caps_free_at([waiting], DAILY, "email", NOON, now=NOON) == NOON + timedelta(hours=20)
    later = NOON + timedelta(days=3)
    assert caps_free_at([waiting], DAILY, "email", later, now=NOON) == later


def test_a_touch_is_open_until_its_send_has_an_end() -> None:
    lead = OneVisitor(a_view(some_rules()))
    lead.outcome = ""
    lead.enter()
    while not lead.plans:
        lead.pass_time(1)
    assert [touch.open for touch in lead.state.touches] == [True]
    lead.settle(lead.plans[0], "handed over")
    assert [touch.open for touch in lead.state.touches] == [False]
