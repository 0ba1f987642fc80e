"""Look through everything that is stored for some bytes: it knows nothing of messages, tables or who wrote what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from messaging.store.memory import MemoryDatabase

Place = tuple[str, ...]


class Needle(NamedTuple):
    """Hold the words that are looked for, and where they count."""

    words: tuple[bytes, ...]
    pattern: re.Pattern[bytes]

    def is_in(self, body: bytes) -> bool:
        """Say whether one of the words stands where it counts: the search is slow, and few bodies hold any."""
        return any(word in body for word in self.words) and bool(self.pattern.search(body))


def needle(names: list[str], whole: list[str] | None = None) -> Needle:
    """Match ids and addresses where they begin; of `whole`, ids in which another may begin, only all of it."""
    # A longer address may end in this one; the byte before a text of this length is no letter.
    words = b"|".join(re.escape(name.encode()) for name in names)
    patterns = [rb"(?<![\w.+-])(?:" + words + rb")"]
    for name in whole or ():
        word = re.escape(name.encode())
        patterns += [_head(len(name)) + word, b'"' + word + b'"']
        patterns.append(_head(len(name) + 2) + b"[ua]:" + word)
    looked_for = tuple(name.encode() for name in (*names, *(whole or ())))
    return Needle(looked_for, re.compile(b"|".join(patterns)))


def _head(length: int) -> bytes:
    """Match what MessagePack writes before a text of this length."""
    return re.escape(bytes([0xA0 + length]) if length < 32 else bytes([0xD9, length]))


def places(database: MemoryDatabase, needle: Needle) -> Iterator[Place]:
    """Give every place whose stored bytes hold the needle: whatever it is, and whoever wrote it."""
    encode = msgspec.msgpack.Encoder(enc_hook=str).encode
    for bot, states in database.states.items():
        yield from (
            ("states", bot, who)
            for who, body in states.bodies.items()
            if needle.is_in(body) or needle.is_in(who.encode())
        )
    for (sender, to), box in database.outbox.items():
        yield from (
            ("letters", sender, to, str(n)) for n, chunk in box.items() if needle.is_in(chunk.body)
        )
    for key, row in database.identity.items():
        if needle.is_in(encode((key, row))):
            yield ("identity", key)
    for table, rows in database.tables.items():
        yield from (
            ("rows", table, key) for key, row in rows.items() if needle.is_in(encode((key, row)))
        )
    for shard, owner in database.shards.items():
        yield from (
            ("batches", shard, str(n))
            for n, (_, body) in enumerate(owner.batches, 1)
            if needle.is_in(body)
        )
    for stream in database.streams:
        yield from (("events", str(each.position)) for each in stream if needle.is_in(encode(each)))
