"""Look through everything that is stored for some bytes: it knows nothing of messages, tables or who wrote what."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from messaging.store.memory import MemoryDatabase

Place = tuple[str, ...]


def needle(names: list[str], whole: list[str] | None = None) -> re.Pattern[bytes]:
    """Match ids and addresses where they begin; of `whole`, ids in which another may begin, only all of it."""
    # A longer address may end in this one; the byte before a text of this length is no letter.
    words = b"|".join(re.escape(name.encode()) for name in names)
    patterns = [rb"(?<![\w.+-])(?:" + words + rb")"]
    for name in whole or ():
        word = re.escape(name.encode())
        patterns += [_head(len(name)) + word, b'"' + word + b'"']
        patterns.append(_head(len(name) + 2) + b"[ua]:" + word)
    return re.compile(b"|".join(patterns))


def _head(length: int) -> bytes:
    """Match what MessagePack writes before a text of this length."""
    return re.escape(bytes([0xA0 + length]) if length < 32 else bytes([0xD9, length]))


def places(database: MemoryDatabase, needle: re.Pattern[bytes]) -> Iterator[Place]:
    """Give every place whose stored bytes hold the needle: whatever it is, and whoever wrote it."""
    encode = msgspec.msgpack.Encoder(enc_hook=str).encode
    for bot, states in database.states.items():
        yield from (
            ("states", bot, who)
            for who, body in states.bodies.items()
            if _has(body, needle) or _has(who.encode(), needle)
        )
    for (sender, to), box in database.outbox.items():
        yield from (
            ("letters", sender, to, str(n)) for n, chunk in box.items() if _has(chunk.body, needle)
        )
    for key, row in database.identity.items():
        if _has(encode((key, row)), needle):
            yield ("identity", key)
    for table, rows in database.tables.items():
        yield from (
            ("rows", table, key) for key, row in rows.items() if _has(encode((key, row)), needle)
        )
    for shard, owner in database.shards.items():
        yield from (
            ("batches", shard, str(n))
            for n, (_, body) in enumerate(owner.batches, 1)
            if _has(body, needle)
        )
    for stream in database.streams:
        yield from (("events", str(each.position)) for each in stream if _has(encode(each), needle))


def _has(body: bytes, needle: re.Pattern[bytes]) -> bool:
    return needle.search(body) is not None
