"""The line of trials: one at a time, a bound, cancel, a process that fails, hangs or is gone, and who was erased."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from typing import Any

import pytest

from messaging.gateway.console.trials import SIMULATE, TRY, SimulateOrder, TryOrder
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts import trial_process
from scripts.trial_process import TrialFailed, TrialProcess
from scripts.trials import KEPT_MAX, PEOPLE, TRIALS, WAITING_MAX, StoredTrials, TrialWork
from tests.console_builders import lived_in
from tests.gateway_builders import NOON, StillClock


class FakeRunner:
    """Carry trials out as told: an exception, or a result once the gate is open."""

    def __init__(self, *comes_to: dict[str, Any] | Exception) -> None:
        self.comes_to = list(comes_to)
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = 0

    async def run(self, kind: str, asked: dict[str, Any], told: Any) -> dict[str, Any]:
        assert not self.under_way, "one at a time"
        self.under_way += 1
        told("half of it", 0.5)
        try:
            await self.gate.wait()
            found = self.comes_to.pop(0) if self.comes_to else {"kind": kind, **asked}
            if isinstance(found, Exception):
                raise found
            return found
        finally:
            self.under_way -= 1

    def stop(self) -> None:
        self.comes_to.insert(0, TrialFailed("killed"))
        self.gate.set()


def a_line(*comes_to: Any, store: Any = None) -> tuple[StoredTrials, TrialWork, FakeRunner]:
    store = store if store is not None else MemoryStore(MemoryDatabase())
    trials, runner = StoredTrials(store), FakeRunner(*comes_to)
    return trials, TrialWork(trials, store, runner, StillClock()), runner


async def test_what_was_asked_first_is_carried_out_first_and_kept_with_what_it_came_to() -> None:
    trials, work, _ = a_line()
    ids = [
        await trials.ask(kind, order, "kim", NOON + timedelta(seconds=n))
        for n, (kind, order) in enumerate(((TRY, TryOrder(days=7)), (SIMULATE, SimulateOrder())))
    ]
    assert await work.look() == 2
    found = [await trials.trial(id_) for id_ in ids]
    assert [each.status for each in found] == ["done", "done"]
    assert found[0].result == {"kind": TRY, "version": 0, "days": 7}
    assert [each.id for each in (await trials.newest(TRY)).lines] == ids[:1]
    assert (await trials.newest(TRY)).lines[0].result is None
    assert await work.look() == 0


async def test_a_full_line_says_so_and_nothing_waits_for_ever() -> None:
    trials, work, _ = a_line()
    for _ in range(WAITING_MAX):
        assert await trials.ask(TRY, TryOrder(), "kim", NOON)
    assert await trials.ask(TRY, TryOrder(), "kim", NOON) == ""
    await work.look()
    assert await trials.ask(TRY, TryOrder(), "kim", NOON)


async def test_one_that_waits_and_one_that_runs_are_cancelled_and_stay_so() -> None:
    trials, work, runner = a_line()
    runner.gate.clear()
    runs = await trials.ask(TRY, TryOrder(), "kim", NOON)
    waits = await trials.ask(TRY, TryOrder(), "kim", NOON + timedelta(seconds=1))
    looking = asyncio.create_task(work.look())
    async with asyncio.timeout(10):
        while (await trials.trial(runs)).status != "running":
            await asyncio.sleep(0.01)
        assert await trials.cancel(waits)
        while (await trials.trial(runs)).share != 0.5:
            await asyncio.sleep(0.01)
        assert await trials.cancel(runs)
        assert not await trials.cancel(runs)
        await looking
    assert [(await trials.trial(id_)).status for id_ in (runs, waits)] == ["cancelled"] * 2
    assert not await trials.cancel("none")


async def test_what_fails_says_why_and_the_next_goes_on() -> None:
    trials, work, _ = a_line(TrialFailed("there is no version 9"))
    failed = await trials.ask(TRY, TryOrder(version=9), "kim", NOON)
    goes_on = await trials.ask(TRY, TryOrder(), "kim", NOON + timedelta(seconds=1))
    await work.look()
    found = await trials.trial(failed)
    assert (found.status, found.why) == ("failed", "there is no version 9")
    assert (await trials.trial(goes_on)).status == "done"


async def test_what_ran_when_the_gateway_was_killed_begins_anew_once() -> None:
    store = MemoryStore(MemoryDatabase())
    trials, work, _ = a_line(store=store)
    ids = []
    for starts in (1, 2):
        id_ = await trials.ask(TRY, TryOrder(), "kim", NOON)
        row = await store.get_document(TRIALS, id_)
        await store.put_document(TRIALS, id_, row | {"status": "running", "starts": starts})
        ids.append(id_)
    await work.look()
    assert [(await trials.trial(id_)).status for id_ in ids] == ["done", "failed"]


async def test_the_newest_are_kept_with_whom_they_name_and_nobody_who_is_gone_is_named() -> None:
    store, _ = await lived_in()
    [visitor] = await store.visitors("behavior", "", 1)
    people = [
        {"visitor": who, "path": "lead", "e_mails": ["hello"], "now": []}
        for who in (visitor, "f" * 24)
    ]
    results = [{"people": [dict(each) for each in people]} for _ in range(KEPT_MAX + 2)]
    trials, work, _ = a_line(*results, store=store)
    ids = []
    for number in range(KEPT_MAX + 2):
        ids.append(await trials.ask(TRY, TryOrder(), "kim", NOON + timedelta(seconds=number)))
        await work.look()
    assert await trials.trial(ids[0]) is None
    assert [each.id for each in (await trials.newest(TRY)).lines] == ids[:1:-1]
    [named] = await trials.people(ids[-1])
    assert (named.visitor, named.e_mails, named.now) == (visitor, ["hello"], [])
    assert "@" in named.who or "visitor" in named.who
    assert await store.count(PEOPLE, {}) == KEPT_MAX


WORKERS = {
    "ends": ("import sys; sys.exit('no memory left')", "no memory left"),
    "refuses": ('print(\'{"failed": "no version"}\')', "no version"),
    "hangs": ("import time; time.sleep(60)", "longer than"),
}


@pytest.mark.parametrize("worker", WORKERS)
async def test_a_process_that_comes_to_nothing_is_a_failure_with_its_reason(
    worker: str, tmp_path, monkeypatch
) -> None:
    code, said = WORKERS[worker]
    (tmp_path / f"worker_{worker}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    process = TrialProcess({}, seconds_max=1.0 if worker == "hangs" else 60.0)
    process.worker = f"worker_{worker}"
    with pytest.raises(TrialFailed, match=said):
        await process.run(TRY, {}, lambda *_: None)


async def test_a_process_ends_when_whoever_wanted_it_is_gone(tmp_path) -> None:
    """Its standard input ends: as it does when the gateway is killed."""
    order = b'{"kind": "none", "asked": {}, "wiring": {}}\n'
    process = await asyncio.create_subprocess_exec(
        trial_process.sys.executable,
        "-c",
        "import threading, time; from scripts import trial_worker as w;"
        "threading.Thread(target=w._end_with_input, daemon=True).start(); time.sleep(60)",
        stdin=asyncio.subprocess.PIPE,
    )
    try:
        process.stdin.write(order)
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 30) == 1
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)


async def test_where_memory_runs_out_a_trial_goes_before_the_store_and_the_gateway() -> None:
    code = (
        "from scripts import trial_worker as w; w._be_first_to_go(); print(w.OOM_FILE.read_text())"
    )
    process = await asyncio.create_subprocess_exec(
        trial_process.sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert said.split() == [b"1000"]
