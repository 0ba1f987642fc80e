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


async def test_a_clock_of_infinite_speed_stands_while_only_a_training_is_planned() -> None:
    """Else the year for which leads are being imported is over before the first of them is there."""
    parts = Parts(GateReport(None, NOON + WEEK, draws=False), GateReport(None, None))
    keeper = Keeper(NOON, math.inf, parts.ask, parts.save)
    await keeper.turn()
    assert keeper.clock.now() == NOON
    parts.reports[1] = GateReport(None, NOON + 2 * WEEK)
    await keeper.turn()
    assert keeper.clock.now() == NOON + WEEK + QUANTUM


async def test_what_is_held_holds_the_clock() -> None:
    parts = Parts(GateReport(NOON, None), GateReport(None, NOON + WEEK))
    keeper = Keeper(NOON, 1.0, parts.ask, parts.save)
    for _ in range(3):
        await keeper.turn()
    assert keeper.clock.limit == NOON + QUANTUM


async def test_a_shorter_quantum_keeps_the_clock_closer_to_what_is_due() -> None:
    parts = Parts(GateReport(None, NOON + WEEK))
    second = timedelta(seconds=1)
    keeper = Keeper(NOON, math.inf, parts.ask, parts.save, quantum=second)
    await keeper.turn()
    assert keeper.clock.now() == NOON + WEEK + second
    slow = Keeper(NOON, 1.0, parts.ask, parts.save, quantum=second)
    for _ in range(3):
        await slow.turn()
    assert slow.clock.limit <= slow.clock.now() + second
