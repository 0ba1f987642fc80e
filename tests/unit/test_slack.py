"""Time-outs of what Ray starts may come late; ours come when they are due."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading

import pytest

from agents.cluster.slack import exact_timers, late_timers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has it")

PR_GET_TIMERSLACK = 30
EXACT = 50_000
ASKS = f"import ctypes; print(ctypes.CDLL(None).prctl({PR_GET_TIMERSLACK}, 0, 0, 0, 0))"


def slack() -> int:
    return ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)


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
