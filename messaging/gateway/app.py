"""Put the gateway together: `build_app` makes the application, `serve` listens with it.

app = build_app(deps)
runner = await serve(app, "127.0.0.1", 8080)
…
await runner.cleanup()          # takes no more, writes and hands over what it holds
"""

from __future__ import annotations

from aiohttp import web

from messaging.gateway import openapi, tracking
from messaging.gateway.deps import GATEWAY, Gateway, GatewayDeps
from messaging.gateway.guard import guard
from messaging.gateway.limits import REPLAY_BYTES_MAX
from messaging.gateway.listen import GuardedSite, runner_for
from messaging.gateway.routes import Route, all_routes


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
        app.router.add_route(route.method, route.path, route.handler)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, route.handler)
        if route.group == "tracking":
            app.router.add_route("OPTIONS", route.path, tracking.preflight)

    async def start(_: web.Application) -> None:
        await gateway.start()

    async def stop(_: web.Application) -> None:
        await gateway.stop()

    app.on_startup.append(start)
    app.on_cleanup.append(stop)
    return app


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
