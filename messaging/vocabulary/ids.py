"""Derive every id from what it names, so that a replay finds the same id and a store refuses the second.

Rules
1. No id is drawn at random inside the product: `derive` is the only source (BLAKE2b, RFC 7693).
2. A visitor id is the hash of the first identity key that was seen; its first byte is the partition.
3. A position in the journal is one 63-bit integer: the stream (one writer's incarnation) above, the number below.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

PARTITIONS = 256
"""How many slices the visitors are cut into; fixed for good, since it is part of every stored position."""

STREAM_BITS = 40
"""Bits of a position that number the records of one stream: 10^12 records for each of 8 million streams."""

DERIVED_BYTES = 12
"""Bytes of a derived id: 96 bits keep 10^9 visitors below one collision in 10^10."""


ID_CHARACTERS_MAX = 256
"""Longer user ids and anonymous ids are kept by their hash, so that no key grows past what an index holds well."""

OWN = "mdma:"
"""Begins the message ids that this system gives."""

AGAIN = OWN + "again:"
"""Begins the message ids of events that are replayed from the quarantine (`vocabulary.quarantine`)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

ERASED_LATEST = "x:"
"""Identity key whose row holds the time of the latest erasure: without one nobody need look for others."""

ORDERED_AT = "ordered_at"
"""Property of an event that takes an order back: when that was placed (ISO 8601, world time)."""

HOOK_PREFIX = "hook:"
"""Begins the anonymous ids of orders that a shop's server told of: no browser stands behind them."""


def derive(*parts: str) -> str:
    """Return the id that belongs to these parts: 24 hexadecimal characters, equal on every machine.

    >>> derive("visitor", "u:42") == derive("visitor", "u:42")
    True
    """
    text = "\x1f".join(parts)
    return hashlib.blake2b(text.encode(), digest_size=DERIVED_BYTES).hexdigest()


def own_id(*parts: str) -> str:
    """Return the message id of something this system tells itself, equal for equal parts.

    No client may use ids of this kind (`messaging.gateway.validate`): whoever could would make what comes later
    under the same id a repeat.
    """
    return OWN + derive(*parts)


def short_hash(kind: str, name: str) -> str:
    """Return 12 hexadecimal characters of a name's hash; a name that is such a hash (`#…`) stays what it is.

    >>> short_hash("subject", "#" + short_hash("subject", "ann")) == short_hash("subject", "ann")
    True
    """
    return name[1:13] if name.startswith("#") else derive(kind, name)[:12]


def kept_id(text: str) -> str:
    """Return a user id or anonymous id as it is kept: a very long one by its hash.

    >>> user_key("w" * 300) == user_key(kept_id("w" * 300))
    True
    """
    return text if len(text) <= ID_CHARACTERS_MAX else derive("long", text)


def user_key(user_id: str) -> str:
    """Return the identity key of a user id."""
    return "u:" + kept_id(user_id)


def email_key(address: str) -> str:
    """Return the identity key of an e-mail address, without regard to case or outer blanks."""
    return "e:" + normal_address(address)


def anonymous_key(anonymous_id: str) -> str:
    """Return the identity key of a browser's anonymous id."""
    return "a:" + kept_id(anonymous_id)


def order_key(order_id: str) -> str:
    """Return the key by which an order is known again whose owner was erased; no visitor is found by it."""
    return "o:" + order_id


TEST_SEND = "test-"
"""Begins the send id of a template's test e-mail: no ledger has it."""


def normal_address(address: str) -> str:
    """Return the form of an e-mail address under which it is compared."""
    return address.strip().casefold()


def visitor_id_for(key: str) -> str:
    """Return the visitor id that an unknown identity key gives rise to."""
    return derive("visitor", key)


def reborn_id_for(key: str, erased_at: int) -> str:
    """Return the visitor id that a key gives rise to after its owner was erased: nothing leads from one to the other.

    `erased_at`: microseconds since 1970, of the latest erasure.
    """
    return derive("visitor", key, str(erased_at))


def erased_key(veil: str) -> str:
    """Return the identity key that says when an identity key's owner was erased; `veil` is the key's keyed hash."""
    return "x:" + veil


def message_hash(message_id: str, key: bytes) -> bytes:
    """Return the keyed hash by which the journal knows a message id again (BLAKE2b, RFC 7693 section 2.9).

    Clients choose message ids, and may put anything into them: the id itself must be able to go.
    """
    return hashlib.blake2b(message_id.encode(), digest_size=16, key=key[:64]).digest()


def micros_of(at: datetime) -> int:
    """Return microseconds since 1970, exactly.

    >>> micros_of(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    return (at - _EPOCH) // _MICROSECOND


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


def policy_alert_id(policy: str, kind: str, era: int = 0) -> str:
    """Return the id of an alert about a policy; `era`: of those that may come once in each."""
    return derive("alert", policy, kind, *([str(era)] if era else []))


def domain_of(address: str) -> str:
    """Return the domain of an e-mail address, in small letters; empty for none.

    >>> domain_of("Ann@Example.com"), domain_of("")
    ('example.com', '')
    """
    return address.rpartition("@")[2].lower()


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
