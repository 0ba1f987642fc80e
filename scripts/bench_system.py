"""Run the whole system for a benchmark or for chaos: `mdma up` as a process, in a folder of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
from aiohttp import ClientResponseError, ClientSession, ClientTimeout

from messaging.journal.mongo import MongoJournal
from messaging.store.connection import Connection, world
from messaging.store.mongo import MongoStore
from messaging.vocabulary.errors import Unavailable
from scripts.compose import Wiring, connected, read_wiring
from scripts.folder import WIRING, read_run

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 90.0
LOOK_SECONDS = 0.05
JOURNAL_LOOK_SECONDS = 0.2
"""The journal's ends are a dearer question, and far behind it is asked in vain."""
MONGOD = "mongod"
OPEN_SENDS = ("waiting", "handing over", "deferred")


class Running:
    """Talk to a system that runs."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        run = read_run(folder)
        assert run is not None, "a system is talked to once it is ready"
        self.folder = folder
        self.process = process
        self.facts: dict[str, Any] = run
        self.url: str = run["local_url"]
        self.wiring: Wiring = read_wiring((folder / WIRING).read_text())
        self.connection: Connection = connected(self.wiring)
        self.store = MongoStore(self.connection)
        self._journal = MongoJournal(self.connection)
        self._session = ClientSession(timeout=ClientTimeout(total=30))

    @property
    def write_key(self) -> str:
        """Return the key that calls are sent with."""
        return self.wiring.write_keys[0]

    async def close(self) -> None:
        """Close the connections; the system goes on."""
        await self._session.close()
        await self.store.close()
        await self.connection.close()

    async def get(self, path: str) -> Any:
        """Ask the admin API. Raise aiohttp's errors."""
        headers = {"Authorization": f"Bearer {self.wiring.admin_token}"}
        async with self._session.get(f"{self.url}/api/v1/{path}", headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def find(self, visitor: str) -> dict[str, Any] | None:
        """Return what the API shows of a visitor, None if nobody is known by this id."""
        try:
            found: dict[str, Any] = await self.get(f"visitors/{visitor}")
        except ClientResponseError as error:
            if error.status == 404:
                return None
            raise
        return found

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Order something of the admin API. Raise aiohttp's errors."""
        headers = {"Authorization": f"Bearer {self.wiring.admin_token}"}
        async with self._session.post(
            f"{self.url}/api/v1/{path}", json=body, headers=headers
        ) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def send(self, call: dict[str, Any]) -> None:
        """Send one Segment call; returns when it is durable. Raise aiohttp's errors."""
        headers = {"Content-Type": "application/json"}
        body = {**call, "writeKey": self.write_key}
        async with self._session.post(
            f"{self.url}/v1/{call['type']}", json=body, headers=headers
        ) as answer:
            answer.raise_for_status()
            await answer.read()

    async def inputs(self, shard: str) -> dict[str, int]:
        """Return how far each input stream of a shard is written: stream -> last position."""
        found = {}
        if shard.startswith("behavior-"):
            tails = await self._journal.tails()
            found = {f"journal:{stream}": tail for stream, tail in tails.items()}
        with world():
            async for sender in self.connection.database["shards"].find():
                if shard in sender["sent"]:
                    found[sender["_id"]] = sender["sent"][shard]
        return found

    async def behind(self) -> dict[str, int]:
        """Return what is not taken yet: input stream of a shard -> how far behind; empty when all is quiet.

        One small query as long as letters are under way: whoever watches must not weigh on what is watched.
        """
        database = self.connection.database
        with world():
            shards = {each["_id"]: each async for each in database["shards"].find()}
        behind = {
            f"{sender} to {to}": number - shards[to]["positions"].get(sender, 0)
            for sender, owner in shards.items()
            for to, number in owner["sent"].items()
            if to in shards and shards[to]["positions"].get(sender, 0) < number
        }
        if behind:
            return behind
        for stream, tail in (await self._journal.tails()).items():
            for name, owner in shards.items():
                taken = owner["positions"].get(f"journal:{stream}", 0)
                if name.startswith("behavior-") and taken < tail:
                    behind[f"journal {stream} to {name}"] = tail - taken
        if behind:
            return behind
        match = {"status": {"$in": list(OPEN_SENDS)}}
        with world():
            under_way = await database["sends"].count_documents(match)
        return {"sends": under_way} if under_way else {}

    async def quiet(self, seconds: float, *, times: int = 1) -> float:
        """Wait until nothing is under way, `times` looks in a row; return the machine time of the first of them.

        Raise TimeoutError, naming what hangs.
        """
        deadline = time.monotonic() + seconds
        first, seen = 0.0, 0
        while True:
            began = time.monotonic()
            try:
                behind = await self.behind()
            except Unavailable:
                behind = {"mongod": 1}
            if behind:
                seen = 0
                if began > deadline:
                    raise TimeoutError(f"still under way after {seconds:.0f} s: {behind}")
            else:
                first = first if seen else began
                seen += 1
                if seen >= times:
                    return first
            journal_only = all(name.startswith("journal") for name in behind)
            await asyncio.sleep(JOURNAL_LOOK_SECONDS if behind and journal_only else LOOK_SECONDS)


def stop_on_sigterm() -> None:
    """Let SIGTERM cancel this task, so that what it has started is stopped."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def process_of(data: Path, part: str) -> int | None:
    """Return the id of the process that is a part (`rules-0`, `gateway-1`, `mongod`), None if there is none now.

    An actor is known by the log file it holds open.
    """
    if part == MONGOD:
        try:
            return int((data / "mongo" / "data" / "mongod.lock").read_text())
        except (OSError, ValueError):
            return None
    log = str((data / "logs" / f"{part}.log").resolve())
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            folder = Path(f"/proc/{process.pid}/fd")
            if any(str(each.readlink()) == log for each in folder.iterdir()):
                return process.pid
    return None


class Meter:
    """Measure what each part of a system uses of the processors: a figure that no neighbour changes."""

    def __init__(self, system: Running) -> None:
        parts = [*(file.stem for file in (system.folder / "logs").glob("*-*.log")), MONGOD]
        found = {part: process_of(system.folder, part) for part in sorted(parts)}
        self._processes = {part: psutil.Process(pid) for part, pid in found.items() if pid}
        known = {process.pid for process in self._processes.values()}
        self._others = [
            process
            for process in psutil.process_iter()
            if process.pid not in known and str(system.folder) in " ".join(_command(process))
        ]
        self._before = self._now()

    def used(self, events: int) -> str:
        """Return what was used since the last time, in ms of one core for 1,000 events."""
        now, before = self._now(), self._before
        self._before = now
        each = {part: 1e6 * (now[part] - before.get(part, 0.0)) / events for part in now}
        text = ", ".join(f"{part} {used:.0f}" for part, used in each.items() if used >= 1)
        return f"ms of a core for 1,000 events: {sum(each.values()):.0f} ({text})"

    def _now(self) -> dict[str, float]:
        used = {part: _seconds(process) for part, process in self._processes.items()}
        used["ray and up"] = sum(_seconds(process) for process in self._others)
        return used


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


@asynccontextmanager
async def running(
    folder: Path, smtp_port: int | None, *, config: Path | None = None, **settings: str
) -> AsyncIterator[Running]:
    """Start a system, give it once it is ready, stop it. Raise RuntimeError with its last words.

    Parameters:
        folder: its data.
        smtp_port: of a server on this machine; None: the system brings its own sink.
        config: rules to publish.
        settings: `MDMA_` settings by their names in small letters.
    """
    words = ["up", "--data", str(folder), "--port", "0"]
    if config is not None:
        words += ["--config", str(config)]
    environment = {name: value for name, value in os.environ.items() if name[:5] != "MDMA_"}
    environment |= {f"MDMA_{name.upper()}": value for name, value in settings.items()}
    if smtp_port is not None:
        environment["MDMA_SMTP_URL"] = f"smtp://127.0.0.1:{smtp_port}"
    environment.setdefault("MDMA_LOG", "console:warning")
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs on this loop yet
    with (folder / "up.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "scripts.cli",
            *words,
            cwd=ROOT,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        await _until_ready(folder, process)
        system = Running(folder, process)
        try:
            yield system
        finally:
            await system.close()
    finally:
        await _stop(process)


async def _until_ready(folder: Path, process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS_MAX):
            while process.returncode is None:
                if read_run(folder) is not None:
                    return
                await asyncio.sleep(0.1)
    words = (folder / "up.log").read_text(errors="replace").strip().splitlines()[-5:]
    raise RuntimeError(f"the system does not start: {' | '.join(words)} (see {folder / 'up.log'})")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
