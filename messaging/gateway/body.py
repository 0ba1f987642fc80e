"""Read a request's body within bounds of size, time and encoding.

Rules
1. aiohttp unpacks nothing (`auto_decompress=False`): its own unpacking turns a broken gzip body into a 500
   and unpacks a bomb before it looks. Here nothing grows past the limit by more than one byte.
2. A body is JSON in UTF-8 whatever it calls itself among `JSON_TYPES`: browsers' beacons can say no better,
   and some libraries do not.
"""

from __future__ import annotations

import asyncio
import zlib

import aiohttp
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from messaging.gateway.problems import ProblemError, unreadable

JSON_TYPES = frozenset(
    {
        "",
        "application/json",
        "text/plain",
        # RudderStack's library for Node packs its batches itself, and its HTTP client then calls them a form.
        "application/x-www-form-urlencoded",
        "application/octet-stream",
    }
)

GZIP_MEMBERS_MAX = 16
"""Each member of a gzip file costs a copy of what follows: thousands of empty ones would cost seconds."""

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""zlib's way to say: gzip header and checksum, largest window."""


async def read_body(
    request: web.Request,
    *,
    bytes_max: int,
    seconds_max: float,
    types: frozenset[str] = JSON_TYPES,
) -> bytes:
    """Return the unpacked body, or raise the problem that it is (400, 408, 413, 415)."""
    _check_type(request, types)
    encoding = _encoding(request)
    length = request.content_length
    if length is not None and length > bytes_max:
        raise _too_large(bytes_max)
    try:
        if request.content.is_eof():  # the usual case: all of it came with the head
            body = request.content.read_nowait()
            _check_size(len(body), bytes_max)
        else:
            async with asyncio.timeout(seconds_max):
                body = await _read(request.content, bytes_max)
    except TimeoutError:
        raise ProblemError(408, "the body did not come in time") from None
    except (HttpProcessingError, web.RequestPayloadError):
        raise unreadable("the body ended early or is not framed as HTTP says") from None
    return unpack(body, bytes_max) if encoding == "gzip" else body


def unpack(packed: bytes, bytes_max: int) -> bytes:
    """Return what a gzip body holds, unpacking never more than `bytes_max` and one byte.

    >>> import gzip
    >>> unpack(gzip.compress(b"{}"), 100)
    b'{}'
    """
    parts: list[bytes] = []
    left = bytes_max
    for _ in range(GZIP_MEMBERS_MAX):  # RFC 1952 section 2.2: one or more members
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            part = member.decompress(packed, left + 1)
        except zlib.error:
            raise unreadable("the body is not gzip, as Content-Encoding says") from None
        if len(part) > left:
            raise _too_large(bytes_max)
        if not member.eof:
            raise unreadable("the gzip body ends early")
        parts.append(part)
        left -= len(part)
        packed = member.unused_data
        if not packed:
            return parts[0] if len(parts) == 1 else b"".join(parts)
    raise unreadable(f"the gzip body has more than {GZIP_MEMBERS_MAX} members")


def _check_type(request: web.Request, types: frozenset[str]) -> None:
    given = request.headers.get(hdrs.CONTENT_TYPE, "")
    if given not in types and given.split(";", 1)[0].strip().lower() not in types:
        raise ProblemError(415, "send JSON as application/json or text/plain", field="Content-Type")


def _encoding(request: web.Request) -> str:
    given = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    if given in {"", "identity"}:
        return ""
    if given in {"gzip", "x-gzip"}:
        return "gzip"
    raise ProblemError(
        415,
        "send it plain or as gzip",
        field="Content-Encoding",
        headers={"Accept-Encoding": "gzip"},
    )


async def _read(content: aiohttp.StreamReader, bytes_max: int) -> bytes:
    body = await content.readany()
    if content.at_eof():
        _check_size(len(body), bytes_max)
        return body
    parts = bytearray(body)
    while not content.at_eof():
        _check_size(len(parts), bytes_max)
        parts += await content.readany()
    _check_size(len(parts), bytes_max)
    return bytes(parts)


def _check_size(size: int, bytes_max: int) -> None:
    if size > bytes_max:
        raise _too_large(bytes_max)


def _too_large(bytes_max: int) -> ProblemError:
    return ProblemError(413, f"the body is larger than {bytes_max} bytes")
