"""Answer what readers of our e-mails do: open, click, unsubscribe, confirm their address.

Rules
1. A link leads only where a signature of ours says; a forged one leads nowhere.
2. The answer comes after the fact is durable. Where it cannot be made durable now the reader's browser is
   asked to try again by itself, and the mailbox provider by Retry-After.
3. An unsubscribe suppresses the mailbox before it answers (RFC 8058): no hand-over begins after the 200.
   GET changes nothing, since scanners follow every link; confirming an address takes a button, too.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from messaging.gateway import pages
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.problems import ProblemError
from messaging.mail.tokens import (
    ConfirmToken,
    UnsubscribeToken,
    destination,
    verify_click,
    verify_confirm,
    verify_open,
    verify_unsubscribe,
)
from messaging.vocabulary.errors import WorldError
from messaging.vocabulary.events import AddressConfirmed, MailClicked, MailOpened, Unsubscribed
from messaging.vocabulary.ids import own_id

PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
"""A transparent GIF of one pixel."""

USER_AGENT_CHARS_MAX = 300

_QUIET = {
    "Cache-Control": "no-store, max-age=0",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
}


async def opened(request: web.Request) -> web.Response:
    """Give the pixel and journal the open; a forged token gets 404."""
    gateway = request.app[GATEWAY]
    token = verify_open(gateway.deps.secret, request.match_info["token"])
    if token is None:
        raise ProblemError(404, "there is nothing here")
    await gateway.journal_fact(
        MailOpened(
            visitor=token.visitor,
            send_id=token.send_id,
            user_agent=_user_agent(request),
            method=request.method,
        )
    )
    return web.Response(body=PIXEL, content_type="image/gif", headers=_QUIET)


async def clicked(request: web.Request) -> web.Response:
    """Journal the click and redirect to the link's own address, with a tag for the browser."""
    gateway = request.app[GATEWAY]
    token = verify_click(gateway.deps.secret, request.match_info["token"])
    if token is None:
        return _page(404, pages.unknown_link())
    fact = MailClicked(
        visitor=token.visitor,
        send_id=token.send_id,
        link=token.url,
        user_agent=_user_agent(request),
        method=request.method,
    )
    try:
        await gateway.journal_fact(fact)
    except ProblemError as problem:
        return _page(problem.status, pages.try_again(), retry=True)
    to = destination(gateway.deps.secret, token, gateway.deps.clock.now())
    return web.Response(status=302, headers={**_QUIET, "Location": to})


async def preferences(request: web.Request) -> web.Response:
    """Show the preference page, which unsubscribes only by its button."""
    if _unsubscribe_token(request) is None:
        return _page(404, pages.unknown_link())
    return _page(200, pages.preferences())


async def unsubscribe(request: web.Request) -> web.Response:
    """Suppress the mailbox, journal the fact, then answer 200 (RFC 8058 section 3.2)."""
    gateway = request.app[GATEWAY]
    token = _unsubscribe_token(request)
    if token is None:
        return _page(404, pages.unknown_link())
    try:
        await _suppress(gateway, token)
    except (WorldError, ProblemError):
        return _page(503, pages.try_again_unsubscribe(), retry=True)
    return _page(200, pages.unsubscribed())


async def confirmation(request: web.Request) -> web.Response:
    """Show the page that confirms an address, which it does only by its button."""
    if _confirm_token(request) is None:
        return _page(404, pages.unknown_link())
    return _page(200, pages.confirmation())


async def confirm(request: web.Request) -> web.Response:
    """Journal that the owner of the mailbox confirmed it, then answer 200."""
    gateway = request.app[GATEWAY]
    token = _confirm_token(request)
    if token is None:
        return _page(404, pages.unknown_link())
    fact = AddressConfirmed(visitor=token.visitor, send_id=token.send_id, mailbox=token.mailbox)
    # A double click is one yes. Who took their consent back, or named another address meanwhile, and agrees again, may
    # say so by the same link.
    minute = str(int(gateway.deps.clock.now().timestamp() // 60))
    name = own_id("confirmed", token.visitor, token.send_id, token.mailbox, minute)
    try:
        await gateway.journal_fact(fact, message_id=name)
    except ProblemError:
        return _page(503, pages.try_again_confirm(), retry=True)
    return _page(200, pages.confirmed())


async def _suppress(gateway: Gateway, token: UnsubscribeToken) -> None:
    await gateway.deps.store.suppress(token.mailbox, "unsubscribed", gateway.deps.clock.now())
    await gateway.journal_fact(
        Unsubscribed(visitor=token.visitor, send_id=token.send_id, mailbox=token.mailbox),
        # Derived: a provider that repeats its POST tells the same fact.
        message_id=own_id("unsubscribed", token.visitor, token.send_id, token.mailbox),
    )


def _unsubscribe_token(request: web.Request) -> UnsubscribeToken | None:
    return verify_unsubscribe(request.app[GATEWAY].deps.secret, request.match_info["token"])


def _confirm_token(request: web.Request) -> ConfirmToken | None:
    return verify_confirm(request.app[GATEWAY].deps.secret, request.match_info["token"])


def _user_agent(request: web.Request) -> str:
    """Return the agent without what JSON and BSON cannot hold."""
    given = request.headers.get("User-Agent", "")[:USER_AGENT_CHARS_MAX]
    return given.encode("utf-8", "replace").decode().replace("\0", "")


def _page(status: int, html: str, *, retry: bool = False) -> web.Response:
    headers: dict[str, Any] = {**_QUIET, "Content-Security-Policy": pages.POLICY}
    if retry:
        headers["Retry-After"] = str(pages.RETRY_SECONDS)
    return web.Response(status=status, text=html, content_type="text/html", headers=headers)
