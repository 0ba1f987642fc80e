"""Remember many names in few bytes, so that a repeat is known long after the thing itself was let go.

Of each name six bytes of a hash are kept, the newest so many: among a thousand names a new one is mistaken for a known
one once in 2.8 x 10^11.
"""

from __future__ import annotations

from hashlib import blake2b

BYTES = 6


def remember(packed: bytes, name: str, most: int) -> bytes:
    """Return what is remembered with a name more; beyond `most` the first one is forgotten.

    >>> knows(remember(b"", "a", 2), "a"), knows(remember(b"", "a", 2), "b")
    (True, False)
    """
    return packed if knows(packed, name) else (packed + _digest(name))[-most * BYTES :]


def knows(packed: bytes, name: str) -> bool:
    """Say whether a name is remembered."""
    return bool(packed) and _digest(name) in _parts(packed)


def united(one: bytes, other: bytes, most: int) -> bytes:
    """Return what two remember together, the same whichever is named first, and `most` of it at most.

    Which is forgotten beyond that is by chance, not by age: neither says how old its names are beside the other's.

    >>> united(remember(b"", "a", 9), remember(b"", "b", 9), 9) == united(
    ...     remember(b"", "b", 9), remember(b"", "a", 9), 9
    ... )
    True
    """
    if not other or not one:
        return one or other
    return b"".join(sorted(_parts(one) | _parts(other))[-most:])


def shared(one: bytes, other: bytes) -> int:
    """Return how many names both remember."""
    return len(_parts(one) & _parts(other)) if one and other else 0


def _parts(packed: bytes) -> set[bytes]:
    return {packed[first : first + BYTES] for first in range(0, len(packed), BYTES)}


def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=BYTES).digest()
