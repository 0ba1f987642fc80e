"""Read what a request of the admin API asks: who may ask, and the JSON of its body."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from messaging.gateway.body import read_body
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.problems import unreadable

BODY_BYTES_MAX = 16 * 1024


def gateway_of(request: web.Request) -> Gateway:
    """Return the gateway, once the admin token was shown. Raise 401."""
    gateway = request.app[GATEWAY]
    gateway.keys.check_admin(request)
    return gateway


async def json_object(request: web.Request, bytes_max: int = BODY_BYTES_MAX) -> dict[str, Any]:
    """Return the JSON object of a body, an empty one where there is no body. Raise 400, 408, 413 or 415."""
    raw = b""
    if request.can_read_body:  # a POST without a body has no type either
        seconds_max = gateway_of(request).deps.limits.body_seconds_max
        raw = await read_body(request, bytes_max=bytes_max, seconds_max=seconds_max)
    try:
        given = msgspec.json.decode(raw or b"{}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise unreadable("the body is no JSON") from None
    if not isinstance(given, dict):
        raise unreadable("the body is no JSON object")
    return given
