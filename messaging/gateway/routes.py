"""List every route once: the application, the OpenAPI page and its tests are all made of this table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from messaging.gateway import admin, assets, engagements, health, mailroutes, upload
from messaging.gateway.hooks import take
from messaging.gateway.tracking import CALLS, TAKERS, handler

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PUBLIC, WRITE_KEY, ADMIN, SIGNED = "public", "write key", "admin", "signature"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Describe one route."""

    method: str
    path: str
    handler: Handler
    summary: str
    group: str
    access: str = PUBLIC
    query: tuple[str, ...] = ()
    body: str = ""
    """Name of the body's schema, empty for none."""
    answers: dict[int, str] = {}
    """Status -> media type of what is answered when all goes well."""
    problems: tuple[int, ...] = ()


_JSON = {200: "application/json"}
_HTML = {200: "text/html"}
_TRACKING_PROBLEMS = (400, 401, 408, 413, 415, 429, 503)


def all_routes() -> list[Route]:
    """Return every route of the gateway, in the order of the documentation."""
    return [*_tracking(), *_site(), *_script(), *_mail(), *_hooks(), *_admin(), *_health()]


def _tracking() -> list[Route]:
    def post(path: str, summary: str, body: str) -> Route:
        return Route(
            method="POST",
            path=path,
            handler=handler(TAKERS[path]),
            summary=summary,
            group="tracking",
            access=WRITE_KEY,
            body=body,
            answers=_JSON,
            problems=_TRACKING_PROBLEMS,
        )

    now = "Take a batch of calls as they happen."
    past = "Take a batch of calls of the past, with the times they carry."
    return [
        *(post(f"/v1/{call}", f"Take one {call} call.", "Call") for call in CALLS),
        *(post(f"/v1/{call[0]}", f"Take one {call} call.", "Call") for call in CALLS),
        post("/v1/batch", now, "Batch"),
        post("/v1/b", now, "Batch"),
        post("/v1/import", past, "Batch"),
    ]


def _site() -> list[Route]:
    return [
        Route(
            method="GET",
            path="/v1/engagements",
            handler=engagements.standing,
            summary="Show what stands open for a browser: as a stream of events, or once.",
            group="site",
            access=WRITE_KEY,
            query=("visitor", "writeKey", "after"),
            answers=_JSON,
            problems=(401, 422, 503),
        ),
        Route(
            method="POST",
            path="/v1/engagements/{id}/{response}",
            handler=engagements.answered,
            summary="Tell that one was shown, clicked, dismissed or submitted.",
            group="site",
            access=WRITE_KEY,
            body="Response",
            answers=_JSON,
            problems=(400, 401, 404, 408, 409, 413, 415, 422, 503),
        ),
    ]


def _mail() -> list[Route]:
    def route(
        method: str, path: str, handler: Handler, summary: str, answers: dict[int, str]
    ) -> Route:
        return Route(
            method=method,
            path=path,
            handler=handler,
            summary=summary,
            group="mail",
            answers=answers,
            problems=(404, 503),
        )

    return [
        route("GET", "/o/{token}.gif", mailroutes.opened, "Tell of an open.", {200: "image/gif"}),
        route(
            "GET",
            "/c/{token}",
            mailroutes.clicked,
            "Tell of a click; leads on.",
            {302: "text/plain"},
        ),
        route("GET", "/u/{token}", mailroutes.preferences, "Show the preference page.", _HTML),
        route("POST", "/u/{token}", mailroutes.unsubscribe, "Unsubscribe (RFC 8058).", _HTML),
        route("GET", "/confirm/{token}", mailroutes.confirmation, "Ask for a yes.", _HTML),
        route("POST", "/confirm/{token}", mailroutes.confirm, "Confirm an address.", _HTML),
    ]


def _hooks() -> list[Route]:
    def post(source: str, handler: Handler, summary: str) -> Route:
        return Route(
            method="POST",
            path=f"/hooks/{source}",
            handler=handler,
            summary=summary,
            group="hooks",
            access=SIGNED,
            answers=_JSON,
            problems=(400, 401, 404, 408, 413, 415, 503),
        )

    return [
        post("stripe", take.take_stripe, "Take paid checkouts and refunds of Stripe."),
        post(
            "shopify", take.take_shopify, "Take paid and cancelled orders and refunds of Shopify."
        ),
    ]


def _admin() -> list[Route]:
    def route(method: str, path: str, handler: Handler, summary: str, **more: Any) -> Route:
        own_problems: tuple[int, ...] = more.pop("problems", ())
        return Route(
            method=method,
            path=f"/api/v1/{path}",
            handler=handler,
            summary=summary,
            group="admin",
            access=ADMIN,
            answers=_JSON,
            problems=(400, 401, *own_problems, 503),
            **more,
        )

    def table(path: str, name: str, summary: str, *filters: str) -> Route:
        handler = admin.rows(name, *filters, name=path)
        return route("GET", path, handler, summary, query=(*filters, "limit"), problems=(422,))

    settling = "Settle an alert: resume, change (names a stage) or close."
    return [
        route(
            "GET",
            "visitors",
            admin.visitors,
            "Page through visitors.",
            query=("after", "limit"),
            problems=(422,),
        ),
        route(
            "GET",
            "visitors/{id}",
            admin.visitor,
            "Show a visitor by visitor id, user id, anonymous id or address.",
            problems=(404,),
        ),
        route(
            "GET", "visitors/{id}/timeline", admin.timeline, "Show their story.", problems=(404,)
        ),
        table("alerts", "alerts", "List alerts.", "status", "visitor", "path"),
        route(
            "POST",
            "alerts/{id}/{action}",
            admin.settle,
            settling,
            body="Settle",
            problems=(404, 409, 413, 415, 422),
        ),
        table(
            "notices",
            "deliveries",
            "List what people were told of alerts, and what could not be told.",
            "status",
            "alert",
            "channel",
            "visitor",
        ),
        route("GET", "stats", admin.stats, "Show counts of the system."),
        table("sends", "sends", "List the send ledger.", "visitor", "status", "path", "template"),
        table("engagements", "engagements", "List engagements.", "visitor", "status"),
        table("decisions", "decisions", "List decisions.", "visitor", "kind", "path"),
        table("snapshots", "snapshots", "List policy snapshots.", "policy"),
        table("policies", "snapshots", "List policy snapshots.", "policy"),
        route(
            "POST",
            "pause",
            admin.pause,
            "Hold every hand-over, or one path's.",
            body="Pause",
            problems=(413, 415, 422),
        ),
        route(
            "POST", "resume", admin.resume, "Go on.", body="Pause", problems=(409, 413, 415, 422)
        ),
        route(
            "POST",
            "replay",
            upload.replay,
            "Keep calls of the past, fed when the world clock reaches them (JSON lines).",
            body="Replay",
            problems=(408, 413, 415),
        ),
        route("GET", "replay", upload.waiting, "Show how many calls wait."),
    ]


def _health() -> list[Route]:
    def get(path: str, handler: Handler, summary: str, *problems: int) -> Route:
        return Route(
            method="GET",
            path=path,
            handler=handler,
            summary=summary,
            group="system",
            answers={200: "text/plain"},
            problems=problems,
        )

    return [
        get("/healthz", health.alive, "Say whether the process answers."),
        get("/readyz", health.ready, "Say whether it is ready for traffic.", 503),
        get("/metrics", health.metrics, "Show all series in Prometheus' text format."),
    ]


def _script() -> list[Route]:
    return [
        Route(
            method="GET",
            path="/sdk.js",
            handler=assets.serve(assets.sdk()),
            summary="Give sites their script: pages, events, consent, engagements.",
            group="site",
            answers={200: "text/javascript"},
        )
    ]
