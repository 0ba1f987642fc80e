"""Speak the admin API of what the console shows of the machine: the overview, what was learned, how the parts fare."""

from __future__ import annotations

from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.answering import told
from messaging.gateway.asking import gateway_of
from messaging.gateway.console.views import own_queues


async def overview(request: web.Request) -> web.Response:
    """Show what all bots do, who did the work, and what learning brings."""
    found = await gateway_of(request).deps.reader.overview()
    return told(request, {"overview": found}, found.at)


async def learning(request: web.Request) -> web.Response:
    """Show what each policy believes."""
    found = await acts.desk_of(gateway_of(request)).learning()
    return told(request, {"learning": found})


async def system(request: web.Request) -> web.Response:
    """Show how each part fares, and what waits."""
    gateway = gateway_of(request)
    found = await acts.desk_of(gateway).system(await own_queues(gateway))
    return told(request, {"system": found})
