"""Look a `.env` through before it is read: python-dotenv drops what it cannot read, with a warning.

Rules
1. A line that is not read is refused, as a misspelt name is: without it a default holds, and that of consent asks less.
2. What is told is the file, the line and how to write it, never the line: it may hold a password.
"""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

from dotenv.parser import Binding, parse_stream

HOW = 'write it like NAME=value or NAME="a value", and close each quote'


def env_problems(file: Path, prefix: str) -> list[str]:
    """Return what of the file would not be read, a line for each; empty where there is no such file.

    Args:
        file: the `.env`.
        prefix: how the names of our settings begin; of others only what cannot be read at all is told.
    """
    if not file.is_file():
        return []
    content = file.read_bytes()
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return [f"{file}:{line}: this is not UTF-8; save the file as UTF-8"]
    found = ((each, _problem(each, prefix)) for each in parse_stream(StringIO(text)))
    return [f"{file}:{_line(each)}: {problem}; {HOW}" for each, problem in found if problem]


def _problem(read: Binding, prefix: str) -> str:
    if read.error:
        return "this line cannot be read"
    is_ours = (read.key or "").upper().startswith(prefix)
    if is_ours and read.value is None:
        return f"{read.key} has no ="
    if read.value and re.search(rf"^(?:export\s+)?{prefix}\w+\s*=", read.value, re.MULTILINE):
        return f"{read.key} goes on over the next setting: its quote is not closed"
    return ""


def _line(read: Binding) -> int:
    """Return the line it begins in: empty ones before it are counted in with it."""
    written = read.original.string
    before = written[: len(written) - len(written.lstrip())]
    return read.original.line + len(re.findall(r"\r\n|\n|\r", before))
