"""Speak the admin API of deliverability: how e-mails are taken, and who is never written to again."""

from __future__ import annotations

from aiohttp import web

from messaging.gateway.answering import told
from messaging.gateway.asking import after_of, gateway_of, limit_of
from messaging.gateway.paging import cut
from messaging.gateway.problems import ProblemError


async def deliverability(request: web.Request) -> web.Response:
    """Show how e-mails are taken."""
    desk = gateway_of(request).deps.desk
    if desk is None:
        raise ProblemError(404, "this gateway has no bots behind it")
    found = await desk.deliverability()
    return told(request, {"deliverability": found}, found.at)


async def suppressions(request: web.Request) -> web.Response:
    """Show a page of mailboxes, the newest first; `after` of the next page is in the answer."""
    gateway = gateway_of(request)
    limit = limit_of(request)
    found = await gateway.deps.store.suppressions(limit + 1, after_of(request))
    rows, after = cut(found, limit)
    return told(request, {"suppressions": rows, "after": after})
