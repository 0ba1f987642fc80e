"""Answer the webhook routes: signature first, on the bytes as they came, then everything else.

Rules
1. A source without a secret does not exist (404). A body without a right signature is refused (401) before anything
   reads it; all that was done with it until then is one hash for each secret.
2. 200 means durable, or of no concern. What is of no concern is counted, for the sender would try it again for days.
3. A signed body that cannot be read is a 400 that names the field, never the value.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import structlog
from aiohttp import hdrs, web

from messaging.gateway.body import read_body
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.hooks import shopify, stripe
from messaging.gateway.hooks.sale import Sale, Unreadable, record_of
from messaging.gateway.limits import HOOK_BYTES_MAX
from messaging.gateway.problems import ProblemError, unreadable
from messaging.gateway.timing import both_now
from messaging.gateway.validate import rejection

log = structlog.get_logger()

TYPES = frozenset({"application/json"})


class Source(msgspec.Struct, frozen=True):
    """Describe one sender of webhooks."""

    name: str
    signature_header: str
    topic_header: str
    is_signed: Callable[[bytes, str, tuple[bytes, ...], float], bool]
    read: Callable[[bytes, str], list[Sale]]


STRIPE = Source(stripe.NAME, "Stripe-Signature", "", stripe.is_signed, stripe.read)
SHOPIFY = Source(
    shopify.NAME, "X-Shopify-Hmac-Sha256", "X-Shopify-Topic", shopify.is_signed, shopify.read
)


async def take_stripe(request: web.Request) -> web.Response:
    """Take one event of Stripe's."""
    return await _take(request, STRIPE)


async def take_shopify(request: web.Request) -> web.Response:
    """Take one delivery of Shopify's."""
    return await _take(request, SHOPIFY)


async def _take(request: web.Request, source: Source) -> web.Response:
    gateway = request.app[GATEWAY]
    secrets = gateway.deps.hook_secrets.get(source.name, ())
    if not secrets:
        raise ProblemError(404, "there is nothing here")
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
        raise ProblemError(415, "send it plain: its bytes are signed", field="Content-Encoding")
    announced = request.content_length
    room = min(announced, HOOK_BYTES_MAX) if announced is not None else HOOK_BYTES_MAX
    gateway.room.take(room)
    try:
        return await _taken(request, gateway, source, secrets)
    finally:
        gateway.room.give(room)


async def _taken(
    request: web.Request, gateway: Gateway, source: Source, secrets: tuple[bytes, ...]
) -> web.Response:
    body = await read_body(
        request,
        bytes_max=HOOK_BYTES_MAX,
        seconds_max=gateway.deps.limits.body_seconds_max,
        types=TYPES,
    )
    count = gateway.metrics.hooks.labels
    signature = request.headers.get(source.signature_header, "")
    if not source.is_signed(body, signature, secrets, gateway.deps.wall_now().timestamp()):
        count(source.name, "refused").inc()
        raise ProblemError(401, "the signature is not right, or too old")
    sales = _read(gateway, source, body, request.headers.get(source.topic_header, ""))
    if not sales:
        count(source.name, "ignored").inc()
        return _answer("ignored")
    outcome = await take_sales(gateway, sales)
    count(source.name, outcome).inc()
    return _answer(outcome)


async def take_sales(gateway: Gateway, sales: list[Sale]) -> str:
    """Make sales durable; return whether they were `taken`, `repeated`, or are `waiting` for their order."""
    deps = gateway.deps
    now, wall_now = both_now(deps.clock.now, deps.wall_now)
    records = [record_of(sale, now, deps.secret, wall_now=wall_now) for sale in sales]
    due = await gateway.refunds.sort(sales, records)
    if not due:
        return "waiting"
    return "taken" if any(await gateway.collector.take(due)) else "repeated"


def _read(gateway: Gateway, source: Source, body: bytes, topic: str) -> list[Sale]:
    try:
        return source.read(body, topic)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        rejected = rejection(error)
        problem = unreadable(rejected.reason, rejected.field)
    except Unreadable as error:
        problem = unreadable(error.reason, error.field)
    gateway.metrics.hooks.labels(source.name, "unreadable").inc()
    log.warning("hook.unreadable", source=source.name, field=problem.field)
    raise problem


def _answer(outcome: str) -> web.Response:
    return web.json_response({"success": True, "outcome": outcome})
