"""Tell browsers what stands open on the site, and take what comes of it.

Rules
1. What stands open is what Engagement has stored; the gateway decides nothing but who was first.
2. Each response has a message id of its own, derived from the engagement: the journal takes it once. So the tab
   whose `shown` is new may show it, and every other tab learns whose it is.
3. Only the fields that were asked for are taken as answers; they become traits.
4. A cursor names the visitor and the last change told: whoever comes back, also after a merge, misses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import hdrs, web

from messaging.gateway.body import read_body
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.limits import EVENT_BYTES_MAX, ID_CHARS_MAX
from messaging.gateway.problems import ProblemError, overloaded
from messaging.gateway.readers import EndedOffer, Offers, OpenOffer
from messaging.gateway.responses import Response, checked_answers, read_response
from messaging.gateway.watch import Stream
from messaging.vocabulary.events import Engaged
from messaging.vocabulary.ids import own_id

POLL_SECONDS = 15
RETRY_MS = 3_000
LOOK_AGAIN_SECONDS = 0.05

RESPONSES = frozenset({"shown", "clicked", "dismissed", "submitted"})

_HEADERS = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}
_STREAM = {**_HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}

_encoder = msgspec.json.Encoder()


async def standing(request: web.Request) -> web.StreamResponse:
    """Answer what stands open for a browser: a stream if it takes one, else once."""
    gateway = request.app[GATEWAY]
    if not gateway.keys.check_write_header(request):
        gateway.keys.check_write_key(request.query.get("writeKey"))
    visitor = _visitor(request.query.get("visitor", ""))
    after = request.headers.get("Last-Event-ID") or request.query.get("after", "")
    wants_stream = "text/event-stream" in request.headers.get(hdrs.ACCEPT, "")
    if wants_stream and request.method == hdrs.METH_GET:
        return await _stream(gateway, request, visitor, after)
    return await _poll(gateway, visitor, after)


async def answered(request: web.Request) -> web.StreamResponse:
    """Take one response to an engagement; 200 means that it counts."""
    gateway = request.app[GATEWAY]
    response = request.match_info["response"]
    if response not in RESPONSES:
        raise ProblemError(404, "an engagement is shown, clicked, dismissed or submitted")
    told = await _read(gateway, request)
    visitor = _visitor(told.visitor)
    if response == "shown" and not told.tab:
        raise ProblemError(422, "name the tab that shows it", field="tab")
    id_ = request.match_info["id"]
    offers = await _offers(gateway, visitor)
    offer = _find(offers, id_)
    if offers is None or offer is None:
        raise ProblemError(404, "no such engagement stands open for this visitor")
    fact = Engaged(
        visitor=offers.visitor,
        engagement_id=id_,
        response=response,
        interaction=offer.name,
        interaction_type=offer.type,
        tab=told.tab,
    )
    if response == "shown":
        await _reserve(gateway, visitor, offer, fact)
    else:
        if response == "submitted":
            fact.answers = checked_answers(told.answers, _fields(offer))
        await gateway.journal_fact(fact, _message_id(fact))
    return _json({"success": True})


async def _read(gateway: Gateway, request: web.Request) -> Response:
    is_known = gateway.keys.check_write_header(request)
    gateway.room.take(EVENT_BYTES_MAX)
    try:
        seconds_max = gateway.deps.limits.body_seconds_max
        body = await read_body(request, bytes_max=EVENT_BYTES_MAX, seconds_max=seconds_max)
    finally:
        gateway.room.give(EVENT_BYTES_MAX)
    told = read_response(body)
    if not is_known:
        gateway.keys.check_write_key(told.write_key)
    return told


async def _reserve(
    gateway: Gateway, visitor: str, offer: OpenOffer | EndedOffer, fact: Engaged
) -> None:
    """Let one tab show an engagement; raise the 409 for every other, and for what is over."""
    if _may_show(offer, fact.tab, gateway.deps.clock.now()):
        return
    if await gateway.journal_fact(fact, _message_id(fact)):
        return
    # Somebody was first, perhaps this very tab: Engagement says who.
    machine = gateway.deps.clock.machine
    until = machine() + gateway.deps.limits.settle_seconds_max
    while machine() < until:
        now = _find(await _offers(gateway, visitor), fact.engagement_id)
        if now is None:
            raise ProblemError(409, "this engagement is over")
        if _may_show(now, fact.tab, gateway.deps.clock.now()):
            return
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    raise overloaded("it is not known yet which tab was first")


def _may_show(offer: OpenOffer | EndedOffer, tab: str, now: datetime) -> bool:
    """Return whether this tab shows it already, False if nobody does; raise the 409 that it may not."""
    if isinstance(offer, EndedOffer):
        raise ProblemError(409, f"this engagement is over: {offer.outcome}")
    if offer.expires_at <= now:
        raise ProblemError(409, "this engagement is over: expired")
    if offer.tab and offer.tab != tab:
        raise ProblemError(409, "another tab shows this engagement")
    return bool(offer.tab)


def _message_id(fact: Engaged) -> str:
    return own_id("engaged", fact.engagement_id, fact.response)


async def _poll(gateway: Gateway, visitor: str, after: str) -> web.Response:
    offers = await _offers(gateway, visitor)
    now = gateway.deps.clock.now()
    ended = _ended_since(offers, after) if offers is not None and after else []
    standing_now = [_shown(o) for o in offers.open if o.expires_at > now] if offers else []
    return _json(
        {
            "engagements": standing_now,
            "withdrawn": [each.id for each in ended],
            "cursor": _cursor(offers, offers.number) if offers is not None else "0",
            "poll_seconds": POLL_SECONDS,
        }
    )


async def _stream(
    gateway: Gateway, request: web.Request, visitor: str, after: str
) -> web.StreamResponse:
    """Tell a browser what changes, until it goes or its time is over."""
    response = web.StreamResponse(headers=_STREAM)
    # A browser that leaves a page leaves its stream: that is how every one of them ends.
    with contextlib.suppress(ConnectionError), gateway.watch.stream(visitor) as stream:
        await response.prepare(request)
        await _tell(gateway, response, stream, after)
    return response


async def _tell(gateway: Gateway, response: web.StreamResponse, stream: Stream, after: str) -> None:
    limits, machine = gateway.deps.limits, gateway.deps.clock.machine
    until = machine() + limits.stream_seconds_max
    await _write(response, f"retry: {RETRY_MS}\n\n", limits.write_seconds_max)
    while not gateway.watch.ending and machine() < until:
        lines = ": still here\n\n"
        if await stream.changed(limits.heartbeat_seconds) and stream.offers is not None:
            lines = "".join(_events(stream.offers, after, gateway.deps.clock.now()))
            after = _cursor(stream.offers, stream.offers.number)
        if lines:
            await _write(response, lines, limits.write_seconds_max)


async def _write(response: web.StreamResponse, text: str, seconds_max: float) -> None:
    try:
        async with asyncio.timeout(seconds_max):
            await response.write(text.encode())
    except TimeoutError:
        raise ConnectionResetError("the browser does not read") from None


def _events(offers: Offers, after: str, now: datetime) -> Iterator[str]:
    """Give what happened after a cursor, in order. Who has no cursor need not hear of what ended."""
    since = _number(offers, after)
    news: list[OpenOffer | EndedOffer] = [
        offer for offer in offers.open if offer.number > since and offer.expires_at > now
    ]
    if after:
        news += _ended_since(offers, after)
    for each in sorted(news, key=lambda one: one.number):
        if isinstance(each, OpenOffer):
            kind, data = "engagement", _shown(each)
        else:
            kind, data = "withdrawn", {"id": each.id}
        body = _encoder.encode(data).decode()
        yield f"id: {_cursor(offers, each.number)}\nevent: {kind}\ndata: {body}\n\n"


def _ended_since(offers: Offers, after: str) -> list[EndedOffer]:
    since = _number(offers, after)
    return [each for each in offers.ended if each.number > since]


def _cursor(offers: Offers, number: int) -> str:
    return f"{offers.visitor[:8]}.{number}"


def _number(offers: Offers, cursor: str) -> int:
    """Return the number in a cursor; 0 if it is another visitor's, from before a merge, or none of ours."""
    whose, _, number = cursor.partition(".")
    known = whose == offers.visitor[:8] and number.isascii() and number.isdecimal()
    return int(number[:18]) if known else 0


def _shown(offer: OpenOffer) -> dict[str, Any]:
    """Return an engagement as a browser gets it."""
    return {
        "id": offer.id,
        "type": offer.type,
        "trigger": offer.trigger,
        "name": offer.name,
        "content": offer.content,
        "expires_at": offer.expires_at,
    }


async def _offers(gateway: Gateway, visitor: str) -> Offers | None:
    return (await gateway.deps.offers.offers([visitor])).get(visitor)


def _find(offers: Offers | None, id_: str) -> OpenOffer | EndedOffer | None:
    if offers is None:
        return None
    standing: list[OpenOffer | EndedOffer] = [*offers.open, *offers.ended]
    return next((each for each in standing if each.id == id_), None)


def _fields(offer: OpenOffer | EndedOffer) -> list[dict[str, Any]]:
    if isinstance(offer, EndedOffer):
        return offer.fields
    found: list[dict[str, Any]] = offer.content.get("fields", [])
    return found


def _visitor(given: str) -> str:
    if not 0 < len(given) <= ID_CHARS_MAX:
        raise ProblemError(422, "give the browser's anonymousId", field="visitor")
    return given


def _json(content: dict[str, Any]) -> web.Response:
    return web.Response(
        body=_encoder.encode(content), content_type="application/json", headers=_HEADERS
    )
