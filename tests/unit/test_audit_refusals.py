"""The audit watches what Email handed over: also the clock's part of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.runtime.fold import Folded
from messaging.vocabulary.effects import HandOver
from messaging.vocabulary.messages import SendPlan
from scripts.audit_refusals import Refusals

NIGHT = datetime(2026, 11, 26, 21, tzinfo=UTC)


def a_plan(until: datetime | None) -> SendPlan:
    return SendPlan(
        send_id="s1",
        path="leads",
        run="1",
        stage="invited",
        step="invited-mail",
        attempt=1,
        template="hello",
        rules_version=1,
        entered_at=NIGHT - timedelta(days=1),
        sender="shop",
        until=until,
    )


@pytest.mark.parametrize(
    ("until", "late", "found"),
    [(NIGHT, -1, []), (NIGHT, 0, ["s1 was handed over in quiet hours"]), (None, 600, [])],
)
def test_a_hand_over_in_quiet_hours_is_found(
    until: datetime | None, late: int, found: list[str]
) -> None:
    folded = Folded()
    at = NIGHT + timedelta(seconds=late)
    folded.acts.append(("v1", HandOver(a_plan(until), "ann@example.com", "box", at)))
    said: list[str] = []
    Refusals(lambda _, what: said.append(what)).observe([], folded)
    assert said == found
