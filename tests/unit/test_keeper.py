"""The keeper of the world clock grants what every part can bear, and never far ahead."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from agents.cluster.keeper import Keeper
from agents.runtime.gate import QUANTUM, GateReport
from messaging.clock import Grant

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


class Parts:
    """Answer as told, and remember what was granted last."""

    def __init__(self, *reports: GateReport | None) -> None:
        self.reports = list(reports)
        self.granted: Grant | None = None

    async def ask(self, grant: Grant) -> list[GateReport | None]:
        """Take a grant."""
        self.granted = grant
        return self.reports

    async def save(self, at: datetime, speed: float) -> None:
        """Keep nothing."""


@pytest.mark.parametrize(
    "reports",
    [
        [GateReport(None, NOON + WEEK)],
        [GateReport(None, None), GateReport(None, NOON + WEEK)],
        [GateReport(None, None)],
    ],
)
async def test_a_clock_of_finite_speed_is_never_allowed_more_than_a_quantum(
    reports: list[GateReport | None],
) -> None:
    """Whatever is due next: an event that comes in, or a part that dies, finds a clock that waits."""
    parts = Parts(*reports)
    keeper = Keeper(NOON, 1.0, parts.ask, parts.save)
    for _ in range(3):
        await keeper.turn()
    now = keeper.clock.now()
    assert parts.granted is not None
    assert NOON < parts.granted.limit <= now + QUANTUM
    parts.reports = [*reports, None]
    allowed = keeper.clock.limit
    await keeper.turn()
    assert keeper.clock.limit == allowed, "a dead part holds it where it is"


async def test_a_clock_of_infinite_speed_goes_to_what_is_due() -> None:
    parts = Parts(GateReport(None, NOON + WEEK))
    keeper = Keeper(NOON, math.inf, parts.ask, parts.save)
    await keeper.turn()
    assert keeper.clock.now() == NOON + WEEK + QUANTUM


async def test_what_is_held_holds_the_clock() -> None:
    parts = Parts(GateReport(NOON, None), GateReport(None, NOON + WEEK))
    keeper = Keeper(NOON, 1.0, parts.ask, parts.save)
    for _ in range(3):
        await keeper.turn()
    assert keeper.clock.limit == NOON + QUANTUM
