"""Remember many names in few bytes, so that a repeat is known long after the thing itself was let go.

Rules
1. Of each name six bytes of a hash are kept, the newest so many: among a thousand names a new one is mistaken for a
   known one once in 2.8 x 10^11.
2. Each has its time, the second of the thing itself: which are the newest does not depend on when they were told, nor
   of which of two visitors. So what is known after merges is the same in whatever order they came.
3. They stand in the order of their times, and of one second in that of their hashes.
"""

from __future__ import annotations

from hashlib import blake2b

HASH_BYTES, TIME_BYTES = 6, 4
BYTES = TIME_BYTES + HASH_BYTES
LATEST = (1 << 8 * TIME_BYTES) - 1


def remember(packed: bytes, name: str, at: float, most: int) -> bytes:
    """Return what is remembered with a name more, of this time (seconds since 1970); beyond `most` the oldest goes.

    >>> packed = remember(remember(b"", "a", 5, 2), "b", 9, 2)
    >>> packed = remember(packed, "older than both", 1, 2)
    >>> knows(packed, "a"), knows(packed, "b"), knows(packed, "older than both")
    (True, True, False)
    """
    seconds = min(max(int(at), 0), LATEST)
    return united(packed, seconds.to_bytes(TIME_BYTES) + _digest(name), most)


def knows(packed: bytes, name: str) -> bool:
    """Say whether a name is remembered."""
    return bool(packed) and _digest(name) in _hashes(packed)


def united(one: bytes, other: bytes, most: int) -> bytes:
    """Return the newest names that two remember together, `most` at most; a name of two times has the later one.

    >>> one, other = remember(b"", "a", 5, 2), remember(remember(b"", "b", 9, 2), "c", 7, 2)
    >>> both = united(one, other, 2)
    >>> both == united(other, one, 2), knows(both, "a"), knows(both, "c")
    (True, False, True)
    """
    if not other or not one:
        return one or other
    newest = {part[TIME_BYTES:]: part for part in sorted(_parts(one) + _parts(other))}
    return b"".join(sorted(newest.values())[-most:])


def shared(one: bytes, other: bytes) -> int:
    """Return how many names both remember."""
    return len(_hashes(one) & _hashes(other)) if one and other else 0


def dated(hashes: bytes) -> bytes:
    """Return names of the layout that had no times: older than any other, in the order in which they stood."""
    count = len(hashes) // HASH_BYTES
    return b"".join(
        number.to_bytes(TIME_BYTES) + hashes[number * HASH_BYTES : (number + 1) * HASH_BYTES]
        for number in range(count)
    )


def _parts(packed: bytes) -> list[bytes]:
    return [packed[first : first + BYTES] for first in range(0, len(packed), BYTES)]


def _hashes(packed: bytes) -> set[bytes]:
    return {packed[first + TIME_BYTES : first + BYTES] for first in range(0, len(packed), BYTES)}


def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=HASH_BYTES).digest()
