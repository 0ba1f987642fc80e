"""Sign and read the tokens that links in e-mails carry, and hash addresses to mailboxes.

A token is base64url(MessagePack payload + 16 bytes of HMAC-SHA256). Five kinds: open, click,
unsubscribe, confirm, browser tag.

Rules
1. What cannot be verified is None: a caller learns nothing about why, and neither does who forged it.
2. A kind is part of the signed payload: an open token is no unsubscribe token.
3. Only the tagging ends with time (world time). A link in an old mail still leads on, and one can
   leave by it for ever; but who finds it in an archive years later is not made the reader of that mail.
4. Signing and hashing never sign the same bytes: a token's signature starts with its own label.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from messaging.vocabulary.ids import normal_address

SIGNATURE_BYTES = 16
"""128 bits: a forger would need 10^20 requests for one hit in 10^18."""

TOKEN_CHARACTERS_MAX = 6_000
"""A click token holds a whole address; longer ones than 4,000 bytes are not written by `sign`."""

MAILBOX_BYTES = 12
"""Bytes of a mailbox hash: as many as a derived id has."""

TAG_VALID = timedelta(days=30)
"""How long after the mail a click still tags, and how long a tag is believed."""

TAG_PARAMETER = "mdma_v"
"""Query parameter of the destination that carries the browser tag after a click."""

_IN_URLS = "%/:?#[]@!$&'()*+,;=~"
"""What an address may hold besides letters and digits (RFC 3986 section 2)."""

_LABEL = b"mdma token\x00"


class OpenToken(msgspec.Struct, array_like=True, tag="o", frozen=True):
    """Stand in the address of the pixel."""

    visitor: str
    send_id: str


class ClickToken(msgspec.Struct, array_like=True, tag="c", frozen=True):
    """Stand in the address of a tracked link."""

    visitor: str
    send_id: str
    url: str
    """Where the link leads; since it is signed, nobody can make us redirect elsewhere."""
    expires: datetime
    """World time from which on a click tags no browser any more."""


class UnsubscribeToken(msgspec.Struct, array_like=True, tag="u", frozen=True):
    """Stand in the address of the unsubscribe link."""

    visitor: str
    send_id: str
    mailbox: str


class ConfirmToken(msgspec.Struct, array_like=True, tag="y", frozen=True):
    """Stand in the address at which the owner of a mailbox confirms that it may be written to."""

    visitor: str
    send_id: str
    mailbox: str


class BrowserTag(msgspec.Struct, array_like=True, tag="t", frozen=True):
    """Tell the site whose browser this is."""

    visitor: str
    issued_at: datetime


Token = OpenToken | ClickToken | UnsubscribeToken | ConfirmToken | BrowserTag

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Token] = msgspec.msgpack.Decoder(Token)


def sign(secret: bytes, token: Token) -> str:
    """Return the signed text of a token. Raise ValueError if it would be too long to be read again."""
    body = _encoder.encode(token)
    text = base64.urlsafe_b64encode(body + _signature(secret, body)).rstrip(b"=").decode("ascii")
    if len(text) > TOKEN_CHARACTERS_MAX:
        raise ValueError("the link is too long to be signed")
    return text


def verify(secret: bytes, text: str) -> Token | None:
    """Return the token of a text that we signed, None for everything else.

    >>> verify(b"s", sign(b"s", OpenToken("v", "1")))
    OpenToken(visitor='v', send_id='1')
    >>> verify(b"other", sign(b"s", OpenToken("v", "1"))) is None
    True
    """
    if len(text) > TOKEN_CHARACTERS_MAX or not text.isascii():
        return None
    try:
        # Strict: the lenient decoder drops strange characters, so that one token would have many texts.
        blob = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    body, signature = blob[:-SIGNATURE_BYTES], blob[-SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(secret, body)):
        return None
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:  # signed by another version with another layout
        return None


def verify_open(secret: bytes, text: str) -> OpenToken | None:
    """Return the open token of a text (`.gif` at its end is ignored), None for everything else."""
    token = verify(secret, text.removesuffix(".gif"))
    return token if isinstance(token, OpenToken) else None


def verify_click(secret: bytes, text: str) -> ClickToken | None:
    """Return the click token of a text, None for everything else."""
    token = verify(secret, text)
    return token if isinstance(token, ClickToken) else None


def verify_unsubscribe(secret: bytes, text: str) -> UnsubscribeToken | None:
    """Return the unsubscribe token of a text, None for everything else."""
    token = verify(secret, text)
    return token if isinstance(token, UnsubscribeToken) else None


def verify_confirm(secret: bytes, text: str) -> ConfirmToken | None:
    """Return the confirm token of a text, None for everything else."""
    token = verify(secret, text)
    return token if isinstance(token, ConfirmToken) else None


def verify_browser_tag(secret: bytes, text: str, now: datetime) -> str | None:
    """Return the visitor that a browser tag names; None if it is forged, or older than `TAG_VALID`."""
    token = verify(secret, text)
    if not isinstance(token, BrowserTag) or now - token.issued_at > TAG_VALID:
        return None
    return token.visitor


def destination(secret: bytes, click: ClickToken, now: datetime) -> str:
    """Return where a click leads: the link's own address, with a browser tag until the token expires.

    It is ASCII without control characters, as a Location header wants it. Browsers read a percent-encoded
    host as the name it stands for.
    """
    url = quote(click.url, safe=_IN_URLS)
    if now >= click.expires:
        return url
    tag = sign(secret, BrowserTag(click.visitor, now))
    try:
        parts = urlsplit(url)
    except ValueError:  # a later Python may be stricter than the one that signed it
        return url
    query = f"{parts.query}&{TAG_PARAMETER}={tag}" if parts.query else f"{TAG_PARAMETER}={tag}"
    return urlunsplit(parts._replace(query=query))


def mailbox_hash(secret: bytes, address: str) -> str:
    """Return the keyed hash of an address: what suppression is kept by, so that no list of addresses is.

    >>> mailbox_hash(b"s", " Ann@Example.com ") == mailbox_hash(b"s", "ann@example.com")
    True
    """
    digest = hmac.digest(secret, normal_address(address).encode(), "sha256")
    return digest[:MAILBOX_BYTES].hex()


def key_hash(secret: bytes, key: str) -> str:
    """Return the keyed hash of an identity key, by which one whose owner was erased is known again.

    >>> key_hash(b"s", "u:Ann") == key_hash(b"s", "u:ann")
    False
    """
    return hmac.digest(secret, b"key:" + key.encode(), "sha256")[:MAILBOX_BYTES].hex()


def _signature(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, _LABEL + body, "sha256")[:SIGNATURE_BYTES]
