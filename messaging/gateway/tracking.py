"""Speak the Segment HTTP Tracking API: single calls, batches and imports.

Rules
1. 200 means durable. A batch with bad items keeps the good ones and names the bad by index: the public SDKs
   throw a whole batch away on any other 4xx.
2. Authentication is by write key, in the header or in the body. Browsers post from other sites: CORS allows it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from messaging.gateway.body import read_body
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.limits import BATCH_BYTES_MAX, EVENT_BYTES_MAX
from messaging.gateway.validate import Taken, read_batch, read_envelope

_SUCCESS = b'{"success": true}'
_encoder = msgspec.json.Encoder()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def single(kind: str) -> Handler:
    """Return the handler of the route of one type of call."""

    async def handle(request: web.Request) -> web.Response:
        def take(gateway: Gateway, body: bytes, *, is_known: bool) -> Taken:
            envelope = read_envelope(body)
            if not is_known:
                gateway.keys.check_write_key(envelope.write_key)
            return gateway.reader.single(body, envelope, kind)

        return await _collect(request, EVENT_BYTES_MAX, take)

    return handle


async def batch(request: web.Request) -> web.Response:
    """Take a batch of calls as they happen."""

    def take(gateway: Gateway, body: bytes, *, is_known: bool) -> Taken:
        return _read_batch(gateway, body, is_known=is_known, live=True)

    return await _collect(request, BATCH_BYTES_MAX, take)


async def import_(request: web.Request) -> web.Response:
    """Take a batch of calls of the past, with the times they carry."""

    def take(gateway: Gateway, body: bytes, *, is_known: bool) -> Taken:
        return _read_batch(gateway, body, is_known=is_known, live=False)

    return await _collect(request, BATCH_BYTES_MAX, take)


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


def _read_batch(gateway: Gateway, body: bytes, *, is_known: bool, live: bool) -> Taken:
    envelope = read_batch(body)
    if not is_known:
        gateway.keys.check_write_key(envelope.write_key)
    return gateway.reader.batch(body, envelope, live=live)


async def _collect(
    request: web.Request, bytes_max: int, take: Callable[..., Taken]
) -> web.Response:
    gateway = request.app[GATEWAY]
    is_known = gateway.keys.check_write_header(request)
    # A packed or unannounced body may be as large as is allowed.
    announced = request.content_length if "Content-Encoding" not in request.headers else None
    room = min(announced, bytes_max) if announced is not None else bytes_max
    gateway.room.take(room)
    try:
        body = await read_body(
            request, bytes_max=bytes_max, seconds_max=gateway.deps.limits.body_seconds_max
        )
        taken = take(gateway, body, is_known=is_known)
        del body  # the records hold their own bytes while they wait
        await gateway.collector.take(taken.records)
    finally:
        gateway.room.give(room)
    if not taken.rejected:
        return web.Response(body=_SUCCESS, content_type="application/json")
    gateway.metrics.rejected.inc(len(taken.rejected))
    answer = {"success": True, "rejected": taken.rejected}
    return web.Response(body=_encoder.encode(answer), content_type="application/json")
