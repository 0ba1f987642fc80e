"""Put the gateway together: `build_app` makes the application, `serve` listens with it.

app = build_app(deps)
runner = await serve(app, "127.0.0.1", 8080)
…
await runner.cleanup()          # takes no more, writes and hands over what it holds
"""

from __future__ import annotations

from functools import partial

from aiohttp import HttpVersion11, web

from messaging.gateway import openapi, tracking
from messaging.gateway.deps import GATEWAY, Gateway, GatewayDeps
from messaging.gateway.guard import guard
from messaging.gateway.limits import REPLAY_BYTES_MAX
from messaging.gateway.listen import GuardedSite, runner_for
from messaging.gateway.route import Route
from messaging.gateway.routes import all_routes
from messaging.gateway.strict import strict


def build_app(deps: GatewayDeps) -> web.Application:
    """Return the application; its parts start and stop with it. `app[GATEWAY]` is what runs behind it."""
    app = web.Application(middlewares=[guard], client_max_size=REPLAY_BYTES_MAX)
    gateway = Gateway(deps)
    app[GATEWAY] = gateway
    routes = all_routes()
    pages = [
        Route(
            method="GET",
            path="/openapi.json",
            handler=openapi.openapi(routes),
            summary="Describe the routes.",
            group="system",
        ),
        Route(
            method="GET",
            path="/docs",
            handler=openapi.docs(routes),
            summary="Describe the routes to people.",
            group="system",
        ),
    ]
    for route in (*routes, *pages):
        add = partial(app.router.add_route, path=route.path, expect_handler=_go_on)
        handler = strict(route)
        add(route.method, handler=handler)
        if route.method == "GET":
            add("HEAD", handler=handler)
        if route.group in {"tracking", "site"}:
            add("OPTIONS", handler=tracking.preflight)

    async def start(_: web.Application) -> None:
        await gateway.start()

    async def stop(_: web.Application) -> None:
        await gateway.stop()

    async def end_streams(_: web.Application) -> None:
        gateway.watch.end()

    app.on_startup.append(start)
    app.on_shutdown.append(end_streams)
    app.on_cleanup.append(stop)
    return app


async def _go_on(request: web.Request) -> None:
    """Ask for the body of a client that waits to be asked; any other expectation is passed over (RFC 9110, 10.1.1)."""
    if request.version >= HttpVersion11 and request.headers["Expect"].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # it is no part of the answer


async def serve(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Listen; `port` 0 takes a free one (`runner.addresses` names it). `runner.cleanup()` ends all."""
    runner = runner_for(app)
    await runner.setup()
    try:
        await GuardedSite(runner, host, port, app[GATEWAY]).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner
