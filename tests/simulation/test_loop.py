"""Hold the virtual loop to its promises: time costs nothing and runs the same way twice."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest

from tests.simulation import loop
from tests.simulation.process import Process


def test_a_month_passes_in_no_time():
    async def month() -> float:
        for _ in range(30):
            await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert loop.run(month()) == pytest.approx(30 * 86_400)
    assert time.monotonic() - began < 1.0


def test_a_time_out_is_virtual_as_well():
    async def wait() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 3_600)
        return asyncio.get_running_loop().time()

    assert loop.run(wait()) == pytest.approx(3_600)


def test_the_world_clock_is_exact_when_a_wait_is_over():
    async def wait() -> None:
        clock = loop.SimClock(datetime(2026, 1, 1, tzinfo=UTC))
        due = datetime(2026, 1, 9, 7, 0, 0, 333_333, tzinfo=UTC)
        seconds = clock.seconds_until(due)
        assert seconds is not None
        await clock.sleep(seconds)
        assert clock.now() == due

    loop.run(wait())


def test_timers_of_one_moment_fire_in_the_order_in_which_they_were_set():
    async def wait() -> list[int]:
        fired: list[int] = []
        virtual = asyncio.get_running_loop()
        for number in range(20):
            virtual.call_at(10.0, fired.append, number)
        virtual.call_at(10.0, fired.append, 20).cancel()
        await asyncio.sleep(20)
        return fired

    assert loop.run(wait()) == list(range(20))


def test_a_callback_that_raises_ends_the_run():
    def fail() -> None:
        raise ValueError("a callback's own fault")

    async def wait() -> None:
        asyncio.get_running_loop().call_later(5, fail)
        await asyncio.sleep(10)

    with pytest.raises(ValueError, match="own fault"):
        loop.run(wait())


def test_everybody_waiting_for_nothing_is_an_error():
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(loop.Deadlock):
        loop.run(wait())


def test_a_killed_process_never_goes_on():
    async def life() -> list[str]:
        process, done = Process("p", 0), []

        async def work() -> None:
            for number in range(5):
                await process.enter()
                done.append(f"effect {number}")
                await process.leave()

        process.aim(3, effect_first=True, then=lambda _: None)
        task = asyncio.ensure_future(work())
        await asyncio.sleep(10)
        assert not task.done()
        return done

    assert loop.run(life()) == ["effect 0", "effect 1", "effect 2"]
