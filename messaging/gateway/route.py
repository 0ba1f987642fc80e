"""Say what a route is: the tables of routes are made of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PUBLIC, WRITE_KEY, ADMIN, SIGNED = "public", "write key", "admin", "signature"
VIEWER = "viewing key"
SESSION = "session"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Describe one route."""

    method: str
    path: str
    handler: Handler
    summary: str
    group: str
    access: str = PUBLIC
    query: tuple[str, ...] = ()
    """Names that the query may have."""
    values: dict[str, tuple[str, ...]] = {}
    """Name -> all that it can be, where that is closed."""
    body: str = ""
    """Name of the body's schema, empty for none."""
    answers: dict[int, str] = {}
    """Status -> media type of what is answered when all goes well."""
    shows: dict[str, Any] = {}
    """Schema of that where it is JSON (`messaging.gateway.shapes`)."""
    problems: tuple[int, ...] = ()


JSON = {200: "application/json"}
ACCEPTED = {202: "application/json"}
"""It was asked for, and is not done yet."""

HTML = {200: "text/html"}
