"""Listen for HTTP with bounds that aiohttp does not have: slow heads, too many connections.

Rules
1. A head that has begun must be whole within seconds; a connection without a request is idle and ends by
   the keep-alive time.
2. What cannot be read as HTTP is answered like any other problem. Neither the answer nor the log repeats its bytes:
   the line at which a parser gives up may hold a token or an address.
3. Over the cap a connection is answered 503 and closed at once: a client that waits in a queue learns nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.limits import Limits
from messaging.gateway.problems import ProblemError
from messaging.gateway.shortway import short_way

log = structlog.get_logger()

LINGERING_SECONDS = 2.0
"""How long the rest of a refused body is read away, so that the client gets to see the refusal."""

_FULL_BODY = b'{"type":"about:blank","title":"Service Unavailable","status":503}'
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n%b"
    % (len(_FULL_BODY), _FULL_BODY)
)


def runner_for(app: web.Application) -> web.AppRunner:
    """Return the runner with the settings that the gateway relies on."""
    limits = app[GATEWAY].deps.limits
    return web.AppRunner(app, shutdown_timeout=limits.drain_seconds_max, **_settings(limits))


def _settings(limits: Limits) -> dict[str, Any]:
    return {
        "access_log": None,  # the guard writes our own line, without addresses
        "auto_decompress": False,  # see body.py
        "keepalive_timeout": limits.keepalive_seconds,
        "lingering_time": LINGERING_SECONDS,
    }


class GuardedSite(web.BaseSite):
    """Listen at one address through `GuardedHandler`."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, gateway: Gateway) -> None:
        super().__init__(runner)
        self._host = host
        self._port = port
        self._gateway = gateway
        self._limits = gateway.deps.limits

    @property
    def name(self) -> str:
        """Return the address for people."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Begin to listen. Raise OSError if the port is taken."""
        await super().start()
        loop = asyncio.get_running_loop()
        server = self._runner.server
        assert server is not None
        limits = self._limits
        server.request_handler = short_way(self._gateway, server.request_handler)

        def protocol() -> asyncio.Protocol:
            if len(server.connections) >= limits.connections_max:
                return _Full()
            return GuardedHandler(server, limits.head_seconds_max, loop=loop, **_settings(limits))

        self._server = await loop.create_server(protocol, self._host, self._port, backlog=1024)


class GuardedHandler(RequestHandler):
    """Serve one connection; end it when a head takes too long."""

    __slots__ = ("_head_late", "_head_seconds_max", "_is_new")

    def __init__(self, manager: web.Server, head_seconds_max: float, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._head_seconds_max = head_seconds_max
        self._head_late: asyncio.TimerHandle | None = None
        self._is_new = True
        """True until a first head is whole, or aiohttp waits for one: it begins to a moment after the first bytes."""

    def data_received(self, data: bytes) -> None:
        """Take bytes; if they end inside a head, the rest must come in time."""
        super().data_received(data)
        waits = self._waiter is not None
        self._is_new = self._is_new and not waits and not self._messages
        is_inside_head = self._is_new or (self._waiter is not None and not self._waiter.done())
        if not is_inside_head:
            self._head_is_whole()
        elif self._head_late is None:
            self._head_late = self._loop.call_later(self._head_seconds_max, self.force_close)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._head_is_whole()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request
    ) -> web.StreamResponse:
        """Answer what the parser refused, and what failed outside the guard."""
        log.warning("request.unreadable", status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        detail = "this is no HTTP that can be read" if status < 500 else "this failed on our side"
        response = ProblemError(status, detail).response()
        response.force_close()
        return response

    def log_exception(self, *_: Any, **keys: Any) -> None:
        """Log that serving failed, without what was served."""
        log.warning("connection.failed", error=type(keys.get("exc_info")).__name__)

    def _head_is_whole(self) -> None:
        if self._head_late is not None:
            self._head_late.cancel()
            self._head_late = None


class _Full(asyncio.Protocol):
    """Refuse one connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(_FULL)
        transport.close()
