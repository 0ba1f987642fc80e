"""Speak the admin API of the quarantine."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from messaging.gateway import quarantine as aside
from messaging.gateway.answering import answer, told
from messaging.gateway.asking import after_of, asked, gateway_of, id_of, limit_of
from messaging.gateway.console.users import ADMIN_NAME

FILTERS = ("status", "bot", "visitor")


async def quarantine(request: web.Request) -> web.Response:
    """Show a page of what was set aside, the newest first."""
    gateway = gateway_of(request)
    match: dict[str, Any] = {
        name: asked(request, name) for name in FILTERS if name in request.query
    }
    if "visitor" in match:
        # Of an event that failed nobody may know the visitor yet: then their id is looked for as it is given.
        people = await gateway.deps.reader.people(match["visitor"])
        match["visitor"] = tuple(people or [match["visitor"]])
    rows, after = await aside.page(gateway, match, limit_of(request), after_of(request))
    return told(request, {"quarantine": rows, "after": after})


async def one(request: web.Request) -> web.Response:
    """Show one row of it."""
    gateway = gateway_of(request)
    return told(request, await aside.one(gateway, id_of(request)))


async def replay(request: web.Request) -> web.Response:
    """Give it once more to the bot that could not take it."""
    gateway = gateway_of(request)
    return answer(await aside.replay(gateway, id_of(request), by=ADMIN_NAME))


async def drop(request: web.Request) -> web.Response:
    """Let it go."""
    gateway = gateway_of(request)
    return answer(await aside.drop(gateway, id_of(request), by=ADMIN_NAME))
