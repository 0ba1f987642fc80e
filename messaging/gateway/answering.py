"""Answer requests of the admin API: JSON, and as of when it is true."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from messaging.gateway.deps import GATEWAY


def answer(value: Any, status: int = 200) -> web.Response:
    """Return JSON; times as RFC 3339, what JSON does not know as text."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(value, enc_hook=str),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def told(
    request: web.Request, value: Mapping[str, Any], as_of: datetime | None = None
) -> web.Response:
    """Return what was looked up, with the world time that it is of: now, where it was not summed up before."""
    now = request.app[GATEWAY].deps.clock.now()
    return answer({"as_of": as_of if as_of is not None else now, **value})
