"""List the routes of the admin API."""

from __future__ import annotations

from typing import Any

from messaging.gateway import admin, upload
from messaging.gateway.route import ADMIN, JSON, Handler, Route

LET_IN = "Let people onto a path that is open to the API."
ARCHIVE = "Let nobody onto a path any more; who is on it goes on."
LETTING_IN = (404, 409, 413, 415, 422)


def admin_routes() -> list[Route]:
    """Return the routes under `/api/v1/`, in the order of the documentation."""
    return [*_visitors(), *_alerts(), *_tables(), *_lists(), *_broadcasts(), *_orders()]


def _visitors() -> list[Route]:
    whom = "Show a visitor by visitor id, user id, anonymous id or address."
    story = "Show their story, each line in words as well."
    query = ("after", "limit")
    return [
        _route("GET", "visitors", admin.visitors, "Page through visitors.", 422, query=query),
        _route("GET", "visitors/{id}", admin.visitor, whom, 404),
        _route("GET", "visitors/{id}/timeline", admin.timeline, story, 404),
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
        _route("POST", "paths/{id}/enter", admin.enter, LET_IN, *LETTING_IN, body="Enter"),
        _route("POST", "paths/{id}/archive", admin.archive, ARCHIVE, 422),
        _route("POST", "paths/{id}/unarchive", admin.unarchive, "Let people in again.", 409, 422),
        _route("GET", "templates", admin.templates, "List the templates of e-mails.", 404),
        _route("GET", "routines/{id}", admin.routine, "Show who went on along a path.", 404),
        _table("audit-log", "audit_log", "List who changed what.", "visitor", "act"),
    ]


def _lists() -> list[Route]:
    change = "Put people on a static list (add), or take them off (remove)."
    show = "Show who stands on a static list, the newest first."
    problems = (404, 413, 415, 422)
    return [
        _route("GET", "lists", admin.lists_, "List the static lists with their people."),
        _route("GET", "lists/{id}", admin.list_, show, 422, query=("limit",)),
        _route("POST", "lists/{id}/{action}", admin.change_list, change, *problems, body="People"),
    ]


def _broadcasts() -> list[Route]:
    order = "Send a template once to everybody in a cohort, now or at a time; or count who would get it."
    show, off = "Show a broadcast and what became of it.", "Call a broadcast off."
    told = "List what became of broadcasts for each visitor, with the reason."
    problems = (404, 413, 415, 422)
    return [
        _route("POST", "broadcasts", admin.broadcast, order, *problems, body="Broadcast"),
        _route("GET", "broadcasts", admin.broadcasts_, "List broadcasts.", 422, query=("limit",)),
        _route("GET", "broadcasts/{id}", admin.broadcast_, show, 404),
        _route("POST", "broadcasts/{id}/cancel", admin.cancel_broadcast, off, 404, 409),
        _table("recipients", "recipients", told, "broadcast", "status", "reason", "visitor"),
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
