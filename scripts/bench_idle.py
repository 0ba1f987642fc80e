"""Measure what the whole system uses while nothing happens: processor time and memory of all its processes.

Rules
1. Every process counts: `mdma up`, mongod, Ray's own, the actors. A process that is started meanwhile counts too.
2. The system is the one that a first start makes: embedded parts, the routine that ships, nobody known.
3. What stands beside it on the machine does not count, but it disturbs: the load is noted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from statistics import fmean

import psutil

from scripts.bench_measure import RUNS, Row, Say, limit_row
from scripts.bench_system import Running, process_of, running

SETTLE_SECONDS = 40.0
"""What a start leaves to be done later (Ray's first reports, Python's first collections) is over by then."""
WINDOW_SECONDS = 40.0
PROCESSOR_GOAL = 5.0
"""Per cent of one core."""
MEMORY_GOAL = 2.5
"""GB of proportional set size."""
SHOWN_MIN = 0.1
"""Processes that use less, in per cent of a core, are not named."""


async def measure(folder: Path, say: Say, runs: int = RUNS) -> list[Row]:
    """Return the rows `idle.processor` and `idle.memory`."""
    say("idle: starting the system")
    async with running(folder / "data", None) as system:
        say("idle: settling")
        await asyncio.sleep(SETTLE_SECONDS)
        processor, memory = [], []
        windows = []
        for number in range(runs):
            say(f"idle: run {number + 1} of {runs}")
            windows.append(await used_by(system, WINDOW_SECONDS))
            processor.append(sum(windows[-1].values()))
            memory.append(sum(map(_proportional, processes(system))) / 1e9)
    load = f"load of the machine {os.getloadavg()[0]:.1f}"
    rows = [
        limit_row("idle.processor", "% of a core", processor, PROCESSOR_GOAL, below=True),
        limit_row("idle.memory", "GB", memory, MEMORY_GOAL, below=True),
    ]
    rows[0].notes += [_named(windows), load]
    return rows


def processes(system: Running) -> list[psutil.Process]:
    """Return all processes of a system: `up` and what it has started, directly or not."""
    root = psutil.Process(system.facts["pid"])
    return [root, *root.children(recursive=True)]


async def used_by(system: Running, seconds: float) -> dict[str, float]:
    """Return what each process uses in so many seconds, in per cent of a core; equal names are added."""
    names = _names(system)
    before = {each.pid: _busy(each) for each in processes(system)}
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(seconds)
    passed = asyncio.get_running_loop().time() - began
    found: dict[str, float] = {}
    for process in processes(system):
        name = names.get(process.pid) or _name(process)
        share = 100 * (_busy(process) - before.get(process.pid, 0.0)) / passed
        found[name] = found.get(name, 0.0) + share
    return found


def _names(system: Running) -> dict[int, str]:
    """Return the actors' names, which Ray's titles do not hold: process id -> `rules-0`."""
    parts = [file.stem for file in (system.folder / "logs").glob("*-*.log")]
    found = {process_of(system.folder, part): part for part in parts}
    return {pid: part for pid, part in found.items() if pid is not None}


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        words = process.cmdline()
        module = words[words.index("-m") + 1] if "-m" in words else ""
        script = next((Path(word).stem for word in words if word.endswith(".py")), "")
        return module or script or process.name()
    return "(gone)"


def _busy(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _proportional(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return 0


def _named(windows: list[dict[str, float]]) -> str:
    """Return who used most, on average."""
    names = {name for window in windows for name in window}
    shares = {name: fmean(window.get(name, 0.0) for window in windows) for name in names}
    named = sorted(shares.items(), key=lambda each: -each[1])
    return ", ".join(f"{name} {share:.2f}" for name, share in named if share >= SHOWN_MIN)
