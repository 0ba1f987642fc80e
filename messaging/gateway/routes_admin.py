"""List the routes of the admin API."""

from __future__ import annotations

from typing import Any

from messaging.gateway import admin, upload
from messaging.gateway.route import ADMIN, JSON, Handler, Route


def admin_routes() -> list[Route]:
    """Return the routes under `/api/v1/`, in the order of the documentation."""
    return [*_visitors(), *_alerts(), *_tables(), *_orders()]


def _visitors() -> list[Route]:
    whom = "Show a visitor by visitor id, user id, anonymous id or address."
    story = "Show their story, each line in words as well."
    whose = "Page through the visitors of a cohort."
    standing = "Page through who stands at a stage of a path now."
    query = ("after", "limit")
    return [
        _route("GET", "visitors", admin.visitors, "Page through visitors.", 422, query=query),
        _route("GET", "visitors/{id}", admin.visitor, whom, 404),
        _route("GET", "visitors/{id}/timeline", admin.timeline, story, 404),
        _route("GET", "cohorts/{id}/visitors", admin.cohort_visitors, whose, 404, 422, query=query),
        _route(
            "GET",
            "paths/{id}/stages/{stage}/visitors",
            admin.stage_visitors,
            standing,
            404,
            422,
            query=query,
        ),
    ]


def _alerts() -> list[Route]:
    settling = "Settle an alert: resume, change (names a stage) or close."
    told = "List what people were told of alerts, and what could not be told."
    problems = (404, 409, 413, 415, 422)
    path = "alerts/{id}/{action}"
    return [
        _table("alerts", "alerts", "List alerts.", "status", "visitor", "path"),
        _route("POST", path, admin.settle, settling, *problems, body="Settle"),
        _table("notices", "deliveries", told, "status", "alert", "channel", "visitor"),
    ]


def _tables() -> list[Route]:
    ledger = "List the send ledger."
    return [
        _route("GET", "stats", admin.stats, "Show counts of the system."),
        _table("sends", "sends", ledger, "visitor", "status", "path", "template"),
        _table("engagements", "engagements", "List engagements.", "visitor", "status"),
        _table("decisions", "decisions", "List decisions.", "visitor", "kind", "path"),
        _table("snapshots", "snapshots", "List policy snapshots.", "policy"),
        _table("policies", "snapshots", "List policy snapshots.", "policy"),
        _route("GET", "experiments", admin.experiments, "Show split tests and their verdicts."),
        _route("GET", "rules", admin.rules, "List the versions of the rules.", 404),
        _route("GET", "cohorts", admin.cohorts, "Show cohorts with their people.", 404),
        _route("GET", "paths", admin.paths, "Show paths with their people.", 404),
        _route("GET", "templates", admin.templates, "List the templates of e-mails.", 404),
        _route("GET", "routines/{id}", admin.routine, "Show who went on along a path.", 404),
        _table("audit-log", "audit_log", "List who changed what.", "visitor", "act"),
    ]


def _orders() -> list[Route]:
    hold = "Hold every hand-over, or one path's."
    keep = "Keep calls of the past, fed when the world clock reaches them (JSON lines)."
    count = "Show how many calls wait."
    return [
        _route("POST", "pause", admin.pause, hold, 413, 415, 422, body="Pause"),
        _route("POST", "resume", admin.resume, "Go on.", 409, 413, 415, 422, body="Pause"),
        _route("POST", "replay", upload.replay, keep, 408, 413, 415, body="Replay"),
        _route("GET", "replay", upload.waiting, count),
    ]


def _route(
    method: str, path: str, handler: Handler, summary: str, *problems: int, **more: Any
) -> Route:
    """Return a route of the admin API; `problems` are its own, besides those that all have."""
    return Route(
        method=method,
        path=f"/api/v1/{path}",
        handler=handler,
        summary=summary,
        group="admin",
        access=ADMIN,
        answers=JSON,
        problems=(400, 401, *problems, 503),
        **more,
    )


def _table(path: str, name: str, summary: str, *filters: str) -> Route:
    """Return the route that lists the rows of a table."""
    handler = admin.rows(name, *filters, name=path)
    return _route("GET", path, handler, summary, 422, query=(*filters, "limit"))
