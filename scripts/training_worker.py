"""Train one probability: a lesson comes in by standard input, what it came to goes out by standard output."""

from __future__ import annotations

import sys

from learning.training.champion import teach
from learning.training.lesson import decode_lesson, encode


def main() -> None:
    """Read, learn, write."""
    sys.stdout.buffer.write(encode(teach(decode_lesson(sys.stdin.buffer.read()))))


if __name__ == "__main__":
    main()
