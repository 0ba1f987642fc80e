"""List the routes of the console."""

from __future__ import annotations

from aiohttp import web

from messaging.gateway import assets
from messaging.gateway.console import (
    broadcasts,
    charts,
    delivering,
    door,
    members,
    rules,
    templates,
    trying,
    views,
    writing,
)
from messaging.gateway.console.door import Act, Show, acted, shown
from messaging.gateway.console.drawing import ASSETS, ROOT
from messaging.gateway.problems import ProblemError
from messaging.gateway.route import HTML, SESSION, Handler, Route

_REFUSED = (400, 401, 403, 408, 413, 415)
"""What a form may be answered with, as a page, when it is not taken."""


def console_routes() -> list[Route]:
    """Return the console's routes, in the order of the documentation."""
    drafting = [*_broadcasts(), *_rules(), *_trials(), *_templates()]
    return [*_entrance(), *_orders(), *_people(), *drafting, *_pages(), *_files()]


def _entrance() -> list[Route]:
    return [
        _public(
            "GET",
            "login",
            door.login_page,
            "Show the form that logs in.",
            {200: "text/html"},
            query=("to",),
        ),
        _public("POST", "login", door.log_in, "Log in.", {303: "text/html"}, *_REFUSED, 429, 503),
        _form("logout", door.log_out, "Log out.", changes=False),
        Route(
            method="GET",
            path=ROOT.rstrip("/"),
            handler=_to_root,
            summary="Lead to the console.",
            group="console",
            answers={308: "text/plain", 401: "text/html"},
        ),
    ]


def _orders() -> list[Route]:
    return [
        _form("pause", views.pause, "Hold every hand-over."),
        _form("resume", views.resume, "Go on with all of them."),
        _form("alerts/{id}/{action}", views.settle, "Settle an alert.", 404, 409, 422),
    ]


def _people() -> list[Route]:
    whom = "Show a visitor's story and what is known of them."
    return [
        _page(
            "visitors",
            views.visitors,
            "List visitors.",
            422,
            query=("cohort", "path", "stage", "after", "missing"),
        ),
        _form("visitors/find", views.find, "Find a visitor by any id.", changes=False),
        _page("visitors/{id}", views.visitor, whom, 404, query=("by",)),
        _form("visitors/{id}/export", views.export, "Give all of a person's data.", 200, 404),
        _page("visitors/{id}/erase", views.erase_page, "Ask before a person is erased.", 404),
        _form("visitors/{id}/erase", views.erase, "Erase a person.", 404, 422),
        _page("erasures/{receipt}", views.erasure, "Show how an erasure stands.", 404),
        _page("lists", members.lists_, "List the static lists.", 422, query=("after",)),
        _form("lists", members.change, "Put people on a static list or take them off.", 200, 422),
        _page("lists/{id}", members.one, "Show who stands on a list.", 404, 422, query=("after",)),
    ]


def _broadcasts() -> list[Route]:
    listing, one = "Show broadcasts, and the form that counts one.", "Show how a broadcast fares."
    page, asked = "broadcasts/{id}", (404, 409, 422)
    return [
        _page("broadcasts", broadcasts.broadcasts_, listing, 422, query=("after", *_BROADCAST)),
        _form("broadcasts", broadcasts.count, "Count whom a template would reach.", 409, 422),
        _page(page, broadcasts.one, one, 404, 422, query=("status", "after")),
        _form(f"{page}/send", broadcasts.send, "Send what was counted.", *asked),
        _form(f"{page}/cancel", broadcasts.cancel, "Call a broadcast off.", 404, 409),
    ]


_BROADCAST = ("template", "cohort", "path")
"""What the form of a broadcast may be begun with."""


def _rules() -> list[Route]:
    beside = "Show a version beside the published one."
    saving = "Make a version of an edit."
    return [
        _page(
            "rules",
            rules.rules,
            "Show the rules, their files and versions.",
            422,
            query=("after",),
        ),
        _page("rules/versions/{version}", rules.version, beside, 404, 422),
        _page(
            "rules/edit",
            rules.edit,
            "Show a file of the newest version or of another one, to be edited.",
            404,
            422,
            query=("file", "version", "visitor"),
        ),
        _form("rules/check", rules.check, "Say what is wrong with an edit.", 200, 422),
        _form("rules/save", rules.save, saving, 409, 422),
        _form("rules/remove", rules.remove, "Make a version without a file.", 409, 422),
        _form("rules/publish", rules.publish, "Publish a version.", 404, 409, 422),
    ]


def _trials() -> list[Route]:
    asking = (404, 422)
    return [
        _page(
            "try",
            trying.tries,
            "Ask what a draft makes of the journal.",
            422,
            query=("version", "visitor", "after"),
        ),
        _form("try", trying.ask_try, "Try a draft on the journal.", *asking),
        _page("try/{id}", trying.one_try, "Show what a draft makes of the journal.", 404),
        _form("try/{id}/cancel", trying.cancel_try, "End a trial.", 404, 409),
        _page(
            "simulate",
            trying.simulations,
            "Ask what a draft does.",
            422,
            query=("version", "after"),
        ),
        _form("simulate", trying.ask_simulation, "Simulate a draft.", *asking),
        _page("simulate/{id}", trying.one_simulation, "Show what a draft does.", 404),
        _form("simulate/{id}/cancel", trying.cancel_simulation, "End a simulation.", 404, 409),
    ]


def _templates() -> list[Route]:
    one = "Show a template as a reader gets it."
    shown_by = ("visitor", "width", "scheme", "of", "pictures")
    return [
        _page(
            "templates",
            templates.templates,
            "List the templates of e-mails.",
            422,
            query=("q", "after"),
        ),
        _page("templates/{name}", templates.template, one, 404, 422, query=shown_by),
        _page(
            "templates/{name}/body",
            templates.body,
            "Give its HTML, for a frame.",
            404,
            422,
            query=("visitor", "scheme", "of", "pictures"),
        ),
        _form(
            "templates/{name}/as",
            templates.as_visitor,
            "Show it as another reader gets it.",
            404,
            changes=False,
        ),
        _form("templates/{name}/test", templates.send_test, "Send a test.", 404, 422),
        _form("templates/{name}/draft", writing.draft, "Show what is being written.", 200, 422),
        _form(
            "templates/{name}/draft/body",
            writing.draft_body,
            "Give the HTML of what is being written, for a frame.",
            200,
            422,
        ),
        _form(
            "templates/{name}/draft/test",
            writing.draft_test,
            "Send a test of what is being written.",
            200,
            404,
            422,
        ),
        _form(
            "templates/{name}/links",
            templates.check_links,
            "Ask where its links lead whether anything is there.",
            404,
            422,
            429,
        ),
    ]


def _pages() -> list[Route]:
    return [
        _page("", views.overview, "Show what the machine is doing."),
        _page("alerts", views.alerts, "Show the inbox of alerts.", 422, query=("status", "after")),
        _page("routines", charts.routines, "Lead to the first path's routine.", 303),
        _page(
            "routines/{path}",
            charts.routine,
            "Show a path as a diagram with its people.",
            404,
            422,
            query=("stage", "version"),
        ),
        _page(
            "experiments",
            charts.experiments,
            "Show how each split test stands.",
            422,
            query=("verdict", "after"),
        ),
        _page(
            "deliverability",
            delivering.deliverability,
            "Show how e-mails are taken.",
            422,
            query=("after",),
        ),
        _form(
            "routines/{path}/{action}",
            views.hold_path,
            "Pause, resume, archive or unarchive a path.",
            404,
            409,
            422,
        ),
        _page("learning", charts.learning, "Show what each policy believes."),
        _form("learning/resume", charts.resume_learning, "Turn learning on again.", 404, 409, 422),
        _page("system", views.system, "Show how each part fares."),
        _form(
            "system/quarantine/{id}/{action}",
            views.settle_aside,
            "Replay what is set aside, or let it go.",
            404,
            409,
        ),
        _page("changes", views.changes, "Show who changed what.", 422, query=("after",)),
    ]


def _page(path: str, show: Show, summary: str, *more: int, query: tuple[str, ...] = ()) -> Route:
    """Return a page; `more` are statuses under which it answers with a page as well."""
    return Route(
        method="GET",
        path=f"{ROOT}{path}",
        handler=shown(show),
        summary=summary,
        group="console",
        access=SESSION,
        query=query,
        answers={**HTML, **dict.fromkeys((401, *more), "text/html")},
        problems=(503,),
    )


def _form(path: str, act: Act, summary: str, *more: int, changes: bool = True) -> Route:
    """Return what takes a form; `more` are statuses under which it answers with a page as well."""
    return Route(
        method="POST",
        path=f"{ROOT}{path}",
        handler=acted(act, changes=changes),
        summary=summary,
        group="console",
        access=SESSION,
        answers=dict.fromkeys((303, *_REFUSED, *more), "text/html"),
        problems=(503,),
    )


def _public(
    method: str,
    path: str,
    handler: Handler,
    summary: str,
    answers: dict[int, str],
    *more: int,
    query: tuple[str, ...] = (),
) -> Route:
    return Route(
        method=method,
        path=f"{ROOT}{path}",
        handler=handler,
        summary=summary,
        group="console",
        query=query,
        answers={**answers, **dict.fromkeys(more, "text/html")},
        problems=(503,),
    )


def _files() -> list[Route]:
    served = {name: assets.serve(asset) for name, asset in ASSETS.items()}

    async def handle(request: web.Request) -> web.StreamResponse:
        found = served.get(request.match_info["file"])
        if found is None:
            raise ProblemError(404, "there is nothing here")
        return await found(request)

    return [
        Route(
            method="GET",
            path=f"{ROOT}static/{{file}}",
            handler=handle,
            summary="Give the console its looks.",
            group="console",
            answers={200: "text/css"},
            problems=(404,),
        )
    ]


async def _to_root(_: web.Request) -> web.Response:
    return web.Response(status=308, headers={"Location": ROOT})
