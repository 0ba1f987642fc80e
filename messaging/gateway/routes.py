"""List every route once: the application, the OpenAPI page and its tests are all made of this table."""

from __future__ import annotations

from messaging.gateway import assets, engagements, health, mailroutes
from messaging.gateway.hooks import take
from messaging.gateway.route import HTML, JSON, SIGNED, WRITE_KEY, Handler, Route
from messaging.gateway.routes_admin import admin_routes
from messaging.gateway.routes_console import console_routes
from messaging.gateway.routes_pages import page_routes
from messaging.gateway.shapes import HOOKED, STANDING, SUCCESS, TAKEN
from messaging.gateway.tracking import CALLS, TAKERS, handler

_TRACKING_PROBLEMS = (400, 401, 408, 413, 415, 429, 503)


def all_routes() -> list[Route]:
    """Return every route of the gateway, in the order of the documentation."""
    public = [*_tracking(), *_site(), *_script(), *_mail(), *_hooks()]
    return [*public, *admin_routes(), *page_routes(), *console_routes(), *_health()]


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
            answers=JSON,
            shows=TAKEN,
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
            answers=JSON,
            shows=STANDING,
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
            answers=JSON,
            shows=SUCCESS,
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
        route("GET", "/u/{token}", mailroutes.preferences, "Show the preference page.", HTML),
        route("POST", "/u/{token}", mailroutes.unsubscribe, "Unsubscribe (RFC 8058).", HTML),
        route("GET", "/confirm/{token}", mailroutes.confirmation, "Ask for a yes.", HTML),
        route("POST", "/confirm/{token}", mailroutes.confirm, "Confirm an address.", HTML),
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
            answers=JSON,
            shows=HOOKED,
            problems=(400, 401, 404, 408, 413, 415, 503),
        )

    return [
        post("stripe", take.take_stripe, "Take paid checkouts and refunds of Stripe."),
        post(
            "shopify", take.take_shopify, "Take paid and cancelled orders and refunds of Shopify."
        ),
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
