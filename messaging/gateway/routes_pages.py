"""List the pages for people, with the two files they need."""

from __future__ import annotations

from messaging.gateway import assets
from messaging.gateway.demo import demo
from messaging.gateway.inbox import body, inbox, mail
from messaging.gateway.overview import overview
from messaging.gateway.route import HTML, VIEWER, Route
from messaging.gateway.storypage import story
from messaging.gateway.viewing import Show, enter, viewed

_SHOWN = ("width", "scheme", "pictures")


def page_routes() -> list[Route]:
    """Return the pages, in the order of the documentation."""
    return [
        _page("/demo", demo, "Welcome to the demo.", 404),
        _page("/overview", overview, "Show what each bot is doing."),
        _page("/overview/visitors/{id}", story, "Show a visitor's story.", 404),
        _page("/inbox", inbox, "List the e-mails of the sink.", 404, query=("before",)),
        _page("/inbox/{number}", mail, "Show an e-mail, and why it was sent.", 404, query=_SHOWN),
        _page(
            "/inbox/{number}/body", body, "Give an e-mail's HTML, for a frame.", 404, query=_SHOWN
        ),
        Route(
            method="POST",
            path="/enter",
            handler=enter,
            summary="Take the admin token from the pages' form.",
            group="pages",
            answers={303: "text/html", 401: "text/html", 429: "text/html"},
            problems=(400, 408, 413, 415),
        ),
        _file("look.css", "text/css"),
        _file("look.js", "text/javascript"),
    ]


def _page(path: str, show: Show, summary: str, *more: int, query: tuple[str, ...] = ()) -> Route:
    """Return a page; `more` are statuses under which it answers with a page as well."""
    return Route(
        method="GET",
        path=path,
        handler=viewed(show),
        summary=summary,
        group="pages",
        access=VIEWER,
        query=(*query, "key"),
        answers={**HTML, **dict.fromkeys((401, *more), "text/html")},
        problems=(503,),
    )


def _file(name: str, content_type: str) -> Route:
    return Route(
        method="GET",
        path=f"/look/{name}",
        handler=assets.serve(assets.look(name, content_type)),
        summary="Give the pages their looks.",
        group="pages",
        answers={200: content_type},
    )
