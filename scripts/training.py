"""Teach in a process of its own: scikit-learn is loaded there, works at the lowest priority, and goes with it.

A learner's process stays as small as any other bot's, and whatever a training does to memory or time ends with the
process: it is killed after `SECONDS_MAX`, and when its learner stops.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from learning.training.lesson import Lesson, Taught, decode_taught, encode
from messaging.vocabulary.errors import Unavailable

SECONDS_MAX = 600.0
NICENESS = 19
"""Behind the bots, which are behind the gateway: a model has a week's time."""

SAID_MAX = 200
"""Characters of the last line that a process which failed said: the name and text of an error."""

WORKER = "scripts.training_worker"


class TrainingProcess:
    """Be a learner's teacher (`agents.runtime.trainer.Teacher`), one lesson at a time.

    Parameters:
        worker: module that teaches; None: `WORKER`.
        always: it is asked also where the lesson itself is too little.
    """

    def __init__(self, worker: str | None = None, *, always: bool = False) -> None:
        self._worker = worker
        self._always = always
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    async def teach(self, lesson: Lesson) -> Taught:
        """Return what the lesson came to. Raise `Unavailable` where the process fails or takes too long.

        Where too few got there no process is started: for a new system, and in time-lapse, that is every time at first.
        """
        if lesson.is_too_little and not self._always:
            return Taught("too little")
        return await asyncio.to_thread(self._teach, lesson)

    def stop(self) -> None:
        """End the process that is under way."""
        self._is_stopped = True
        if self._process is not None:
            self._process.kill()

    def _teach(self, lesson: Lesson) -> Taught:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            [sys.executable, "-m", self._worker or WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._process = process
        with process:
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
            if self._is_stopped:
                process.kill()
            try:
                taught, said = process.communicate(encode(lesson), timeout=SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Unavailable(f"a training took longer than {SECONDS_MAX:g} s") from None
            finally:
                self._process = None
        if process.returncode != 0:
            last = said.decode(errors="replace").strip().rpartition("\n")[2][:SAID_MAX]
            raise Unavailable(f"the training process ended with {process.returncode}: {last}")
        return decode_taught(taught)
