"""Draw what people are and do: each number depends on the seed and on what it is for, never on the order of asking.

So one person lives the same life in both arms of a comparison, but for what the mails change.
"""

from __future__ import annotations

import hashlib
import math
from statistics import NormalDist

_STANDARD = NormalDist()
_TO_UNIT = 2.0**-53
_NUMBERS = 8
"""Numbers that one hash gives: 64 bytes."""


class Chance:
    """Give numbers for one purpose.

    Parameters:
        names: what the numbers are for: the seed, the person, the occasion.
    """

    __slots__ = ("_block", "_left", "_rounds", "_seed")

    def __init__(self, *names: object) -> None:
        self._seed = "\x1f".join(map(str, names)).encode()
        self._rounds = 0
        self._left = 0
        self._block = b""

    def uniform(self) -> float:
        """Return the next number in (0, 1).

        >>> Chance(1, "a").uniform() == Chance(1, "a").uniform()
        True
        """
        if not self._left:
            salt = self._rounds.to_bytes(8, "big")
            self._block = hashlib.blake2b(self._seed, salt=salt).digest()
            self._rounds += 1
            self._left = _NUMBERS
        self._left -= 1
        word = int.from_bytes(self._block[self._left * 8 : self._left * 8 + 8], "big")
        return ((word >> 11) + 0.5) * _TO_UNIT

    def happens(self, probability: float) -> bool:
        """Return whether something of this probability happens."""
        return self.uniform() < probability

    def normal(self, mean: float, deviation: float) -> float:
        """Return a normally distributed number."""
        return _STANDARD.inv_cdf(self.uniform()) * deviation + mean

    def waits(self, mean: float) -> float:
        """Return an exponentially distributed number."""
        return -math.log(self.uniform()) * mean

    def below(self, count: int) -> int:
        """Return a whole number from 0 to `count` − 1."""
        return int(self.uniform() * count)


def chance_of(log_odds: float) -> float:
    """Return the probability with these log odds.

    >>> chance_of(0.0)
    0.5
    """
    return 1.0 / (1.0 + math.exp(-log_odds))
