"""Say that everything of a request is durable: the answer that is given thousands of times a second.

Its bytes are the same for a second long, so that they are made once and written as they are. aiohttp makes
headers, status line and body anew for each answer, which costs as much as reading a call.
"""

from __future__ import annotations

import time
from email.utils import formatdate

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import SERVER_SOFTWARE
from aiohttp.web_request import BaseRequest

BODY = b'{"success": true}'

_HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
    "Access-Control-Allow-Origin: *\r\nDate: {}\r\nServer: {}\r\n\r\n"
)


class Acknowledged(web.StreamResponse):
    """Be the one answer for all; it holds nothing of a request."""

    def __init__(self) -> None:
        super().__init__(status=200)
        self._bytes = b""
        self._made_at = 0

    @property
    def keep_alive(self) -> bool:
        """Return True: who wants the connection closed gets another answer."""
        return True

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Write all of it. Raise ConnectionResetError if the client is gone."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        transport.write(self._now())
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing more."""
        assert not data, "the answer is whole"

    def _now(self) -> bytes:
        now = int(time.time())  # RFC 9110 section 6.6.1 asks for the machine's date
        if now != self._made_at:
            date = formatdate(now, usegmt=True)
            self._bytes = _HEAD.format(len(BODY), date, SERVER_SOFTWARE).encode() + BODY
            self._made_at = now
        return self._bytes


_ACKNOWLEDGED = Acknowledged()


def acknowledge(request: web.Request) -> web.StreamResponse:
    """Return the answer to a request of which everything is durable."""
    if request.version == HttpVersion11 and request.keep_alive:
        return _ACKNOWLEDGED
    return web.Response(body=BODY, content_type="application/json")
