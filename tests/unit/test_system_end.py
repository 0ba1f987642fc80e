"""How a start ends that cannot go on: nothing of it stays behind, and who asks is told what it does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from messaging.store.embedded import EmbeddedMongo
from scripts.client import Api
from scripts.folder import WIRING, Refused, write_private, write_run

ROOT = Path(__file__).parents[2]
GIVES_UP = """
import asyncio, sys
from pathlib import Path
from agents.cluster.ray_head import RayHead
from config.settings import read_settings
from scripts.system import System

data = Path(sys.argv[1])
sessions = data / "ray"
sessions.mkdir()

class Mongod:
    async def stop(self, seconds):
        print("mongod is stopped within", seconds, "seconds; sessions there:", sessions.exists())

system = System(read_settings(data=data), print)
system._head = RayHead("", "", 0, sessions, None)
system._mongo = Mongod()
try:
    asyncio.run(system._give_up("gcs_server"))
finally:
    print("came back")
"""


def test_a_system_that_gives_up_ends_mongod_before_rays_library_can_abort_it(
    tmp_path: Path,
) -> None:
    """That library ends the process a minute after Ray's own end, wherever it stands; mongod would stay."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", GIVES_UP, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "mongod is stopped within 10.0 seconds; sessions there: True" in done.stdout
    assert "came back" not in done.stdout
    assert not (tmp_path / "ray").exists()


def test_a_mongod_that_does_not_end_in_the_time_it_is_given_is_killed(
    tmp_path: Path,
) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    mongo = EmbeddedMongo(tmp_path)
    mongo._process = process
    began = time.monotonic()
    asyncio.run(mongo.stop(0.2))
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("facts", "words"),
    [({"draining": True}, "it drains and stops"), ({}, "being started again")],
)
def test_who_asks_a_gateway_that_does_not_answer_is_told_what_the_system_does(
    tmp_path: Path, facts: dict[str, bool], words: str
) -> None:
    write_private(tmp_path / WIRING, '{"admin_token": "t", "write_keys": ["w"]}')
    write_run(tmp_path, {"local_url": "http://127.0.0.1:9", **facts})
    with pytest.raises(Refused, match=words) as caught:
        Api(tmp_path).get("/api/v1/stats")
    assert "it may be starting" not in str(caught.value)
