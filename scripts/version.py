"""Say which code runs: the package's version, and the commit where there is one."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

VERSION = "0.1.0"


@cache
def code_version() -> str:
    """Return `0.1.0+abc1234`."""
    try:
        number = version("mdma")
    except PackageNotFoundError:  # linked, not installed
        number = VERSION
    root = Path(__file__).resolve().parents[1]
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return number
    commit = done.stdout.strip()
    return f"{number}+{commit}" if done.returncode == 0 and commit else number
