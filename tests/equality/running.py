"""Run the real world as a process of its own, and read what it told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.equality.lives import Lives
from tests.equality.real import TOLD
from tests.equality.told import Told, told

ROOT = Path(__file__).resolve().parents[2]
TIMES = ("at", "handed_over_at", "entered_at", "planned_at")
STOP_SECONDS_MAX = 120.0


class RealFailedError(Exception):
    """Say why there is nothing to compare."""


def really_lived(lives: Lives, folder: Path, seconds: float) -> dict[str, Told]:
    """Return visitor -> what the API says became of them. Raise RealFailedError with the end of what was said.

    Args:
        lives: who lives, and for how long.
        folder: an empty one, for the system's data and its output.
        seconds: machine time after which it is given up.
    """
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MDMA_", "RAY_"))}
    words = [str(folder), *_flags(lives)]
    # Ray's sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as short:
        out = folder / "out.log"
        with out.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.equality.real", *words],
                cwd=folder,
                env={**clean, "PYTHONPATH": str(ROOT), "HOME": str(folder), "TMPDIR": short},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS_MAX)
    if not (folder / TOLD).exists():
        raise RealFailedError(out.read_text(errors="replace")[-2_000:])
    content = msgspec.json.decode((folder / TOLD).read_bytes())
    if content["wrong"]:
        raise RealFailedError("; ".join(content["wrong"][:10]))
    return {visitor: _told(found) for visitor, found in content["visitors"].items()}


def _flags(lives: Lives) -> list[str]:
    return [
        *("--visitors", str(lives.visitors)),
        *("--days", str(lives.days)),
        *("--seed", str(lives.seed)),
    ]


def _told(found: dict[str, Any]) -> Told:
    tables = {
        table: {row["id"]: _timed(row) for row in rows} for table, rows in found["tables"].items()
    }
    return told(tables, [_timed(run) | {"attempts": run["attempt"]} for run in found["runs"]])


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name in TIMES and value else value
        for name, value in row.items()
    }
