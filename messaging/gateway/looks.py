"""Speak the admin API of what the console shows of the machine: overview, routines, what was learned, the parts."""

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


async def routines(request: web.Request) -> web.Response:
    """Show all paths with the people at each stage, and which of them are held."""
    gateway = gateway_of(request)
    found = await acts.desk_of(gateway).routines()
    paused, archived = await acts.paused_paths(gateway), await acts.archived_paths(gateway)
    for line in found.lines:
        line.is_paused = paused == "all" or line.name in paused
        line.is_archived = line.name in archived
    return told(request, {"version": found.version, "routines": found.lines})


async def learning(request: web.Request) -> web.Response:
    """Show what each policy believes."""
    found = await acts.desk_of(gateway_of(request)).learning()
    return told(request, {"learning": found})


async def system(request: web.Request) -> web.Response:
    """Show how each part fares, and what waits."""
    gateway = gateway_of(request)
    found = await acts.desk_of(gateway).system(await own_queues(gateway))
    return told(request, {"system": found})
