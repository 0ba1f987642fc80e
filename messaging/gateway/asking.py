"""Read what a request of the admin API asks: who may ask, and the JSON of its body."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from aiohttp import web

from messaging.gateway.body import read_body
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.problems import ProblemError, unreadable

BODY_BYTES_MAX = 16 * 1024

Order = TypeVar("Order")


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


async def ordered(
    request: web.Request, kind: type[Order], bytes_max: int = BODY_BYTES_MAX
) -> Order:
    """Return the order of a body. Raise 422 with the field's name for what cannot be ordered."""
    return understood(await json_object(request, bytes_max), kind)


def understood(given: dict[str, Any], kind: type[Order], *, strict: bool = True) -> Order:
    """Return an order; without `strict` numbers may come as text, from a form. Raise 422."""
    try:
        return msgspec.convert(given, kind, strict=strict)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$.")
        field = place.rstrip("`")
        detail = f"{field or 'what is asked'}: {said[:1].lower()}{said[1:]}"
        raise ProblemError(422, detail, field=field) from None
