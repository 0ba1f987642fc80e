"""Speak the admin API of trials: ask for one, see how far it is and what it came to, end it."""

from __future__ import annotations

import re

from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.answering import answer, told
from messaging.gateway.asking import after_of, asked, gateway_of, json_object, limit_of
from messaging.gateway.console.trials import Trial
from messaging.gateway.console.users import ADMIN_NAME
from messaging.gateway.paging import written_place
from messaging.gateway.problems import ProblemError
from messaging.gateway.route import Handler

_ID = re.compile(r"[0-9a-f]{16}")


def newest(kind: str) -> Handler:
    """Return the handler that pages through trials."""

    async def handle(request: web.Request) -> web.StreamResponse:
        gateway, status = gateway_of(request), asked(request, "status")
        after, limit = after_of(request), limit_of(request)
        found = await acts.trials_of(gateway).newest(kind, after, limit, status)
        return told(request, {"trials": found.lines, "after": written_place(found.after)})

    return handle


def ask(kind: str) -> Handler:
    """Return the handler that puts a trial in the line."""

    async def handle(request: web.Request) -> web.StreamResponse:
        gateway = gateway_of(request)
        given = await json_object(request)
        id_ = await acts.ask_trial(gateway, kind, given, by=ADMIN_NAME)
        return answer({"id": id_, "status": "waiting"}, 202)

    return handle


def one(kind: str) -> Handler:
    """Return the handler that shows a trial, with whom it names."""

    async def handle(request: web.Request) -> web.StreamResponse:
        found = await _trial(request, kind)
        trials = acts.trials_of(gateway_of(request))
        people, about = await trials.people(found.id), await trials.one(found.id)
        return told(request, {"trial": found, "people": people, "one": about})

    return handle


def cancel(kind: str) -> Handler:
    """Return the handler that ends a trial."""

    async def handle(request: web.Request) -> web.StreamResponse:
        found = await _trial(request, kind)
        await acts.cancel_trial(gateway_of(request), kind, found.id, by=ADMIN_NAME)
        return answer({"success": True, "status": "cancelled"})

    return handle


async def _trial(request: web.Request, kind: str) -> Trial:
    gateway, id_ = gateway_of(request), request.match_info["id"]
    found = await acts.trials_of(gateway).trial(id_) if _ID.fullmatch(id_) else None
    if found is None or found.kind != kind:
        raise ProblemError(404, "there is no such trial")
    return found
