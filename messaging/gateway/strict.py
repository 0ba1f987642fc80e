"""Refuse what a list of the admin API cannot answer: names that it does not know, values that nothing can have.

Rules
1. Who may not ask hears that first (401).
2. A misspelt filter would answer the whole list, a misspelt value an empty one: both look like an answer. They are
   a 422 that says what there is.
3. Only what is closed is told here: statuses, kinds, verdicts. Names of paths, templates and people come and go.
"""

from __future__ import annotations

from aiohttp import web

from messaging.gateway.asking import gateway_of
from messaging.gateway.problems import ProblemError
from messaging.gateway.route import ADMIN, Handler, Route

PAGING = ("after", "limit", "q")
"""May be empty: the first page, everything."""


def strict(route: Route) -> Handler:
    """Return the route's handler, behind a look at the query where it is one of the admin API."""
    if route.access != ADMIN or route.method != "GET":
        return route.handler

    async def handle(request: web.Request) -> web.StreamResponse:
        gateway_of(request)
        check(request, route)
        return await route.handler(request)

    return handle


def check(request: web.Request, route: Route) -> None:
    """Raise 422 for what this route's query cannot be."""
    query = request.rel_url.query
    for name in query:
        if name not in route.query:
            takes = f"takes {', '.join(route.query)}" if route.query else "takes no query"
            raise ProblemError(422, f"the query has a name that is not known here: this {takes}")
        given = query.getall(name)
        if len(given) > 1:
            raise ProblemError(422, f"{name} is given more than once", field=name)
        if not given[0] and name not in PAGING:
            raise ProblemError(422, f"{name} is empty: leave it out, or say one", field=name)
        values = route.values.get(name)
        if values is not None and given[0] not in values:
            raise ProblemError(422, f"{name} must be one of {', '.join(values)}", field=name)
