"""Webhooks over a real socket: forged, old, replayed, huge, of a wrong type, unknown; and what they come to."""

from __future__ import annotations

import base64
import hmac
import io
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from messaging.clock import RealClock
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.events import Track, decode_event
from messaging.vocabulary.ids import OWN, derive, own_id, position
from tests.gateway_builders import KEY, NOON, a_site

SECRETS = {"stripe": (b"whsec_old", b"whsec_new"), "shopify": (b"shh",)}
JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}
PAID = {
    "id": "cs_1",
    "currency": "eur",
    "amount_total": 2_000,
    "payment_status": "paid",
    "payment_intent": "pi_1",
    "customer_details": {"email": "ann@example.com"},
}


def an_event(kind: str = "checkout.session.completed", **thing: Any) -> bytes:
    return json.dumps({"type": kind, "data": {"object": thing or PAID}}).encode()


def signed(body: bytes, *, secret: bytes = b"whsec_new", age_seconds: int = 0) -> dict[str, str]:
    at = int(NOON.timestamp()) - age_seconds
    digest = hmac.digest(secret, f"{at}.".encode() + body, "sha256").hex()
    return JSON_TYPE | {"Stripe-Signature": f"t={at},v1={digest}"}


async def post(session: Any, body: Any, headers: dict[str, str], source: str = "stripe") -> Any:
    async with session.post(f"/hooks/{source}", data=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


def journaled(database: MemoryDatabase) -> list[Any]:
    return [record for stream in database.streams for record in stream]


async def test_a_source_without_secrets_is_not_there() -> None:
    async with a_site() as (session, _):
        for source in ("stripe", "shopify"):
            assert (await post(session, b"{}", JSON_TYPE, source))[0] == 404


async def test_forged_and_old_ones_are_refused_before_anything_reads_them() -> None:
    """The body is no JSON at all: a reader would have said 400."""
    database = MemoryDatabase()
    async with a_site(database=database, hook_secrets=SECRETS) as (session, gateway):
        body = b"{ not JSON"
        for headers in (
            JSON_TYPE,
            signed(body, secret=b"whsec_other"),
            signed(b"another body"),
            signed(body, age_seconds=301),
            signed(body, age_seconds=-301),
        ):
            assert (await post(session, body, headers))[0] == 401
        forged = JSON_TYPE | {"X-Shopify-Hmac-Sha256": "x", "X-Shopify-Topic": "orders/paid"}
        assert (await post(session, body, forged, "shopify"))[0] == 401
        assert (await post(session, body, signed(body)))[0] == 400
        assert 'mdma_hooks_total{outcome="refused",source="stripe"} 5.0' in gateway.metrics.text()
    assert journaled(database) == []


async def test_an_order_is_journaled_once_however_often_and_by_whichever_secret_it_comes() -> None:
    database = MemoryDatabase()
    async with a_site(database=database, hook_secrets=SECRETS) as (session, _):
        outcomes = []
        for secret in (b"whsec_old", b"whsec_new", b"whsec_new"):
            status, answer = await post(session, an_event(), signed(an_event(), secret=secret))
            assert status == 200
            outcomes.append(answer["outcome"])
        again = an_event("checkout.session.async_payment_succeeded")
        outcomes.append((await post(session, again, signed(again)))[1]["outcome"])
        assert outcomes == ["taken", "repeated", "repeated", "repeated"]
    [record] = journaled(database)
    event = decode_event(record.raw)
    assert isinstance(event, Track)
    assert event.event == "Order Completed"
    assert event.properties == {
        "order_id": "pi_1",
        "total": 20.0,
        "currency": "EUR",
        "source": "stripe",
    }
    assert event.context is not None
    assert event.context.traits == {"email": "ann@example.com"}
    assert event.context.consent is None


async def test_nobody_with_the_public_write_key_can_make_what_we_tell_a_repeat() -> None:
    """They know how our ids are made: of the order, of the next positions in the journal."""
    database = MemoryDatabase()
    async with a_site(database=database, hook_secrets=SECRETS) as (session, _):
        body = an_event()
        order = ("hook", "stripe", "Order Completed", "pi_1", "")
        guessed = [make(*order) for make in (derive, own_id)]
        for stream, number, make in itertools.product((1, 2), range(1, 60), (derive, own_id)):
            guessed.append(make("message", str(position(stream, number))))
        batch = [a_call(messageId=each) for each in guessed]
        async with session.post("/v1/batch", json={"batch": batch, "writeKey": KEY}) as answer:
            told = await answer.json()
        rejected = {each["index"] for each in told["rejected"]}
        assert rejected == {n for n, each in enumerate(guessed) if each.startswith(OWN)}
        assert (await post(session, body, signed(body)))[1]["outcome"] == "taken"
        for _ in range(5):
            async with session.post("/v1/track", json=a_call(writeKey=KEY)) as answer:
                assert answer.status == 200
        async with session.post("/v1/track", json=a_call(writeKey=KEY, messageId="mdma:1")) as no:
            assert no.status == 400
            assert (await no.json())["field"] == "messageId"
    records = journaled(database)
    assert len(records) == len(guessed) - len(rejected) + 1 + 5


def a_call(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "anonymousId": "evil", "event": "x", **fields}


async def test_shopifys_deliveries_are_taken_and_unknown_topics_counted() -> None:
    database = MemoryDatabase()
    async with a_site(database=database, hook_secrets=SECRETS) as (session, gateway):
        body = json.dumps({"id": 7, "total_price": "1.50", "currency": "EUR"}).encode()
        digest = base64.b64encode(hmac.digest(b"shh", body, "sha256")).decode()
        headers = JSON_TYPE | {"X-Shopify-Hmac-Sha256": digest}
        taken = await post(session, body, headers | {"X-Shopify-Topic": "orders/paid"}, "shopify")
        assert taken == (200, {"success": True, "outcome": "taken"})
        for topic in ({}, {"X-Shopify-Topic": "products/update"}):
            assert (await post(session, body, headers | topic, "shopify"))[1][
                "outcome"
            ] == "ignored"
        ignored = 'mdma_hooks_total{outcome="ignored",source="shopify"} 2.0'
        assert ignored in gateway.metrics.text()
        other = an_event("customer.created", id="cus_1")
        assert (await post(session, other, signed(other)))[1]["outcome"] == "ignored"
    assert len(journaled(database)) == 1


async def test_what_is_too_large_packed_or_no_json_is_refused() -> None:
    async with a_site(hook_secrets=SECRETS) as (session, _):
        huge = b"x" * (1024 * 1024 + 1)
        assert (await post(session, io.BytesIO(huge), signed(huge)))[0] == 413
        body = an_event()
        assert (await post(session, body, signed(body) | {"Content-Type": "text/html"}))[0] == 415
        assert (await post(session, body, signed(body) | {"Content-Encoding": "gzip"}))[0] == 415
        deep = b'{"type":' + b"[" * 100_000
        assert (await post(session, deep, signed(deep)))[0] == 400
        wrong = an_event(id=5, amount_total="many")
        status, problem = await post(session, wrong, signed(wrong))
        assert status == 400
        assert "many" not in str(problem)


async def test_in_a_real_time_world_an_order_is_dated_to_the_second_that_it_names() -> None:
    """The clock of the world and the machine's are read one after the other: what lies between is no age.

    An order of midnight would else be one of the day before.
    """
    database = MemoryDatabase()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    midnight = today - timedelta(days=1)
    deps = {"clock": RealClock(), "wall_now": lambda: datetime.now(UTC)}
    bodies = {
        "orders/paid": {
            "id": 7,
            "total_price": "1.50",
            "email": "ann@example.com",
            "processed_at": midnight.isoformat(),
        },
        "orders/cancelled": {
            "id": 7,
            "total_price": "1.50",
            "email": "ann@example.com",
            "created_at": midnight.isoformat(),
            "cancelled_at": (midnight + timedelta(seconds=1)).isoformat(),
        },
    }
    async with a_site(database=database, hook_secrets=SECRETS, **deps) as (session, _):
        for topic, told in bodies.items():
            body = json.dumps(told).encode()
            digest = base64.b64encode(hmac.digest(b"shh", body, "sha256")).decode()
            headers = JSON_TYPE | {"X-Shopify-Hmac-Sha256": digest, "X-Shopify-Topic": topic}
            assert (await post(session, body, headers, "shopify"))[0] == 200
        # So is a call that does not say when it was sent; its age is cut at 24 hours.
        call = a_call(writeKey=KEY, timestamp=today.isoformat())
        async with session.post("/v1/track", json=call) as answer:
            assert answer.status == 200
    ordered, cancelled, tracked = journaled(database)
    assert ordered.at == midnight
    assert cancelled.at == midnight + timedelta(seconds=1)
    placed_at = decode_event(cancelled.raw).properties["ordered_at"]
    assert datetime.fromisoformat(placed_at) == midnight
    assert tracked.at == today
