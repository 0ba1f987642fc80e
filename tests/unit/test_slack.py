"""Time-outs of what Ray starts may come late; ours come when they are due."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from messaging.slack import DRIVER_LATE_SECONDS, exact_timers, late_timers
from messaging.store.connection import connect

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has it")

PR_GET_TIMERSLACK = 30
EXACT = 50_000
ASKS = f"import ctypes; print(ctypes.CDLL(None).prctl({PR_GET_TIMERSLACK}, 0, 0, 0, 0))"


def slack() -> int:
    return ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)


def slack_of(thread):
    return int(Path(f"/proc/{thread.native_id}/timerslack_ns").read_text(encoding="ascii"))


def slack_of_a_new_process() -> int:
    return int(subprocess.check_output([sys.executable, "-c", ASKS]))


def test_processes_started_in_the_block_are_late_and_those_after_it_are_not():
    with late_timers(0.3):
        assert slack_of_a_new_process() == 300_000_000
    assert slack() == EXACT
    assert slack_of_a_new_process() == EXACT


def test_a_thread_that_says_so_is_exact_and_so_are_its_threads():
    seen = []

    def asks():
        exact_timers()
        seen.append(slack())
        child = threading.Thread(target=lambda: seen.append(slack()))
        child.start()
        child.join()

    with late_timers():
        thread = threading.Thread(target=asks)
        thread.start()
        thread.join()
        assert slack() > EXACT
    assert seen == [EXACT, EXACT]


async def test_the_threads_of_the_database_s_driver_are_late():
    connection = connect("mongodb://127.0.0.1:1/mdma")
    try:
        threads = [t for t in threading.enumerate() if t.name.startswith("pymongo")]
        assert threads
        for thread in threads:
            assert slack_of(thread) == DRIVER_LATE_SECONDS * 1e9
        assert slack() == EXACT
    finally:
        await connection.close()
