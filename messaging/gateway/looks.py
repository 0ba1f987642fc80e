"""Speak the admin API of what the console shows of the machine: the overview, what was learned, how the parts fare."""

from __future__ import annotations

from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.admin import answer
from messaging.gateway.asking import gateway_of
from messaging.gateway.console.views import own_queues


async def overview(request: web.Request) -> web.Response:
    """Show what all bots do, who did the work, and what learning brings."""
    return answer({"overview": await gateway_of(request).deps.reader.overview()})


async def learning(request: web.Request) -> web.Response:
    """Show what each policy believes."""
    gateway = gateway_of(request)
    found = await acts.desk_of(gateway).learning()
    return answer({"as_of": gateway.deps.clock.now(), "learning": found})


async def system(request: web.Request) -> web.Response:
    """Show how each part fares, and what waits."""
    gateway = gateway_of(request)
    return answer({"system": await acts.desk_of(gateway).system(await own_queues(gateway))})
