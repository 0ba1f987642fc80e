"""Carry a trial out in a process of its own: what it takes of memory and time ends with it.

Rule 1: the process works at the lowest priority, is killed after `SECONDS_MAX` and when it is cancelled, and ends by
itself once nobody holds the other end of its standard input any more.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from scripts.compose import Wiring

WORKER = "scripts.trial_worker"
SECONDS_MAX = 900.0
NICENESS = 19
RESULT_BYTES_MAX = 4 * 1024 * 1024
"""A quarter of what one document may have."""

SAID_MAX = 300

Told = Callable[[str, float], None]


class TrialFailed(Exception):  # noqa: N818 - it is no error of ours
    """Say why a trial came to nothing."""


class TrialProcess:
    """Implement `scripts.trials.Runner`.

    Parameters:
        wiring: how the system is reached.
        seconds_max: machine time after which a trial is ended.
        bytes_max: of what it may come to.
    """

    def __init__(
        self,
        wiring: Wiring,
        seconds_max: float = SECONDS_MAX,
        bytes_max: int = RESULT_BYTES_MAX,
    ) -> None:
        self._wiring = wiring
        self._seconds_max = seconds_max
        self._bytes_max = bytes_max
        self._process: subprocess.Popen[bytes] | None = None
        self.worker = WORKER
        """The module that carries trials out."""

    async def run(self, kind: str, asked: dict[str, Any], told: Told) -> dict[str, Any]:
        """Return what a trial came to. Raise TrialFailed."""
        order = msgspec.json.encode({"kind": kind, "asked": asked, "wiring": self._wiring})
        return await asyncio.to_thread(self._run, order, told)

    def stop(self) -> None:
        """End the process that is under way."""
        if self._process is not None:
            self._process.kill()

    def _run(self, order: bytes, told: Told) -> dict[str, Any]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            [sys.executable, "-m", self.worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._process = process
        late = threading.Timer(self._seconds_max, process.kill)
        late.start()
        with process:
            try:
                os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
                result = _heard(process, order, told, self._bytes_max)
            finally:
                is_late = not late.is_alive()
                late.cancel()
                self._process = None
                process.kill()
            if result is not None:
                return result
            if is_late:
                raise TrialFailed(f"it took longer than {self._seconds_max / 60:g} minutes")
            assert process.stderr is not None, "it was asked for"
            last = process.stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise TrialFailed(last[:SAID_MAX] or "its process ended")


def _heard(
    process: subprocess.Popen[bytes], order: bytes, told: Told, bytes_max: int
) -> dict[str, Any] | None:
    """Give a process its order and hear it out; None where it ends without a result."""
    assert process.stdin is not None, "it was asked for"
    assert process.stdout is not None, "it was asked for"
    try:
        process.stdin.write(order + b"\n")
        process.stdin.flush()  # it stays open: its end would be ours
    except OSError:
        return None
    for line in process.stdout:
        if len(line) > bytes_max:
            raise TrialFailed("what it came to is too much to keep: ask for less")
        try:
            said = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue  # what a library printed
        if "failed" in said:
            raise TrialFailed(said["failed"])
        if "result" in said:
            result: dict[str, Any] = said["result"]
            return result
        told(said["doing"], said["share"])
    return None
