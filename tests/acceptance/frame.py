"""Give the acceptance drivers their common ground: a running system, HTTP with patience, a table at the end.

Rules
1. Nothing of the product is imported: it is run as a program and seen from outside, as its users see it.
2. Whatever happens, no process is left behind; one that outlives the stop is a failure of the product.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

from mailbox_server import free_port

ROOT = Path(__file__).resolve().parents[2]
MDMA = ROOT / ".venv" / "bin" / "mdma"

ADMIN_TOKEN = "a-token-of-the-acceptance-drivers"
WRITE_KEY = "acceptance-key"

START_SECONDS_MAX = 300.0
STOP_SECONDS_MAX = 120.0
CALL_SECONDS_MAX = 30.0
CALL_TRIES = 60
"""A busy gateway says 503 and asks to come again; a driver is a patient client."""

SLACK = timedelta(minutes=20)
"""The gate lets the world clock run five minutes ahead of what is due; a send follows from up to four steps."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def _interrupt(number: int, frame: object) -> None:
    """End like Ctrl-C: a driver that is told to go stops the system that it started."""
    raise KeyboardInterrupt


class Failed(Exception):  # noqa: N818 - the run is over, and why
    """Say in one line why the driver cannot go on."""


def say(text: str) -> None:
    """Print a line of progress with the machine's time."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {text}", flush=True)


def read_time(text: str) -> datetime:
    """Read a time of the API as aware UTC."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


# ----------------------------------------------------------------------------------- system


@dataclass
class System:
    """Run `mdma up` in a folder of its own and talk to it.

    Parameters:
        data: the folder (`MDMA_DATA`).
        smtp_url: where its mail goes.
        flags: more flags of `mdma up`.
        environment: more settings.
    """

    data: Path
    smtp_url: str
    flags: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    left_over: list[str] = field(default_factory=list)
    """Processes that outlived the stop; known after it."""
    errors: list[str] = field(default_factory=list)
    """Lines that were logged as errors: somebody would have had to act."""
    _process: subprocess.Popen[bytes] | None = None
    _local: threading.local = field(default_factory=threading.local)

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, _interrupt)
        self.port = self.port or free_port()
        self.data.mkdir(parents=True, exist_ok=True)
        log = (self.data / "up.log").open("wb")
        self._process = subprocess.Popen(
            [str(MDMA), "up", "--data", str(self.data), "--port", str(self.port), *self.flags],
            cwd=ROOT,
            env=self._environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Return where the gateway is."""
        return f"http://127.0.0.1:{self.port}"

    def mdma(self, *arguments: str, seconds: float = 600.0) -> tuple[int, str]:
        """Run another command of the CLI against this system; return its exit code and what it printed."""
        done = subprocess.run(
            [str(MDMA), *arguments],
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            timeout=seconds,
            check=False,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Make one request; a network error, 429 or 503 is tried again."""
        last = "no answer"
        for attempt in range(CALL_TRIES):
            try:
                status, found, content = self._once(method, path, body, headers or {})
            except (OSError, http.client.HTTPException) as error:
                last = f"{type(error).__name__}: {error}"
                self._forget()
            else:
                if status not in (429, 503):
                    return status, found, content
                last = f"{status} {content[:200]!r}"
            time.sleep(min(0.05 * 2**attempt, 2.0))
            if self._process is not None and self._process.poll() is not None:
                code = self._process.returncode
                raise Failed(f"`mdma up` ended by itself with {code}: {self.last_words()}")
        raise Failed(f"{method} {path}: {last}")

    def api(self, path: str, body: Any = None) -> Any:
        """Ask the admin API; with a body it is a POST. Any other answer than 200 fails, 404 is None."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        status, _, content = self.call(method, f"/api/v1/{path}", sent, headers)
        if status == 404:
            return None
        if status != 200:
            raise Failed(f"{method} /api/v1/{path} answered {status}: {content[:300]!r}")
        return json.loads(content)

    def track(self, calls: list[dict[str, Any]]) -> None:
        """Send a batch of Segment calls; every one must be taken."""
        headers = {"Content-Type": "application/json"}
        body = json.dumps({"writeKey": WRITE_KEY, "batch": calls}).encode()
        status, _, content = self.call("POST", "/v1/batch", body, headers)
        if status != 200 or json.loads(content) != {"success": True}:
            raise Failed(f"POST /v1/batch answered {status}: {content[:300]!r}")

    def replay(self, lines: Iterable[tuple[datetime, dict[str, Any]]]) -> int:
        """Upload calls that are fed when the world clock reaches them; return how many were new."""
        new = 0
        written = [json.dumps({"at": at.isoformat(), "call": call}) for at, call in lines]
        for start in range(0, len(written), 1_000):
            body = "\n".join(written[start : start + 1_000]).encode()
            headers = {
                "Authorization": f"Bearer {ADMIN_TOKEN}",
                "Content-Type": "application/x-ndjson",
            }
            status, _, content = self.call("POST", "/api/v1/replay", body, headers)
            answer = json.loads(content)
            if status != 200 or answer["rejected"]:
                raise Failed(f"POST /api/v1/replay answered {status}: {content[:300]!r}")
            new += answer["added"]
        return new

    def last_words(self) -> str:
        """Return the end of what `mdma up` printed."""
        lines = (self.data / "up.log").read_text(errors="replace").splitlines()
        return " | ".join(lines[-6:])[-1500:]

    def stop(self) -> None:
        """Press Ctrl-C, wait, and end by force what is left; `left_over` names it."""
        process = self._process
        if process is None:
            return
        self._process = None
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.left_over.append(f"mdma up itself, {STOP_SECONDS_MAX:.0f} s after Ctrl-C")
        time.sleep(1.0)
        for pid, command in _processes_of(self.data):
            self.left_over.append(f"{pid} {command[:120]}")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if process.poll() is None:
            process.kill()
        process.wait(10)
        for file in [self.data / "up.log", *sorted((self.data / "logs").glob("*.log*"))]:
            lines = file.read_text(errors="replace").splitlines()
            self.errors += [f"{file.name}: {line[:400]}" for line in lines if _is_error(line)]

    def _environment(self) -> dict[str, str]:
        own = {
            "MDMA_DATA": str(self.data),
            "MDMA_HOST": "127.0.0.1",
            "MDMA_PORT": str(self.port),
            "MDMA_SMTP_URL": self.smtp_url,
            "MDMA_ADMIN_TOKEN": ADMIN_TOKEN,
            "MDMA_WRITE_KEYS": WRITE_KEY,
            "MDMA_PUBLIC_URL": self.url,
            "MDMA_LOG": "json:info",
        }
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MDMA_")}
        return {**clean, **own, **self.environment}

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        until = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise Failed(
                    f"`mdma up` ended with {self._process.returncode}: {self.last_words()}"
                )
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._once("GET", "/readyz", None, {})[0] == 200:
                    return
            self._forget()
            time.sleep(0.3)
        raise Failed(f"`mdma up` is not ready after {START_SECONDS_MAX:.0f} s: {self.last_words()}")

    def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, CALL_SECONDS_MAX)
            self._local.connection = connection
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def _forget(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def _is_error(line: str) -> bool:
    return '"level": "error"' in line or "Traceback (most recent call last)" in line


def _processes_of(data: Path) -> Iterator[tuple[int, str]]:
    """Find what runs with this folder in its environment or command line, ourselves not."""
    mark = str(data).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            given = (entry / "environ").read_bytes()
            is_ours = b"MDMA_DATA=" + mark in given or mark in command
            if is_ours and command and b"acceptance" not in command.split(b"\0")[1:2]:
                yield int(entry.name), command.replace(b"\0", b" ").decode(errors="replace")


def side_by_side(
    work: Callable[[Item], Answer], items: Iterable[Item], workers: int = 8
) -> list[Answer]:
    """Do the same for many, a few at a time; the answers are in the items' order."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, items))


# ------------------------------------------------------------------------------------ report


@dataclass
class Report:
    """Collect what was checked and what does not hold."""

    rows: list[tuple[str, str, str, bool]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def equal(self, what: str, expected: Any, found: Any) -> None:
        """Check that two values are equal."""
        self.rows.append((what, str(expected), str(found), expected == found))

    def none(self, what: str, found: list[str]) -> None:
        """Check that a list of violations is empty."""
        self.rows.append((what, "0", str(len(found)), not found))
        self.wrong += [f"{what}: {line}" for line in found]

    def fact(self, what: str, found: Any) -> None:
        """Note a figure that nothing is asked of."""
        self.rows.append((what, "", str(found), True))

    def system(self, system: System, audit: int) -> None:
        """Check what must hold for the system itself, after it was stopped."""
        self.equal("exit code of `mdma audit`", 0, audit)
        self.none("errors logged", system.errors)
        self.none("processes left behind", system.left_over)

    def finish(self, lines_max: int = 60) -> int:
        """Print the violations and the table; return the exit code."""
        for line in self.wrong[:lines_max]:
            print(f"  WRONG  {line}")
        if len(self.wrong) > lines_max:
            print(f"  … and {len(self.wrong) - lines_max} more")
        wide = max(len(row[0]) for row in self.rows)
        print(f"\n{'':{wide}}  {'expected':>12}  {'found':>12}")
        for what, expected, found, holds in self.rows:
            mark = "" if holds else "   <-- WRONG"
            print(f"{what:{wide}}  {expected:>12}  {found:>12}{mark}")
        good = all(row[3] for row in self.rows)
        print("\nall of it holds" if good else "\nnot all of it holds")
        return 0 if good else 1
