"""Serve the files that browsers fetch: packed once, known by their content, asked for again only when they changed.

Rules
1. A validator belongs to what was sent (RFC 9110 section 8.8.3.3): the packed text has an ETag of its own.
2. The source is written to be read; its comments and indentation stay here. What is left of the script is still
   readable, and no build tool is needed.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Awaitable, Callable
from importlib.resources import files

import msgspec
from aiohttp import hdrs, web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SDK_SECONDS_FRESH = 3_600
SDK_SECONDS_STALE = 86_400
"""A site gets a new script within an hour; for a day the old one may be shown while the new one is fetched."""

SITE = files("messaging.gateway") / "site"
"""The files, as they lie in the package."""

_COMMENTS = re.compile(r"^[ \t]*(?:/\*.*?\*/|//[^\n]*)[ \t]*\n", re.MULTILINE | re.DOTALL)
_INDENTATION = re.compile(r"^[ \t]+|[ \t]*\n(?=\s*\n)", re.MULTILINE)


class Asset(msgspec.Struct, frozen=True):
    """Hold one file, plain and packed, each with its validator."""

    body: bytes
    packed: bytes
    etag: str
    packed_etag: str
    content_type: str
    headers: dict[str, str] = {}


def make_asset(body: bytes, content_type: str, headers: dict[str, str]) -> Asset:
    """Return the asset of a body; the same body gives the same validators on every machine."""
    mark = hashlib.sha256(body).hexdigest()[:20]
    return Asset(
        body=body,
        packed=gzip.compress(body, 9, mtime=0),
        etag=f'"{mark}"',
        packed_etag=f'"{mark}-gzip"',
        content_type=content_type,
        headers={"X-Content-Type-Options": "nosniff", **headers},
    )


def sdk() -> Asset:
    """Return the browser's script."""
    cache = f"public, max-age={SDK_SECONDS_FRESH}, stale-while-revalidate={SDK_SECONDS_STALE}"
    headers = {
        "Cache-Control": cache,
        # Sites load it from here, also under COEP and with `crossorigin`.
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return make_asset(
        lean((SITE / "sdk.js").read_text("utf-8")).encode(), "text/javascript", headers
    )


def look(name: str, content_type: str) -> Asset:
    """Return a file of the pages for people."""
    headers = {"Cache-Control": "public, max-age=300"}
    return make_asset((SITE / "look" / name).read_bytes(), content_type, headers)


def lean(script: str) -> str:
    r"""Return a script without the comments and the indentation that fill lines of their own.

    >>> lean("a();\n  // why\n  /* and\n why */\n\n  b(); // stays\n")
    'a();\nb(); // stays\n'
    """
    return _INDENTATION.sub("", _COMMENTS.sub("", script))


def serve(asset: Asset) -> Handler:
    """Return the handler that gives an asset: packed to who can unpack it, 304 to who has it."""

    async def handle(request: web.Request) -> web.Response:
        is_packed = _takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
        etag = asset.packed_etag if is_packed else asset.etag
        headers = {**asset.headers, "ETag": etag, "Vary": "Accept-Encoding"}
        if _knows(request.headers.get(hdrs.IF_NONE_MATCH, ""), etag):
            return web.Response(status=304, headers=headers)
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(
            body=asset.packed if is_packed else asset.body,
            content_type=asset.content_type,
            charset="utf-8" if asset.content_type.startswith("text/") else None,
            headers=headers,
        )

    return handle


def _takes_gzip(accepted: str) -> bool:
    """Say whether gzip is named and not refused by `q=0` (RFC 9110 section 12.5.3)."""
    for part in accepted.lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        if name in {"gzip", "x-gzip"}:
            return not any(re.fullmatch(r"q=0(\.0*)?", each) for each in parameters)
    return False


def _knows(given: str, etag: str) -> bool:
    """Say whether `If-None-Match` names this validator; compared weakly (RFC 9110 section 13.1.2)."""
    return any(
        part == "*" or part.removeprefix("W/") == etag for part in map(str.strip, given.split(","))
    )
