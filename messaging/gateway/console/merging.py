"""Put two edits of one text together, line by line."""

from __future__ import annotations

import itertools
from difflib import SequenceMatcher

Edit = tuple[int, int, tuple[str, ...]]
"""(first line, line behind the last, what stands there instead)."""


def merged(base: str, theirs: str, mine: str) -> str | None:
    r"""Return `base` with both edits, None where both changed the same lines, or lines that touch, in other ways.

    >>> merged("a\nb\nc\n", "a\nb\nc\nd\n", "A\nb\nc\n")
    'A\nb\nc\nd\n'
    >>> merged("a\nb\n", "x\nb\n", "y\nb\n") is None
    True
    """
    lines = base.splitlines(keepends=True)
    edits = sorted({*_edits(lines, theirs), *_edits(lines, mine)})
    for (_, end, _), (start, _, _) in itertools.pairwise(edits):
        if start <= end:
            return None
    for start, end, instead in reversed(edits):
        lines[start:end] = instead
    return "".join(lines)


def _edits(lines: list[str], text: str) -> list[Edit]:
    other = text.splitlines(keepends=True)
    found = SequenceMatcher(None, lines, other, autojunk=False).get_opcodes()
    return [(a, b, tuple(other[c:d])) for kind, a, b, c, d in found if kind != "equal"]
