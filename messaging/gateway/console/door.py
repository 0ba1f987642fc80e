"""Stand before every page of the console: who looks, may they, and did this form come from us.

Rules
1. Without a session every page is the form that logs in; a viewer's POST is a 403.
2. A POST carries the key of its session in the form (OWASP's synchroniser token): a page of another origin does not
   know it, whatever the browser sends along. The cookie is `SameSite=Strict` besides.
3. A login has no session yet: one that a browser says was begun on another site (`Sec-Fetch-Site`) is refused, so that
   nobody is logged in as somebody else without knowing it.
4. Whoever logs in comes back to the page that they asked for, or that their form stood on; never to another site.
5. What goes wrong is a page too, with the status that the admin API would have given.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from messaging.gateway import viewing
from messaging.gateway.acts import noted, paused_paths
from messaging.gateway.body import read_body
from messaging.gateway.console.drawing import ROOT, answer, drawn
from messaging.gateway.console.sessions import (
    SESSION_MAX,
    Session,
    cookie_of,
    end_session,
    open_session,
    session_of,
)
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.problems import ProblemError
from messaging.store.audit_log import Change

FORM_BYTES_MAX = 1024 * 1024
"""A file of rules in a form; their own limit is below it."""

FORM_TYPES = frozenset({"application/x-www-form-urlencoded"})
FORM_FIELDS_MAX = 400
FORM_KEY = "form_key"

SAID = {
    "resumed": "The alert is resumed: a new run begins, or learning is on again.",
    "learning-on": "Learning is on again. What is known of harm begins anew.",
    "changed": "The alert is settled: a new run begins at the stage you chose.",
    "closed": "The alert is closed.",
    "path-pause": "This path is paused: nothing is planned or sent on it; what is due waits.",
    "path-resume": "This path goes on; what waited is planned within half an hour.",
    "path-archive": "This path is archived: nobody is let onto it any more.",
    "path-unarchive": "This path lets people in again.",
    "broadcast": "Ordered: whoever is in the cohort then and may be written to gets it.",
    "broadcast-off": "Called off: nobody more gets it.",
    "list-added": "They are put on the list: it shows them as soon as they are taken in.",
    "list-removed": "They are taken off the list.",
    "aside-open": "Ordered: it is taken as soon as its bot can.",
    "aside-replayed": "Replayed: it was taken, and counts.",
    "aside-dropped": "Dropped: it never counts.",
    "again": "It was replayed and failed once more: it is set aside again.",
    "paused": "Everything is paused: no e-mail is handed over until you resume.",
    "published": "Published: whoever enters a path from now on goes by this version.",
    "saved": "Saved as a draft. Nobody meets it before it is published.",
    "same": "Nothing was changed: this is the version that you began with.",
    "cancelled": "Cancelled: it goes no further.",
    "tested": "The test is handed over to the mail server.",
    "going": "Going on: e-mails are handed over again.",
}
"""What the address of a page may ask it to say, once something was done."""

CLOCKS_AGREE = timedelta(minutes=1)
"""Times are shown to the minute: where world and real time are closer, nobody sees that there are two."""

Form = dict[str, str]
Show = Callable[["Visit"], Awaitable[web.StreamResponse]]
Act = Callable[["Visit", Form], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Visit:
    """Hold one request of somebody who is logged in.

    Parameters:
        request: what was asked.
        gateway: what is behind it.
        session: who asks.
    """

    def __init__(self, request: web.Request, gateway: Gateway, session: Session) -> None:
        self.request = request
        self.gateway = gateway
        self.session = session

    async def page(
        self, template: str, *, here: str, status: int = 200, seconds: float = 0.0, **values: Any
    ) -> web.Response:
        """Return a page. `here`: its place in the navigation; `seconds`: how often it looks for news, 0 for never."""
        deps = self.gateway.deps
        known = {
            "here": here,
            "world": await deps.desk.world() if deps.desk is not None else "",
            **_clocks(deps.clock.now(), deps.wall_now()),
            "session": self.session,
            "paused": await paused_paths(self.gateway),
            "seconds": seconds,
            "said": SAID.get(self.request.query.get("said", ""), ""),
            "this": self.request.rel_url.without_query_params("said"),
            "came": self._came(),
        }
        return answer(drawn(template, {**known, **values}), status)

    def _came(self) -> str:
        """Return the address at which this page can be looked at again; empty for the answer to a form."""
        is_looked_at = self.request.method in ("GET", "HEAD")
        return str(self.request.rel_url.without_query_params("said")) if is_looked_at else ""

    def text(self, name: str, characters_max: int = 200) -> str:
        """Return a text of the query, empty where none is given. Raise 422 for what nothing can be called."""
        given = self.request.query.get(name, "")
        is_plain = not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in given)
        if not is_plain or len(given) > characters_max:
            raise ProblemError(
                422, f"{name} must be a text of at most {characters_max} characters", field=name
            )
        return given


def _clocks(world: datetime, real: datetime) -> dict[str, str]:
    """Return what is said behind a time, by whose clock it is, on a page that shows both: nothing where they agree."""
    if abs(world - real) < CLOCKS_AGREE:
        return {"of_world": "", "of_real": ""}
    return {"of_world": " (world time)", "of_real": " (real time)"}


def shown(show: Show) -> Handler:
    """Return the handler of a page: for every user."""

    async def handle(request: web.Request) -> web.StreamResponse:
        visit = await _visit(request)
        if visit is None:
            return _way_in(str(request.rel_url), status=401)
        try:
            return await show(visit)
        except ProblemError as problem:
            return await _went_wrong(visit, problem)

    return handle


def acted(act: Act, *, changes: bool = True) -> Handler:
    """Return the handler of a form from our own pages; where it changes something, it is for editors."""

    async def handle(request: web.Request) -> web.StreamResponse:
        visit = await _visit(request)
        if visit is None:
            said = "You are not logged in any more. Nothing was changed."
            return _way_in(ROOT, said, status=401, is_ended=True)
        try:
            form = await _form(request, visit.gateway)
            _check_form(visit, form, changes=changes)
            return await act(visit, form)
        except ProblemError as problem:
            return await _went_wrong(visit, problem)

    return handle


def is_looked_at(request: web.Request) -> bool:
    """Say whether a browser looks at an address of the console: other clients get a problem document."""
    wants_page = "text/html" in request.headers.get("Accept", "")
    return request.method in ("GET", "HEAD") and request.path.startswith(ROOT) and wants_page


async def nowhere(request: web.Request, status: int, headers: dict[str, str]) -> web.StreamResponse:
    """Show that there is no page at an address, with the way home: as every page, to who is logged in."""

    async def show(_: Visit) -> web.StreamResponse:
        raise ProblemError(status, "there is no page at this address", headers=headers)

    return await shown(show)(request)


async def login_page(request: web.Request) -> web.StreamResponse:
    """Show the form that logs in."""
    return _way_in(request.query.get("to", ROOT))


async def log_in(request: web.Request) -> web.StreamResponse:
    """Take name and password, and lead on."""
    gateway = request.app[GATEWAY]
    deps = gateway.deps
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return _way_in(ROOT, "Log in on this page: the form came from another site.", status=403)
    to = ROOT
    try:
        form = await _form(request, gateway)
        to = page_of_ours(form.get("to", ""))
        user = await gateway.entrance.let_in(
            deps.store,
            form.get("user", ""),
            form.get("password", ""),
            address=request.remote or "",
            admin_token=deps.admin_token,
            now=deps.clock.machine(),
        )
    except ProblemError as problem:
        return _not_let_in(to, problem)
    if user is None:
        return _way_in(to, "No user has this name and password.", status=401)
    token = await open_session(deps.store, user, deps.wall_now())
    await noted(gateway, Change(by=user.name, act="session.opened"))
    return _led_on(request, gateway, token, to)


async def log_out(visit: Visit, _: Form) -> web.StreamResponse:
    """End the session."""
    await end_session(visit.gateway.deps.store, visit.session.token)
    response = back_to(f"{ROOT}login")
    response.del_cookie(cookie_of(visit.gateway.deps.secret), path="/")
    viewing.forget(response, visit.gateway)
    return response


def back_to(address: str, said: str = "") -> web.Response:
    """Return the answer to a form that was taken: look at this page now."""
    location = f"{address}{'&' if '?' in address else '?'}said={said}" if said else address
    return web.Response(status=303, headers={**_NO_STORE, "Location": location})


_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


async def _visit(request: web.Request) -> Visit | None:
    gateway = request.app[GATEWAY]
    deps = gateway.deps
    session = await session_of(
        deps.store,
        request.cookies.get(cookie_of(gateway.deps.secret), ""),
        now=deps.wall_now(),
        admin_token=deps.admin_token,
        secret=deps.secret,
    )
    return Visit(request, gateway, session) if session is not None else None


async def _form(request: web.Request, gateway: Gateway) -> Form:
    """Return a form's fields; of one that stands twice the last."""
    raw = await read_body(
        request,
        bytes_max=FORM_BYTES_MAX,
        seconds_max=gateway.deps.limits.body_seconds_max,
        types=FORM_TYPES,
    )
    try:
        fields = parse_qs(
            raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX
        )
    except ValueError:
        raise ProblemError(400, "the form has more fields than the page gave it") from None
    return {name: values[-1] for name, values in fields.items()}


def _check_form(visit: Visit, form: Form, *, changes: bool) -> None:
    given = form.pop(FORM_KEY, "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(given, visit.session.form_key.encode()):
        raise ProblemError(403, "this form is not from a page of this session: load the page anew")
    if changes and not visit.session.may_change:
        raise ProblemError(403, "you are a viewer: ask an editor to change this")


def _led_on(request: web.Request, gateway: Gateway, token: str, to: str) -> web.Response:
    response = back_to(to)
    response.set_cookie(
        cookie_of(gateway.deps.secret),
        token,
        path="/",  # whoever may look at the console may look at the other pages, as long as the session lasts
        max_age=int(SESSION_MAX.total_seconds()),
        httponly=True,
        samesite="Strict",
        secure=gateway.deps.is_secure(request),
    )
    return response


def page_of_ours(to: str) -> str:
    """Return where a form leads on to: a page of the console, whatever the form says."""
    is_ours = to.startswith(ROOT) and viewing.is_plain(to) and "//" not in to
    return to if is_ours and not to.startswith((f"{ROOT}login", f"{ROOT}logout")) else ROOT


def _way_in(
    to: str, problem: str = "", *, status: int = 200, is_ended: bool = False
) -> web.Response:
    """Return the form that logs in. `is_ended`: by a form whose session was over; the browser knows its page."""
    values = {"to": page_of_ours(to), "problem": problem, "is_ended": is_ended}
    return answer(drawn("login.html", values), status)


def _not_let_in(to: str, problem: ProblemError) -> web.Response:
    words = problem.detail
    headers = {}
    if problem.retry_after_seconds is not None:
        seconds = problem.retry_after_seconds
        words = f"{words}: try again in {seconds} seconds"
        headers["Retry-After"] = str(seconds)
    page = _way_in(to, f"{words.capitalize()}.", status=problem.status)
    page.headers.update(headers)
    return page


async def _went_wrong(visit: Visit, problem: ProblemError) -> web.Response:
    page = await visit.page(
        "problem.html", here="-", status=problem.status, problem=problem.document()
    )
    page.headers.update(problem.headers)
    return page
