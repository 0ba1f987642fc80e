"""Say whether the gateway is alive, whether it is ready for traffic, and what it counts."""

from __future__ import annotations

from aiohttp import web

from messaging.gateway.deps import GATEWAY
from messaging.gateway.metrics import gauges
from messaging.gateway.problems import overloaded

_NO_STORE = {"Cache-Control": "no-store"}


async def alive(_: web.Request) -> web.Response:
    """Answer as long as the process answers anything."""
    return web.Response(text="alive\n", headers=_NO_STORE)


async def ready(request: web.Request) -> web.Response:
    """Answer 200 when events can be taken and the rest of the system says that it is ready."""
    gateway = request.app[GATEWAY]
    if not gateway.collector.ready:
        raise overloaded("the journal is not reached")
    if gateway.deps.is_ready is not None and not await gateway.deps.is_ready():
        raise overloaded("the bots are not ready")
    return web.Response(text="ready\n", headers=_NO_STORE)


async def metrics(request: web.Request) -> web.Response:
    """Answer the gateway's series, and those that others gave, in Prometheus' text format."""
    gateway = request.app[GATEWAY]
    more = gateway.deps.more_metrics
    waits = gauges(await gateway.attention.readings())
    return web.Response(
        text=gateway.metrics.text() + waits + (more() if more is not None else ""),
        headers={**_NO_STORE, "Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )
