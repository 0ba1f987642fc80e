"""Speak the admin API of one person's data: all of it as one document, and its erasure with a receipt."""

from __future__ import annotations

from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.answering import answer, told
from messaging.gateway.asking import gateway_of, id_of
from messaging.gateway.console.users import ADMIN_NAME
from messaging.gateway.console.views import RECEIPT, document_of
from messaging.gateway.deps import Gateway
from messaging.gateway.problems import ProblemError


async def export(request: web.Request) -> web.Response:
    """Give all of one person's data as one document."""
    gateway = gateway_of(request)
    visitor = await _visitor(gateway, id_of(request))
    return document_of(visitor, await acts.export(gateway, visitor, by=ADMIN_NAME))


async def erase(request: web.Request) -> web.Response:
    """Begin an erasure; its receipt says how it stands."""
    gateway = gateway_of(request)
    visitor = await _visitor(gateway, id_of(request))
    receipt = await acts.erase(gateway, visitor, by=ADMIN_NAME)
    return answer({"receipt": receipt, "done": False}, 202)


async def receipt(request: web.Request) -> web.Response:
    """Show how an erasure stands."""
    desk, id_ = acts.desk_of(gateway_of(request)), id_of(request)
    found = await desk.receipt(id_) if RECEIPT.fullmatch(id_) else None
    if found is None:
        raise ProblemError(404, "there is no such receipt")
    return told(request, {"receipt": id_, "done": found.is_done, "said": found.said})


async def _visitor(gateway: Gateway, id_: str) -> str:
    found = await gateway.deps.reader.visitor(id_)
    if found is None:
        raise ProblemError(404, "there is no such visitor")
    return str(found["visitor_id"])
