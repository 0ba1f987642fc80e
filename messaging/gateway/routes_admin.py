"""List the routes of the admin API."""

from __future__ import annotations

from typing import Any

from messaging.gateway import (
    admin,
    aside,
    delivering,
    looks,
    people,
    reporting,
    strategy,
    trials,
    upload,
)
from messaging.gateway.console.trials import ORDERS, SIMULATE, TRY
from messaging.gateway.route import ACCEPTED, ADMIN, JSON, Handler, Route
from messaging.gateway.shapes import SHAPES
from messaging.gateway.values import VALUES

EDIT = "EditOrder"

LET_IN = "Let people onto a path that is open to the API."
ARCHIVE = "Let nobody onto a path any more; who is on it goes on."
LETTING_IN = (404, 409, 413, 415, 422)


def admin_routes() -> list[Route]:
    """Return the routes under `/api/v1/`, in the order of the documentation."""
    return [
        *_visitors(),
        *_alerts(),
        *_tables(),
        *_strategy(),
        *_trials(),
        *_lists(),
        *_broadcasts(),
        *_reports(),
        *_quarantine(),
        *_orders(),
    ]


def _visitors() -> list[Route]:
    whom = "Show a visitor by visitor id, user id, anonymous id or address."
    story = "Show their story, each line in words as well."
    erasing = "Erase a person for good; the receipt says when it is done."
    whose = "Page through the visitors of a cohort."
    standing = "Page through who stands at a stage of a path now."
    query = ("after", "limit")
    return [
        _route("GET", "visitors", admin.visitors, "Page through visitors.", 422, query=query),
        _route("GET", "visitors/{id}", admin.visitor, whom, 404),
        _route("GET", "visitors/{id}/timeline", admin.timeline, story, 404),
        _route("GET", "visitors/{id}/export", people.export, "Give all of a person's data.", 404),
        _route("DELETE", "visitors/{id}", people.erase, erasing, 404, answers=ACCEPTED),
        _route("GET", "erasures/{id}", people.receipt, "Show how an erasure stands.", 404),
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
    ways = ("status", "alert", "channel", "visitor")
    return [
        _table("alerts", "alerts", "List alerts.", "status", "visitor", "path"),
        _route("POST", path, admin.settle, settling, *problems, body="Settle"),
        _table("notices", "deliveries", told, *ways, also=admin.mail_waiting),
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
        _route("GET", "overview", looks.overview, "Show what the machine is doing, in words."),
        _route("GET", "learning", looks.learning, "Show what each policy believes.", 404),
        _route(
            "POST",
            "learning/resume",
            admin.resume_learning,
            "Turn a policy on again that did harm, and was taken back.",
            *(404, 409, 413, 415, 422),
            body="ResumeLearning",
        ),
        _route(
            "POST",
            "learning/evaluate",
            admin.evaluate,
            "Value a policy from the decision log, beside the rules or another one; changes nothing.",
            *(404, 413, 415, 422),
            body="Evaluate",
        ),
        _route("GET", "system", looks.system, "Show how each part fares.", 404),
        _route(
            "GET",
            "experiments",
            admin.experiments,
            "Page through split tests and their verdicts.",
            422,
            query=("path", "verdict", "after", "limit"),
        ),
        _route("GET", "cohorts", admin.cohorts, "Show cohorts with their people.", 404),
        _route(
            "GET",
            "paths",
            admin.paths,
            "Show paths with their people, and who goes by older versions.",
            404,
        ),
        _route("POST", "paths/{id}/enter", admin.enter, LET_IN, *LETTING_IN, body="Enter"),
        _route("POST", "paths/{id}/archive", admin.archive, ARCHIVE, 422),
        _route("POST", "paths/{id}/unarchive", admin.unarchive, "Let people in again.", 409, 422),
        _route("GET", "routines", looks.routines, "Show paths with the people at each stage.", 404),
        _route(
            "GET",
            "routines/{id}",
            admin.routine,
            "Show who went on along a path, as the published version has it or another one.",
            404,
            422,
            query=("version",),
        ),
        _route("GET", "deliverability", delivering.deliverability, "Show how e-mails are taken."),
        _route(
            "GET",
            "suppressions",
            delivering.suppressions,
            "List mailboxes (keyed hashes) that are never written to again.",
            422,
            query=("after", "limit"),
        ),
        _table("audit-log", "audit_log", "List who changed what.", "visitor", "act"),
    ]


def _strategy() -> list[Route]:
    edit, beside = (400, 404, 408, 413, 415, 422), "Show what differs between two versions."
    test, shown = (
        "Send a template to an address of our own.",
        "Show a template as a reader gets it.",
    )
    counting = (
        "Count who matches what an edit touches: cohorts, what refers to them, scores, paths."
    )
    made = {201: "application/json", **JSON, 422: "application/json"}
    found = [
        _route(
            "GET",
            "rules",
            admin.rules,
            "Page through the versions of the rules.",
            404,
            422,
            query=("by", "after", "limit"),
        ),
        _route(
            "POST", "rules", strategy.save, "Save an edit.", *edit, 409, body=EDIT, answers=made
        ),
        _route("POST", "rules/check", strategy.check, "Check an edit.", *edit, body=EDIT),
        _route("POST", "rules/matching", strategy.matching, counting, *edit, body=EDIT),
        _route("GET", "rules/{id}", strategy.version, "Show a version with its files.", 404),
        _route("GET", "rules/{id}/diff/{other}", strategy.compared, beside, 404),
        _route("GET", "rules/{id}/impact", strategy.impact, "Show whom it would concern.", 404),
        _route(
            "POST",
            "rules/{id}/publish",
            strategy.publish,
            "Publish a version.",
            *edit,
            409,
            body="PublishOrder",
        ),
        _route(
            "GET",
            "templates",
            admin.templates,
            "Page through the templates of e-mails, by name; `q`: part of a name or subject.",
            404,
            422,
            query=("q", "after", "limit"),
        ),
        _route(
            "GET", "templates/{id}", strategy.template, shown, 404, 422, query=("visitor", "of")
        ),
        _route("POST", "templates/{id}/test", strategy.send_test, test, *edit, body="TestOrder"),
        _route(
            "POST",
            "templates/{id}/preview",
            strategy.preview,
            "Show a template as somebody is writing it.",
            *edit,
            body="DraftOrder",
        ),
        _route(
            "POST",
            "templates/{id}/links",
            strategy.check_links,
            "Ask where its links lead whether anything is there.",
            *edit,
            429,
            body="LinksOrder",
        ),
    ]
    for kind in ("scores", "interactions", "senders"):
        summary = f"Show the published {kind}."
        found.append(_route("GET", kind, strategy.written(kind), summary, 404))
    return found


def _trials() -> list[Route]:
    found = []
    for name, kind, what in (
        ("tries", TRY, "a draft on the journal"),
        ("simulations", SIMULATE, "a draft on the virtual clock"),
    ):
        schema = ORDERS[kind].__name__
        one, end = f"Show a trial of {what}.", f"End a trial of {what}."
        asked = f"Try {what}; look at it until it is done."
        problems = (404, 413, 415, 422)
        found += [
            _route(
                "GET",
                name,
                trials.newest(kind),
                f"Page through trials of {what}.",
                422,
                query=("status", "after", "limit"),
            ),
            _route("POST", name, trials.ask(kind), asked, *problems, body=schema, answers=ACCEPTED),
            _route("GET", f"{name}/{{id}}", trials.one(kind), one, 404),
            _route("POST", f"{name}/{{id}}/cancel", trials.cancel(kind), end, 404, 409),
        ]
    return found


def _lists() -> list[Route]:
    change = "Put people on a static list (add), or take them off (remove)."
    show = "Page through who stands on a static list, the newest first."
    named = "Page through the static lists, with how many stand there."
    problems = (404, 413, 415, 422)
    pages = ("after", "limit")
    return [
        _route("GET", "lists", admin.lists_, named, 422, query=pages),
        _route("GET", "lists/{id}", admin.list_, show, 404, 422, query=pages),
        _route("POST", "lists/{id}/{action}", admin.change_list, change, *problems, body="People"),
    ]


def _broadcasts() -> list[Route]:
    order = "Send a template once to everybody in a cohort, now or at a time; or count who would get it."
    show, off = "Show a broadcast and what became of it.", "Call a broadcast off."
    told = "List what became of broadcasts for each visitor, with the reason."
    problems = (404, 409, 413, 415, 422)
    return [
        _route("POST", "broadcasts", admin.broadcast, order, *problems, body="Broadcast"),
        _route(
            "GET",
            "broadcasts",
            admin.broadcasts_,
            "Page through broadcasts.",
            422,
            query=("after", "limit"),
        ),
        _route("GET", "broadcasts/{id}", admin.broadcast_, show, 404),
        _route("POST", "broadcasts/{id}/cancel", admin.cancel_broadcast, off, 404, 409),
        _table("webhooks", "webhooks", "List calls of paths' webhooks.", "visitor", "status"),
        _table("recipients", "recipients", told, "broadcast", "status", "reason", "visitor"),
    ]


def _reports() -> list[Route]:
    told = "Take what became of e-mails after their hand-over: bounced, or complained of."
    mail = "Take a delivery report (RFC 3464) or a feedback report (RFC 5965) as the e-mail it is."
    problems = (400, 408, 413, 415, 422)
    return [
        _route("POST", "reports", reporting.reports, told, *problems, body="Reports"),
        _route("POST", "reports/mail", reporting.mail, mail, *problems, body="ReportMail"),
    ]


def _quarantine() -> list[Route]:
    listing = "Page through what a bot could not take, the newest first."
    again, gone = "Give it once more to the bot that could not take it.", "Let it go."
    query = ("status", "bot", "visitor", "after", "limit")
    return [
        _route("GET", "quarantine", aside.quarantine, listing, 422, query=query),
        _route("GET", "quarantine/{id}", aside.one, "Show one of them.", 404),
        _route("POST", "quarantine/{id}/replay", aside.replay, again, 404, 409),
        _route("POST", "quarantine/{id}/drop", aside.drop, gone, 404, 409),
    ]


def _orders() -> list[Route]:
    hold = "Hold every hand-over, or one path's."
    keep = "Keep calls of the past, fed when the world clock reaches them (JSON lines)."
    count = "Show how many calls wait."
    note = "Note in the audit log that calls were imported."
    return [
        _route("POST", "pause", admin.pause, hold, 413, 415, 422, body="Pause"),
        _route("POST", "resume", admin.resume, "Go on.", 409, 413, 415, 422, body="Pause"),
        _route("POST", "replay", upload.replay, keep, 408, 413, 415, body="Replay"),
        _route("GET", "replay", upload.waiting, count),
        _route("POST", "imports", upload.note_import, note, 413, 415, 422, body="ImportNote"),
    ]


def _route(
    method: str, path: str, handler: Handler, summary: str, *problems: int, **more: Any
) -> Route:
    """Return a route of the admin API; `problems` are its own, besides those that all have."""
    asked = (422,) if method == "GET" else ()  # `messaging.gateway.strict`
    return Route(
        method=method,
        path=f"/api/v1/{path}",
        handler=handler,
        summary=summary,
        group="admin",
        access=ADMIN,
        problems=tuple(dict.fromkeys((400, 401, *problems, *asked, 503))),
        shows=SHAPES.get((method, path), {}),
        values=VALUES.get(path, {}) if method == "GET" else {},
        **{"answers": JSON, **more},
    )


def _table(
    path: str, name: str, summary: str, *filters: str, also: admin.Beside | None = None
) -> Route:
    """Return the route that pages through the rows of a table; `also`: reads what stands beside them."""
    handler = admin.rows(name, *filters, name=path, also=also)
    summary += (
        " Without a filter the newest alone; narrowed by one, `after` leads on to all of them."
    )
    problems = (404, 422) if "visitor" in filters else (422,)
    return _route("GET", path, handler, summary, *problems, query=(*filters, "after", "limit"))
