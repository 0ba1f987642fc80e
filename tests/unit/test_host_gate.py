"""What a part held reaches the world clock's gate also when an answer is lost and its question is worked at late."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from agents.cluster.host import Host
from agents.runtime.gate import GateReport

NOON = datetime(2017, 6, 1, 12, tzinfo=UTC)


class Part:
    """Hold things, and forget what it reported, as shards do."""

    def __init__(self) -> None:
        self.held: datetime | None = None

    def report(self) -> GateReport:
        """Tell the oldest thing held since the last report."""
        held, self.held = self.held, None
        return GateReport(held, NOON + timedelta(days=3))


async def asked(host: Host, part: Any, heard: int) -> GateReport:
    """Ask as the gate does."""
    report = await host._turn(part, None, heard)
    assert report is not None
    return report


def a_host() -> Host:
    """Return a host that was not started: the test is its thread."""
    spec: Any = SimpleNamespace(gated=False, name="rules-0", settings={})
    return Host(spec, None, None)  # type: ignore[arg-type]


async def test_what_a_lost_answer_told_stands_in_the_next_one() -> None:
    host, part = a_host(), Part()
    first = await asked(host, part, 0)
    part.held = NOON
    lost = await asked(host, part, first.number)
    assert lost.held_since == NOON
    assert (await asked(host, part, first.number)).held_since == NOON


async def test_what_was_heard_is_not_told_again() -> None:
    host, part = a_host(), Part()
    part.held = NOON
    first = await asked(host, part, 0)
    assert first.held_since == NOON
    assert (await asked(host, part, first.number)).held_since is None


async def test_a_question_worked_at_late_takes_nothing_from_the_next() -> None:
    host, part = a_host(), Part()
    first = await asked(host, part, 0)
    heard = await asked(host, part, first.number)
    part.held = NOON
    late = await asked(host, part, first.number)  # nobody waits for its answer any more
    assert late.held_since == NOON
    following = await asked(host, part, heard.number)
    assert following.held_since == NOON
    assert (await asked(host, part, following.number)).held_since is None


async def test_a_part_that_lives_again_counts_on_from_higher_numbers() -> None:
    before = await asked(a_host(), Part(), 0)
    await asyncio.sleep(0)
    again, part = a_host(), Part()
    part.held = NOON
    assert (await asked(again, part, before.number)).held_since == NOON
    assert (await asked(again, part, before.number)).held_since == NOON
