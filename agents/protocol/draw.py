"""Draw numbers that depend on a decision's id alone, so that a replay draws the same on any machine.

The generator is BLAKE2b over (id, counter): no library's stream, which may change with its version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

_TO_UNIT = 2.0**-53


class Draw:
    """Give uniform numbers for one decision."""

    __slots__ = ("_count", "_seed")

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._count = 0

    def uniform(self) -> float:
        """Return the next number in [0, 1).

        >>> Draw("a").uniform() == Draw("a").uniform()
        True
        """
        digest = hashlib.blake2b(
            self._seed, digest_size=8, salt=self._count.to_bytes(8, "big")
        ).digest()
        self._count += 1
        return (int.from_bytes(digest, "big") >> 11) * _TO_UNIT

    def choose(self, probabilities: list[float]) -> int:
        """Return an index, each with its probability (they sum to 1 up to rounding)."""
        at = self.uniform() * sum(probabilities)
        last = 0
        for index, probability in enumerate(probabilities):
            if probability > 0:
                last = index
                if at < probability:
                    return index
                at -= probability
        return last


DrawFor = Callable[[str], Draw]
"""What a step is given: a generator for a decision id."""


def share(salt: str, visitor: str) -> float:
    """Return a visitor's fixed place in [0, 1) under a salt: holdouts and split tests."""
    return Draw(f"{salt}\x1f{visitor}").uniform()
