"""Derive every id from what it names, so that a replay finds the same id and a store refuses the second.

Rules
1. No id is drawn at random inside the product: `derive` is the only source (BLAKE2b, RFC 7693).
2. A visitor id is the hash of the first identity key that was seen; its first byte is the partition.
3. A position in the journal is one 63-bit integer: the stream (one writer's incarnation) above, the number below.
"""

from __future__ import annotations

import hashlib

PARTITIONS = 256
"""How many slices the visitors are cut into; fixed for good, since it is part of every stored position."""

STREAM_BITS = 40
"""Bits of a position that number the records of one stream: 10^12 records for each of 8 million streams."""

DERIVED_BYTES = 12
"""Bytes of a derived id: 96 bits keep 10^9 visitors below one collision in 10^10."""


HOOK_PREFIX = "hook:"
"""Begins the anonymous ids of orders that a shop's server told of: no browser stands behind them."""


def derive(*parts: str) -> str:
    """Return the id that belongs to these parts: 24 hexadecimal characters, equal on every machine.

    >>> derive("visitor", "u:42") == derive("visitor", "u:42")
    True
    """
    text = "\x1f".join(parts)
    return hashlib.blake2b(text.encode(), digest_size=DERIVED_BYTES).hexdigest()


def user_key(user_id: str) -> str:
    """Return the identity key of a user id."""
    return "u:" + user_id


def email_key(address: str) -> str:
    """Return the identity key of an e-mail address, without regard to case or outer blanks."""
    return "e:" + normal_address(address)


def anonymous_key(anonymous_id: str) -> str:
    """Return the identity key of a browser's anonymous id."""
    return "a:" + anonymous_id


def normal_address(address: str) -> str:
    """Return the form of an e-mail address under which it is compared."""
    return address.strip().casefold()


def visitor_id_for(key: str) -> str:
    """Return the visitor id that an unknown identity key gives rise to."""
    return derive("visitor", key)


def partition_of(visitor_id: str) -> int:
    """Return the partition (0 to 255) of a visitor.

    >>> 0 <= partition_of(visitor_id_for("u:42")) < PARTITIONS
    True
    """
    return int(visitor_id[:2], 16)


def decision_id(visitor_id: str, path: str, run: str, step: str, attempt: int, kind: str) -> str:
    """Return the id of the decision of one kind (`template`, `send_hour`) for one attempt of a run."""
    return derive("decision", visitor_id, path, run, step, str(attempt), kind)


def send_id(visitor_id: str, path: str, run: str, step: str, attempt: int) -> str:
    """Return the id of one send; the e-mail's Message-ID (RFC 5322 section 3.6.4) is made of it."""
    return derive("send", visitor_id, path, run, step, str(attempt))


def engagement_id(visitor_id: str, interaction: str, number: int) -> str:
    """Return the id of a visitor's n-th offer on the site."""
    return derive("engagement", visitor_id, interaction, str(number))


def look_up_id(visitor_id: str, number: int) -> str:
    """Return the id of a visitor's n-th look-up."""
    return derive("look-up", visitor_id, str(number))


def policy_key(name: str) -> str:
    """Return the address of a policy's state at the learner: what a visitor id is to the other bots."""
    return derive("policy", name)


def position(stream: int, number: int) -> int:
    """Return the position of record `number` (from 1) in a journal stream.

    >>> stream_of(position(3, 17)), number_of(position(3, 17))
    (3, 17)
    """
    return stream << STREAM_BITS | number


def stream_of(at: int) -> int:
    """Return the stream of a journal position."""
    return at >> STREAM_BITS


def number_of(at: int) -> int:
    """Return the number of a journal position within its stream."""
    return at & ((1 << STREAM_BITS) - 1)
