"""Fetch one small JSON document from a stranger: whatever the stranger does, it ends soon and reaches nothing private.

Rules
1. Only https on port 443, without a user in the URL; a host that a setting names may be private and use the rest.
2. Each hop of a redirect is checked like the first, and there are few. No cookie, no proxy, no credential travels.
3. The time is bounded for each request, headers and body together; the size is bounded before and after unpacking.
4. What is not JSON by its content type, not UTF-8, or nested deeper than any honest answer is no answer.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from messaging.names import Resolve, machine_names
from messaging.outside import CheckedResolver, NotPublic, may_be_asked_for
from messaging.social.outcomes import BUSY, FAILED, REFUSED, Asked, Unanswered
from messaging.social.places import is_named
from messaging.social.turns import Turns

REQUEST_SECONDS_MAX = 5.0
BYTES_MAX = 256 * 1024
"""The largest honest answer, a page of an outbox, has about 60 kB."""

REDIRECTS_MAX = 3
URL_CHARACTERS_MAX = 2_000
DEPTH_MAX = 32
AT_ONCE_MAX = 16
REST_SECONDS = 600.0
"""Where a host asks for a rest and does not say how long."""

USER_AGENT = "MDMA social look-up"

IN_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "no answer in time"),
    (socket.gaierror, "nobody has this name"),
    (ssl.SSLCertVerificationError, "its certificate is not valid"),
    (ssl.SSLError, "no safe connection"),
    (ConnectionRefusedError, "the connection was refused"),
    (aiohttp.ServerDisconnectedError, "the connection was cut"),
    (ConnectionError, "the connection was cut"),
    (OSError, "not reachable"),
    (aiohttp.ClientError, "no proper answer"),
    (Exception, "nothing that can be read"),
)
"""Kind of error -> what it comes to; the first that fits."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 503})
_JSON = re.compile(r"application/(?:[a-z0-9.+-]{1,60}\+)?json")
_GZIP = 16 + zlib.MAX_WBITS


class Page(msgspec.Struct):
    """Hold an answer: its status, and the document of a 200."""

    status: int
    document: Any = None


class Fetcher:
    """Fetch documents.

    Parameters:
        turns: how often a host is asked.
        allowed: `host:port` of those that may be private, use http and other ports; `host` for all ports.
        is_outside_open: False: none but those are reached.
        resolve: who says what a host stands for.
        seconds_max: machine time for one request.
    """

    def __init__(
        self,
        turns: Turns,
        *,
        allowed: frozenset[str] = frozenset(),
        is_outside_open: bool = True,
        resolve: Resolve = machine_names,
        seconds_max: float = REQUEST_SECONDS_MAX,
    ) -> None:
        self._turns = turns
        self._allowed = allowed
        self._is_outside_open = is_outside_open
        self._resolve = resolve
        self._seconds_max = seconds_max
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str, accept: str, asked: Asked) -> Page:
        """Return what a URL answers; `asked` takes down whom that took. Raise Unanswered."""
        place = self._checked(url)
        for _ in range(REDIRECTS_MAX + 1):
            host = str(place.host)
            await self._turns.take(host)
            asked.note(host)
            try:
                async with asyncio.timeout(self._seconds_max):
                    found = await self._ask(place, accept)
            except TimeoutError:
                raise Unanswered(FAILED, "time-out") from None
            except (aiohttp.ClientError, OSError, ValueError) as error:
                said = _said(error)
                if said.outcome == REFUSED:
                    asked.take_back()  # its name stands for a private address: nobody was reached
                raise said from None
            if isinstance(found, Page):
                return found
            place = self._checked(found, place)
        raise Unanswered(REFUSED, "too many redirects")

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    # Where to

    def _checked(self, text: str, base: URL | None = None) -> URL:
        """Return a URL that may be asked."""
        if len(text) > URL_CHARACTERS_MAX:
            raise Unanswered(REFUSED, "a URL that is too long")
        try:
            url = URL(text) if base is None else base.join(URL(text))
            port, host = url.port, url.host
        except ValueError:
            raise Unanswered(REFUSED, "not a URL") from None
        if url.scheme not in ("http", "https") or not host or port is None:
            raise Unanswered(REFUSED, "not a web address")
        if url.user is not None or url.password is not None:
            raise Unanswered(REFUSED, "a user in the URL")
        if self._is_allowed(host, port):
            return url
        if not self._is_outside_open:
            raise Unanswered(REFUSED, "only named hosts are reached")
        if (url.scheme, port) != ("https", 443):
            raise Unanswered(REFUSED, "only https on its own port")
        if not may_be_asked_for(url.raw_host or ""):
            raise Unanswered(REFUSED, "not a public address")
        return url

    def _is_allowed(self, host: str, port: int) -> bool:
        return is_named(host, port, self._allowed)

    # One request

    async def _ask(self, url: URL, accept: str) -> Page | str:
        """Return the answer, or where it redirects to."""
        headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": USER_AGENT}
        session = self._opened()
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            try:
                if answer.status in _REDIRECTS:
                    return _location(answer.headers)
                if answer.status in _BUSY:
                    self._turns.rest(str(url.host), _rest_seconds(answer.headers))
                    raise Unanswered(BUSY, f"status {answer.status}")
                if answer.status != 200:
                    return Page(answer.status)
                if not _JSON.fullmatch(answer.content_type.lower()):
                    raise Unanswered(FAILED, "not JSON by its content type")
                return Page(200, read_json(await _body(answer)))
            finally:
                answer.close()  # what was not read is not waited for

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=CheckedResolver(self._is_allowed, self._resolve),
                use_dns_cache=False,
                force_close=True,
                limit=AT_ONCE_MAX,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


def read_json(body: bytes) -> Any:
    """Return a stranger's JSON as plain objects. Raise Unanswered.

    >>> read_json(b'{"a": [1, null]}')
    {'a': [1, None]}
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Unanswered(FAILED, "not JSON that can be read") from None
    if _depth(document) > DEPTH_MAX:
        raise Unanswered(FAILED, "JSON that is nested too deep")
    return document


def _depth(document: Any) -> int:
    """Return how deep a document is nested, without going deeper than is asked for."""
    level, depth = [document], 0
    while level and depth <= DEPTH_MAX:
        depth += 1
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        level = inner
    return depth


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body, unpacked: a chunk of a bomb gives no more than is still allowed."""
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "", "gzip"):
        raise Unanswered(FAILED, "an unknown content coding")
    unpacker = zlib.decompressobj(_GZIP) if coding == "gzip" else None
    body = bytearray()
    taken = 0
    try:
        async for chunk in answer.content.iter_any():
            taken += len(chunk)
            room = BYTES_MAX - len(body) + 1
            body += chunk if unpacker is None else unpacker.decompress(chunk, room)
            if max(taken, len(body)) > BYTES_MAX:
                raise Unanswered(FAILED, "an answer that is too large")
    except zlib.error:
        raise Unanswered(FAILED, "a broken content coding") from None
    if unpacker is not None and not unpacker.eof:
        raise Unanswered(FAILED, "a broken content coding")
    return bytes(body)


def _location(headers: Mapping[str, str]) -> str:
    location = headers.get("Location", "")
    if not location:
        raise Unanswered(FAILED, "a redirect to nowhere")
    return location


def _rest_seconds(headers: Mapping[str, str]) -> float:
    """Return for how long a host wants to be left alone (RFC 9110, 10.2.3); the usual time where it does not say.

    >>> date = {
    ...     "Date": "Fri, 06 Mar 2026 07:00:00 GMT",
    ...     "Retry-After": "Fri, 06 Mar 2026 12:00:00 GMT",
    ... }
    >>> _rest_seconds(date), _rest_seconds({"Retry-After": "90"})
    (18000.0, 90.0)
    """
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:  # by the host's own clock
        until, now = (
            parsedate_to_datetime(headers.get(name, "")) for name in ("Retry-After", "Date")
        )
        return max((until - now).total_seconds(), REST_SECONDS)
    except (TypeError, ValueError):
        return REST_SECONDS


def _said(error: Exception) -> Unanswered:
    """Return an error of the network in our words: a stranger's text goes into no log and no story."""
    inner = getattr(error, "os_error", None) or error
    if isinstance(inner, NotPublic):
        return Unanswered(REFUSED, "not a public address")
    return Unanswered(FAILED, next(text for kind, text in IN_WORDS if isinstance(inner, kind)))
