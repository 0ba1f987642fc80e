"""Speak the admin API of deliverability: how e-mails are taken, and who is never written to again."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from aiohttp import web

from messaging.gateway.admin import answer, asked, limit_of
from messaging.gateway.asking import gateway_of
from messaging.gateway.problems import ProblemError


async def deliverability(request: web.Request) -> web.Response:
    """Show how e-mails are taken."""
    desk = gateway_of(request).deps.desk
    if desk is None:
        raise ProblemError(404, "this gateway has no bots behind it")
    return answer({"deliverability": await desk.deliverability()})


async def suppressions(request: web.Request) -> web.Response:
    """Show a page of mailboxes, the newest first; `after` of the next page is in the answer."""
    gateway = gateway_of(request)
    limit = limit_of(request)
    rows = await gateway.deps.store.suppressions(limit + 1, _after(request))
    last = rows[limit - 1] if len(rows) > limit else None
    after = f"{last['at'].isoformat()}~{last['id']}" if last is not None else None
    return answer({"suppressions": rows[:limit], "after": after})


def _after(request: web.Request) -> tuple[datetime, str] | None:
    given = asked(request, "after")
    if not given:
        return None
    moment, _, key = given.partition("~")
    at: datetime | None = None
    with contextlib.suppress(ValueError, OverflowError):
        told = datetime.fromisoformat(moment)
        at = told.astimezone(UTC) if told.tzinfo is not None else None
    if at is None or not key:
        raise ProblemError(422, "after must be what a page before gave as `after`", field="after")
    return at, key
