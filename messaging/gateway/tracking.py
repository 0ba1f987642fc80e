"""Speak the Segment HTTP Tracking API: single calls, batches and imports.

Rules
1. 200 means durable. A batch with bad items keeps the good ones and names the bad by index: the public SDKs
   throw a whole batch away on any other 4xx.
2. Authentication is by write key, in the header or in the body. Browsers post from other sites: CORS allows it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import hdrs, web

from messaging.gateway.acknowledged import acknowledge
from messaging.gateway.body import read_body
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.limits import BATCH_BYTES_MAX, EVENT_BYTES_MAX
from messaging.gateway.validate import Taken, read_batch, read_envelope

CALLS = ("track", "identify", "page", "screen", "group", "alias")

_encoder = msgspec.json.Encoder()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Taker = Callable[[Gateway, web.Request], Awaitable[web.StreamResponse]]
"""Answers a request to a gateway: what a route does, whichever way it was found."""


def handler(take: Taker) -> Handler:
    """Return a taker as a handler of the application's."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await take(request.app[GATEWAY], request)

    return handle


def _single(kind: str) -> Taker:
    """Return the taker of the route of one type of call."""

    def read(gateway: Gateway, body: bytes, *, is_known: bool) -> Taken:
        envelope = read_envelope(body)
        if not is_known:
            gateway.keys.check_write_key(envelope.write_key)
        return gateway.reader.single(body, envelope, kind)

    async def take(gateway: Gateway, request: web.Request) -> web.StreamResponse:
        return await _collect(gateway, request, EVENT_BYTES_MAX, read)

    return take


async def _batch(gateway: Gateway, request: web.Request) -> web.StreamResponse:
    """Take a batch of calls as they happen."""
    return await _collect(gateway, request, BATCH_BYTES_MAX, _read_live)


async def _import(gateway: Gateway, request: web.Request) -> web.StreamResponse:
    """Take a batch of calls of the past, with the times they carry."""
    return await _collect(gateway, request, BATCH_BYTES_MAX, _read_past)


_singles = {call: _single(call) for call in CALLS}

TAKERS: dict[str, Taker] = {
    **{f"/v1/{call}": take for call, take in _singles.items()},
    **{f"/v1/{call[0]}": take for call, take in _singles.items()},
    "/v1/batch": _batch,
    "/v1/b": _batch,
    "/v1/import": _import,
}
"""Path -> what takes the POST to it."""


async def preflight(_: web.Request) -> web.Response:
    """Tell a browser that it may post from anywhere."""
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
            "Access-Control-Max-Age": "86400",
        },
    )


def _read_live(gateway: Gateway, body: bytes, *, is_known: bool) -> Taken:
    return _read_batch(gateway, body, is_known=is_known, live=True)


def _read_past(gateway: Gateway, body: bytes, *, is_known: bool) -> Taken:
    return _read_batch(gateway, body, is_known=is_known, live=False)


def _read_batch(gateway: Gateway, body: bytes, *, is_known: bool, live: bool) -> Taken:
    envelope = read_batch(body)
    if not is_known:
        gateway.keys.check_write_key(envelope.write_key)
    return gateway.reader.batch(body, envelope, live=live)


async def _collect(
    gateway: Gateway, request: web.Request, bytes_max: int, read: Callable[..., Taken]
) -> web.StreamResponse:
    is_known = gateway.keys.check_write_header(request)
    # A packed or unannounced body may be as large as is allowed.
    announced = request.content_length if hdrs.CONTENT_ENCODING not in request.headers else None
    room = min(announced, bytes_max) if announced is not None else bytes_max
    gateway.room.take(room)
    try:
        body = await read_body(
            request, bytes_max=bytes_max, seconds_max=gateway.deps.limits.body_seconds_max
        )
        taken = read(gateway, body, is_known=is_known)
        del body  # the records hold their own bytes while they wait
        await gateway.collector.take(taken.records)
    finally:
        gateway.room.give(room)
    if not taken.rejected:
        return acknowledge(request)
    gateway.metrics.rejected.inc(len(taken.rejected))
    answer = {"success": True, "rejected": taken.rejected}
    return web.Response(body=_encoder.encode(answer), content_type="application/json")
