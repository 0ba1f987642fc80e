"""Carry messages and records between shards and into what is stored, as bytes (MessagePack)."""

from __future__ import annotations

import msgspec

from messaging.vocabulary.events import Record
from messaging.vocabulary.messages import AnyMessage, Erased, Replayed


class Letter(msgspec.Struct, array_like=True):
    """Carry one message between shards, with how many causes stand before it."""

    depth: int
    message: AnyMessage


_letters_decoder: msgspec.msgpack.Decoder[list[Letter]] = msgspec.msgpack.Decoder(list[Letter])
_records_decoder: msgspec.msgpack.Decoder[list[Record]] = msgspec.msgpack.Decoder(list[Record])
_encoder = msgspec.msgpack.Encoder()


def erased_letter(letter: Letter) -> Letter:
    """Return what stays of a letter about somebody who was erased: its place, so that the others keep theirs."""
    return Letter(letter.depth, Erased("", letter.message.at))


def encode_letters(letters: list[Letter]) -> bytes:
    """Return the bytes of a batch of letters (MessagePack)."""
    return _encoder.encode(letters)


def decode_letters(body: bytes) -> list[Letter]:
    """Read a batch of letters."""
    return _letters_decoder.decode(body)


def letter_in(message: Replayed) -> Letter:
    """Return the letter that a replay holds."""
    [letter] = decode_letters(message.body)
    return letter


def encode_records(records: list[Record]) -> bytes:
    """Return the bytes of a batch of journal records (MessagePack)."""
    return _encoder.encode(records)


def decode_records(body: bytes) -> list[Record]:
    """Read a batch of journal records."""
    return _records_decoder.decode(body)
