"""Turn values into what is stored and searched: times, partitions of a shard, keys that sort by number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from messaging.vocabulary.ids import PARTITIONS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DIGITS = 15
"""Digits of a number inside a key: 10^15 batches, and keys of one prefix sort by number."""


def to_micros(at: datetime) -> int:
    """Return microseconds since 1970. BSON's own dates keep milliseconds only: a wake-up would be read early.

    >>> to_micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the time that `to_micros` was given.

    >>> from_micros(1_000_005).microsecond
    5
    """
    return _EPOCH + timedelta(microseconds=micros)


def partition_bounds(shard: tuple[int, int]) -> tuple[int, int]:
    """Return the first and the last partition of shard (index, of how many).

    >>> [partition_bounds((index, 3)) for index in range(3)]
    [(0, 85), (86, 170), (171, 255)]
    """
    index, shards = shard
    assert 0 <= index < shards <= PARTITIONS
    first = -(-index * PARTITIONS // shards)
    after = -(-(index + 1) * PARTITIONS // shards)
    return first, after - 1


def numbered(prefix: str, number: int) -> str:
    """Return a key that sorts by number among those of its prefix.

    >>> numbered("rules-0", 12)
    'rules-0:000000000000012'
    """
    assert 0 <= number < 10**_DIGITS
    return f"{prefix}:{number:0{_DIGITS}}"


def number_in(key: str) -> int:
    """Return the number in a key made by `numbered`.

    >>> number_in(numbered("rules-0", 12))
    12
    """
    return int(key[-_DIGITS:])


def last_of(prefix: str) -> str:
    """Return the greatest key that `numbered` can make of a prefix."""
    return numbered(prefix, 10**_DIGITS - 1)


def outbox_prefix(sender: str, to: str) -> str:
    """Return the prefix of the outbox documents from one shard to another."""
    return f"{sender}>{to}"
