"""Stand around every route: one line in the log, one count, and a problem document for whatever went wrong.

Rules
1. No input makes a 500. What nobody foresaw is logged with its place and answered 503: SDKs try again.
2. The log holds the route's pattern, status, time and size: no path, query, header, body or address.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import hdrs, web

from messaging.gateway.acknowledged import Acknowledged
from messaging.gateway.console.door import is_looked_at, nowhere
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.problems import ProblemError
from messaging.gateway.supervise import place_of
from messaging.vocabulary.errors import WorldError

log = structlog.get_logger()
_LOGGER = logging.getLogger("mdma")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_NOWHERE = frozenset({404, 405})
_CLOSING = frozenset({408, 413})
"""The rest of the body may still be on its way: the connection cannot be used again."""


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request of the application's whatever happens in its handler."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unmatched"
    return await answered(request.app[GATEWAY], request, route, _looked_at(request, handler))


async def _looked_at(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request; who looks at an address of the console that there is not gets a page of the console."""
    missing = request.match_info.http_exception
    try:
        if missing is not None:
            # Raised, it would hold the frames, those the request, and that it: whoever knocks at addresses that there
            # are not would leave their bodies in memory until the next collection. A problem of ours nobody holds.
            raise _as_problem(missing)
        return await handler(request)
    except ProblemError as error:
        if error.status not in _NOWHERE or not is_looked_at(request):
            raise
        # No other name may hold the error, for the same reason.
        status, headers = error.status, error.headers
    return await nowhere(request, status, headers)


async def answered(
    gateway: Gateway, request: web.Request, route: str, answer: Awaitable[web.StreamResponse]
) -> web.StreamResponse:
    """Answer a request whatever happens on the way to its answer."""
    machine = gateway.deps.clock.machine
    began = machine()
    try:
        response = await answer
    except ProblemError as problem:
        response = problem.response()
    except web.HTTPException as error:
        response = _as_problem(error).response()
    except WorldError as error:
        log.warning("request.unavailable", route=route, error=type(error).__name__)
        response = ProblemError(503, "a part behind this does not answer").response()
    except ConnectionError:
        raise  # the client is gone; aiohttp closes quietly
    except Exception as error:  # noqa: BLE001 - rule 1
        log.error(  # noqa: TRY400 - the text of an error may hold an address
            "request.failed", route=route, error=type(error).__name__, place=place_of(error)
        )
        response = ProblemError(503, "this failed on our side").response()
    _finish(gateway, request, response, route, machine() - began)
    return response


def _finish(
    gateway: Gateway, request: web.Request, response: web.StreamResponse, route: str, seconds: float
) -> None:
    status = response.status
    if status in _CLOSING:
        response.force_close()
    gateway.metrics.count(route, status, seconds)
    if route.startswith("/v1/"):
        if not isinstance(response, Acknowledged):  # it has the header by itself
            response.headers["Access-Control-Allow-Origin"] = "*"
            if (
                hdrs.RETRY_AFTER in response.headers
            ):  # of another origin a page reads what is named alone
                response.headers["Access-Control-Expose-Headers"] = hdrs.RETRY_AFTER
        is_usual = status < 400 and seconds < gateway.deps.limits.slow_seconds
        if is_usual and not _LOGGER.isEnabledFor(logging.DEBUG):
            return  # thousands a second: the metrics count them, and not even a refused line is for nothing
    level = log.warning if status >= 500 else log.info if status >= 400 else log.debug
    level(
        "request.done",
        route=route,
        status=status,
        ms=round(seconds * 1000, 1),
        bytes=request.content_length or 0,
    )


def _as_problem(error: web.HTTPException) -> ProblemError:
    """Return aiohttp's own refusal (unknown path, wrong method) as a problem."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allow = {"Allow": ", ".join(sorted(error.allowed_methods))}
        return ProblemError(405, "this route does not take this method", headers=allow)
    if error.status == 404:
        return ProblemError(404, "there is nothing here")
    return ProblemError(error.status, error.reason)
