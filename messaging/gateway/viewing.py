"""Let people with the key look at the pages: what the bots do, a visitor's story, the inbox.

Rules
1. The key opens what can be read, and nothing that acts: the admin API takes the admin token alone.
2. It comes in a link or by the form, and goes into a cookie at once: it stays in no address bar and no referrer.
3. Who is logged in at the console needs no key: their session opens the pages as long as it lasts.
4. Who tries tokens is held up as at the console's login, by the same count of attempts from an address.
5. It is derived from the secret and the admin token: whoever changes the token shuts out who had the link.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from aiohttp import web

from messaging.gateway import frame
from messaging.gateway.body import read_body
from messaging.gateway.console.sessions import cookie_of, session_of
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.problems import ProblemError

KEY_PARAMETER = "key"

KEY_CHARACTERS = 32
"""128 bits in hexadecimal: nobody finds it by trying."""

FORM_BYTES_MAX = 4 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Show = Callable[[web.Request, Gateway], Awaitable[web.StreamResponse]]


def viewing_key(secret: bytes, admin_token: str) -> str:
    """Return the key of a system's pages."""
    label = b"mdma viewing key\x00" + admin_token.encode("utf-8", "surrogateescape")
    return hmac.digest(secret, label, "sha256").hex()[:KEY_CHARACTERS]


def viewed(show: Show) -> Handler:
    """Return the handler that shows a page to who has the key, and the form to who has not."""

    async def handle(request: web.Request) -> web.StreamResponse:
        gateway = request.app[GATEWAY]
        key = viewing_key(gateway.deps.secret, gateway.deps.admin_token)
        given = request.query.get(KEY_PARAMETER)
        if given is not None:
            here = request.rel_url.without_query_params(KEY_PARAMETER)
            if _same(given, key):
                return _led_on(request, gateway, str(here))
            return _form(request.path, "This link has another system's key, or an old one.")
        has_key = _same(request.cookies.get(_cookie(key), ""), key)
        if has_key or _is_admin(request, gateway) or await _is_logged_in(request, gateway):
            return await show(request, gateway)
        return _form(request.path, "")

    return handle


async def enter(request: web.Request) -> web.StreamResponse:
    """Take the admin token from the form, and lead on to the page that was asked for."""
    gateway = request.app[GATEWAY]
    address = request.remote or ""
    seconds_max = gateway.deps.limits.body_seconds_max
    raw = await read_body(request, bytes_max=FORM_BYTES_MAX, seconds_max=seconds_max)
    try:
        form = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        raise ProblemError(400, "the form has more fields than the page gave it") from None
    given, token = form.get("token", [""])[0].strip(), gateway.deps.admin_token
    key = viewing_key(gateway.deps.secret, token)
    to = _page_of_ours(form.get("to", [""])[0])
    try:
        gateway.entrance.take(address, gateway.deps.clock.machine())
    except ProblemError as problem:
        seconds = problem.retry_after_seconds
        response = _form(to, f"Too many attempts: try again in {seconds} seconds.")
        response.set_status(problem.status)
        response.headers["Retry-After"] = str(seconds)
        return response
    if not (_same(given, token) or _same(given, key)):
        return _form(to, "This is not the admin token of this system.")
    gateway.entrance.succeeded(address)
    return _led_on(request, gateway, to)


def remember(request: web.Request, response: web.Response, gateway: Gateway) -> None:
    """Let whoever gets this response look at the pages from now on."""
    key = viewing_key(gateway.deps.secret, gateway.deps.admin_token)
    secure = gateway.deps.is_secure(request)
    response.set_cookie(_cookie(key), key, path="/", httponly=True, samesite="Lax", secure=secure)


def forget(response: web.Response, gateway: Gateway) -> None:
    """Take the key back from whoever gets this response."""
    key = viewing_key(gateway.deps.secret, gateway.deps.admin_token)
    response.del_cookie(_cookie(key), path="/")


def _page_of_ours(to: str) -> str:
    """Return where the form leads on to: never to another host, whatever it was given."""
    roots = [*(path for path, _ in frame.PAGES), "/demo"]
    return (
        to
        if is_plain(to) and any(to == root or to.startswith(f"{root}/") for root in roots)
        else roots[0]
    )


def _led_on(request: web.Request, gateway: Gateway, to: str) -> web.Response:
    response = web.Response(status=303, headers={**frame.HEADERS, "Location": to})
    remember(request, response, gateway)
    return response


def _form(to: str, problem: str) -> web.Response:
    return frame.answer(frame.way_in(_page_of_ours(to), problem), status=401)


def _cookie(key: str) -> str:
    """Return the cookie's name: systems on other ports of this host have cookies of their own."""
    return f"mdma_view_{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _is_admin(request: web.Request, gateway: Gateway) -> bool:
    try:
        gateway.keys.check_admin(request)
    except ProblemError:
        return False
    return True


async def _is_logged_in(request: web.Request, gateway: Gateway) -> bool:
    """Say whether a user of the console looks, whose session has not ended."""
    deps = gateway.deps
    token = request.cookies.get(cookie_of(deps.secret), "")
    now, admin = deps.wall_now(), deps.admin_token
    session = await session_of(deps.store, token, now=now, admin_token=admin, secret=deps.secret)
    return session is not None


def is_plain(address: str) -> bool:
    """Say whether an address may stand in a header and leads where it seems to."""
    return "\\" not in address and all(" " < each != "\x7f" for each in address)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogateescape")
    )
