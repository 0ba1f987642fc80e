"""Keep the data folder: one system at a time in it, its secrets, and the note by which others find it.

Rules
1. The lock is the kernel's: it ends with the process that holds it, also by `kill -9`.
2. Secrets lie in files with mode 0600, written whole or not at all.
3. `run.json` is there while the system runs, and holds nothing secret; `wiring.json` does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import psutil

RUN, WIRING = "run.json", "wiring.json"


class Refused(Exception):  # noqa: N818 - a fact, as in vocabulary.errors
    """Say in one line why a command cannot do what was asked, and what to do."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the folder. Raise Refused when another system does, or where there can be no such folder."""
    with _opened_lock(data) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"a system runs on {data} already{_who(data)}: "
                "stop it with `mdma stop`, or name another folder with --data"
            ) from None
        yield


def _opened_lock(data: Path) -> BinaryIO:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (data / "lock").open("wb")
    except (FileExistsError, NotADirectoryError):
        file = next(each for each in (data, *data.parents) if each.exists())
        raise Refused(
            f"{file} is a file, not a folder: name another data folder with --data", 2
        ) from None
    except OSError as error:
        raise Refused(
            f"cannot write in {data} ({error.strerror}): "
            "give this user the right to, or name another folder with --data"
        ) from None


def _who(data: Path) -> str:
    run = read_run(data)
    return f" (process {run['pid']})" if run else ""


def kept_secret(data: Path, name: str) -> tuple[str, bool]:
    """Return the secret of this name, and whether it was made just now."""
    file = data / name
    with contextlib.suppress(FileNotFoundError):
        return file.read_text().strip(), False
    made = secrets.token_urlsafe(24)
    write_private(file, made)
    return made, True


def write_private(file: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
        out.write(text)
    draft.replace(file)


def write_run(data: Path, facts: dict[str, Any]) -> None:
    """Write `run.json`: this process, by id and birth, and where everything is reached."""
    born = psutil.Process().create_time()
    write_private(data / RUN, json.dumps({"pid": os.getpid(), "born": born, **facts}, indent=1))


def read_run(data: Path) -> dict[str, Any] | None:
    """Return what `run.json` says, None where no such system runs (any more)."""
    try:
        run: dict[str, Any] = json.loads((data / RUN).read_text())
        process = psutil.Process(run["pid"])
        # The id may belong to a stranger by now: its birth tells.
        alive = abs(process.create_time() - run["born"]) < 1.0
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return run if alive else None


def clear_run(data: Path) -> None:
    """Remove what says that a system runs."""
    for name in (RUN, WIRING):
        (data / name).unlink(missing_ok=True)
