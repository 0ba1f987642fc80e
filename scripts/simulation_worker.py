"""Simulate in a process of its own: a request comes in by standard input, lines go out by standard output.

Each line is a JSON object: `{"arm": …, "share": …}` while it lasts (at most a hundred of them), and at the end
`{"result": …}` (what `scripts.simulation.simulate` returns) or `{"error": …}`, a sentence that a person can read.
Whoever does not want the result any more ends the process.
"""

from __future__ import annotations

import sys

import msgspec

from agents.runtime.garbage import collect_seldom
from config.load import RulesInvalid
from scripts.simulation import Request, simulate

TOLD_EVERY = 0.01


def main() -> None:
    """Read, simulate, write."""
    collect_seldom()
    told = -1.0

    def say(arm: str, share: float) -> None:
        nonlocal told
        if share >= told + TOLD_EVERY:
            told = share
            _write({"arm": arm, "share": round(share, 3)})

    try:
        request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
        _write({"result": simulate(request, say)})
    except (RulesInvalid, ValueError) as error:
        _write({"error": str(error)})


def _write(line: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
