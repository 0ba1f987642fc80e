"""Bad input: whatever comes in on a public route, no 5xx, no event half-taken, and memory stays flat.

`MDMA_FUZZ_BODIES=2000` sends as many generated bodies to each route; by default it is a part of them.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import hmac
import json
import os
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from yarl import URL

from messaging.gateway.hygiene import check_tree
from messaging.gateway.limits import Limits
from messaging.gateway.routes import all_routes
from messaging.mail.tokens import ClickToken, ConfirmToken, OpenToken, UnsubscribeToken, sign
from messaging.ports import Appended, Chunk
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.events import PUBLIC_TYPES, Record, decode_event
from messaging.vocabulary.letters import decode_records
from tests.gateway_bodies import AUTH, Sent, draw_requests
from tests.gateway_builders import ADMIN, NOON, SECRET, a_site

BODIES = int(os.environ.get("MDMA_FUZZ_BODIES", "200"))
KNOWN_MAX = 200
GROWTH_BYTES_MAX = 100_000
"""Over thousands of requests: 20 bytes that each of them left behind are more."""
PEAK_BYTES_MAX = 24_000_000
"""A bomb holds 30 MB; the largest body that is read at all has 8."""

_VISITOR, _SEND = "0a" * 12, "0b" * 12
_TOKENS = {
    "o": sign(SECRET, OpenToken(_VISITOR, _SEND)),
    "c": sign(SECRET, ClickToken(_VISITOR, _SEND, "https://shop.example/", NOON)),
    "u": sign(SECRET, UnsubscribeToken(_VISITOR, _SEND, "f" * 24)),
    "confirm": sign(SECRET, ConfirmToken(_VISITOR, _SEND, "f" * 24)),
}
ROUTES = [
    (route.method, route.path)
    for route in all_routes()
    if route.group in {"tracking", "mail", "hooks"}
    or (route.group in {"admin", "site", "pages"} and route.method == "POST")
]
_BATCHES = {"/v1/batch", "/v1/b", "/v1/import"}
_RESPONSES = "/v1/engagements/{id}/{response}"
"""Nothing stands open here: what comes is refused, whatever it is."""


class WatchedJournal:
    """Tell what one request brought, and keep nothing of it: what grows is then the gateway's."""

    def __init__(self) -> None:
        self.taken: list[Record] = []
        self.new = 0
        self._known: dict[int, int] = {}

    async def open_stream(self, writer: str) -> int:
        return 1

    async def append(self, records: list[Record]) -> Appended:
        self.taken += records
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        stands = [self._known.setdefault(hash(r.message_id), r.position) for r in records]
        fresh = [at == record.position for at, record in zip(stands, records, strict=True)]
        self.new += sum(fresh)
        return Appended(fresh)


class CountingPeers:
    """Count what was handed over."""

    def __init__(self) -> None:
        self.events = 0

    async def deliver(self, to: str, chunk: Chunk) -> bool:
        self.events += len(decode_records(chunk.body))
        return True


def _path(pattern: str, number: int) -> str:
    """Return a path of a route: with a token that holds and one that does not, plain and with a query."""
    kind = pattern.split("/")[1]
    if kind in _TOKENS:
        good = _TOKENS[kind]
        bad = ["x", good[:-1], good[::-1], "%00%FF", "x" * 4000, "%ED%A0%80"]
        return pattern.replace("{token}", good if number % 2 else bad[number // 2 % len(bad)])
    if "{id}" in pattern:
        pattern = pattern.replace("{id}", ["open", "%00", "%FF", "x" * 600][number % 4])
        answers = ["shown", "clicked", "submitted", "%00"]
        pattern = pattern.replace("{response}", answers[number // 4 % 4])
        return pattern.replace("{action}", ["resume", "change", "close", "%00"][number // 4 % 4])
    return f"{pattern}?a=%00" if number % 4 == 3 else pattern


def _headers(sent: Sent, pattern: str) -> dict[str, str]:
    headers = {"Content-Type": sent.content_type} if sent.content_type else {}
    headers |= {"Content-Encoding": sent.encoding} if sent.encoding else {}
    if pattern.startswith("/api/"):
        return headers | (ADMIN if sent.auth == AUTH else {"Authorization": sent.auth})
    if pattern.startswith("/hooks/"):
        return headers | (_signatures(sent.body) if sent.auth == AUTH else {})
    return headers | ({"Authorization": sent.auth} if sent.auth else {})


def _signatures(body: bytes) -> dict[str, str]:
    """Return what both senders of webhooks would say of a body, so that it is read at all."""
    at = int(NOON.timestamp())
    stripe = hmac.digest(SECRET, f"{at}.".encode() + body, "sha256").hex()
    shopify = base64.b64encode(hmac.digest(SECRET, body, "sha256")).decode()
    signed = {"Stripe-Signature": f"t={at},v1={stripe}", "X-Shopify-Hmac-Sha256": shopify}
    return signed | {"X-Shopify-Topic": "orders/paid"}


def _data(pattern: str, sent: Sent) -> bytes:
    """Return the body as a route may expect it: for the replay in lines, of a time that does not come."""
    if pattern != "/api/v1/replay" or sent.encoding:
        return sent.body
    return b'{"at":"2030-01-01","call":%b}\n%b\n' % (sent.body.replace(b"\n", b" "), sent.body)


def _plain(value: bytes, number: Any = str) -> Any:
    """Read JSON as tolerantly as anybody can, with numbers as they are written."""
    text = value.decode("utf-8", "surrogateescape")
    return json.loads(text, parse_int=number, parse_float=number, parse_constant=number)


def _is_mended(kept: Any, item: Any) -> bool:
    """Return whether a call stands in the journal but for what may be left out of it."""
    context, sent = kept.pop("context", None), item.pop("context", None)
    for name in ("properties", "traits"):
        if item.get(name) == []:
            item[name] = kept[name] = kept[name] or {}
    return kept == item and (context == sent or _is_within(context, sent))


def _is_within(kept: Any, sent: Any) -> bool:
    """Return whether something was only made smaller: members left out, empty lists made empty objects."""
    if isinstance(kept, dict) and isinstance(sent, dict):
        return all(name in sent and _is_within(kept[name], sent[name]) for name in kept)
    return kept == sent or (kept == {} and sent == [])


def _judge_tracking(pattern: str, sent: Sent, answer: dict[str, Any], taken: list[Record]) -> None:
    """Compare what was answered with 200 with what stands in the journal, item by item."""
    text = gzip.decompress(sent.body) if sent.encoding == "gzip" else sent.body
    body, rough = _plain(text), _plain(text, float)
    assert answer["success"] is True
    if pattern in _BATCHES:
        refused = {each["index"] for each in answer.get("rejected", [])}
        good, roughly = (
            [item for index, item in enumerate(each["batch"]) if index not in refused]
            for each in (body, rough)
        )
        common = body.get("context") or {}
    else:
        assert "rejected" not in answer
        good, roughly, common = [body], [rough], {}
    assert len(taken) == len(good), "each item is in the journal or named as refused"
    for item, rough_item, record in zip(good, roughly, taken, strict=True):
        kept, rough_kept = _plain(record.raw), _plain(record.raw, float)
        assert item.get("type") in {kept["type"], None}
        for each in (item, rough_item, kept, rough_kept):
            each["type"] = kept["type"]
            if common:
                each["context"] = None
        same = kept == item or _is_mended(rough_kept, rough_item)
        assert same, "bytes pass through as they came, but for what may be left out"


def _judge_record(record: Record, *, public: bool) -> None:
    """Check that what is taken can be read everywhere behind."""
    event = decode_event(record.raw)
    assert (type(event).__struct_config__.tag in PUBLIC_TYPES) == public
    check_tree(json.loads(record.raw))
    json.dumps(json.loads(record.raw), allow_nan=False, ensure_ascii=False).encode()


def _alerts() -> MemoryDatabase:
    """Return a database in which one alert is open, for the routes that settle alerts."""
    database = MemoryDatabase()
    alert = {"status": "open", "visitor": _VISITOR, "path": "p", "run": "r", "kind": "attempts"}
    database.tables["alerts"] = {"open": {"id": "open", **alert}}
    return database


class Round:
    """Send every body to every route once, and judge each answer."""

    def __init__(self, session: Any, journal: WatchedJournal, requests: list[Sent]) -> None:
        self.seen: Counter[tuple[str, int]] = Counter()
        self._session = session
        self._journal = journal
        self._requests = requests

    async def run(self) -> None:
        for method, pattern in ROUTES:
            for number, sent in enumerate(self._requests):
                await self._one(method, pattern, number, sent)

    async def _one(self, method: str, pattern: str, number: int, sent: Sent) -> None:
        self._journal.taken.clear()
        self._journal.new = 0
        async with self._session.request(
            method,
            # As it is: percent signs must reach the gateway.
            _address(self._session, _path(pattern, number)),
            data=_data(pattern, sent) if method == "POST" else None,
            headers=_headers(sent, pattern),
            skip_auto_headers=("Content-Type",),
            allow_redirects=False,
        ) as answer:
            text = await answer.read()
        where = (pattern, number, sent.body[:200], text[:300])
        taken = self._journal.taken
        self.seen[pattern, answer.status] += 1
        assert answer.status < 500, where
        assert answer.status < 400 or not self._journal.new, where
        if answer.status >= 400 and not pattern.startswith(("/o", "/c", "/u", "/enter")):
            assert json.loads(text)["status"] == answer.status, where
        if answer.status == 200 and pattern.startswith("/v1/"):
            _judge_tracking(pattern, sent, json.loads(text), taken)
        for record in taken:
            _judge_record(record, public=pattern.startswith("/v1/"))


def _address(session: Any, path: str) -> Any:
    """Return the address of a path, not normalised."""
    return URL(f"{str(session._base_url).rstrip('/')}{path}", encoded=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_generated_bodies_on_each_route_make_no_5xx_no_half_taken_event_and_no_growth() -> (
    None
):
    """Two rounds of the same bodies: what is larger after the second was kept for each request."""
    requests = draw_requests(BODIES)
    assert len(requests) >= BODIES * 0.9
    journal, peers = WatchedJournal(), CountingPeers()
    hooks = {"stripe": (SECRET,), "shopify": (SECRET,)}
    given = {"database": _alerts(), "journal": journal, "peers": peers, "limits": Limits()}
    async with a_site(**given, hook_secrets=hooks) as (session, gateway):
        tracemalloc.start()
        first = Round(session, journal, requests)
        await first.run()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        second = Round(session, journal, requests)
        await second.run()
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert gateway.room._free == Limits().bodies_bytes_max
        assert gateway.collector.waiting() == (0, 0)
    assert after - before < GROWTH_BYTES_MAX, "something of each request was kept"
    assert peak - before < PEAK_BYTES_MAX, "a bomb of 30 MB is never unpacked"
    assert peers.events == gateway.metrics.total("taken"), "what was taken was handed over, once"
    _judge_spread(first.seen, len(requests))


def _judge_spread(seen: Counter[tuple[str, int]], requests: int) -> None:
    """Check that the bodies say something: on each route some are taken and some are not."""
    for _, pattern in ROUTES:
        statuses = {status for path, status in seen if path == pattern}
        if pattern == _RESPONSES:
            assert {400, 404, 413, 415, 422} <= statuses, (pattern, statuses)
        elif pattern.startswith("/v1/"):
            assert {200, 400, 401, 413, 415} <= statuses, (pattern, statuses)
        else:
            assert len(statuses) >= 2, (pattern, statuses)
    tracking = [p for _, p in ROUTES if p.startswith("/v1/") and p != _RESPONSES]
    taken = sum(seen[pattern, 200] for pattern in tracking)
    assert taken > len(tracking) * requests / 20, "enough is taken to say something"


async def test_many_clients_with_bad_and_good_input_at_once_lose_nothing() -> None:
    database = MemoryDatabase()
    requests = draw_requests(60)
    paths = [path for _, path in ROUTES if path.startswith("/v1/")]

    async def bad(session: Any, path: str) -> None:
        for sent in requests:
            headers = {"Authorization": AUTH, "Content-Type": "text/plain"}
            headers |= {"Content-Encoding": "gzip"} if sent.encoding == "gzip" else {}
            async with session.post(path, data=sent.body, headers=headers) as answer:
                assert answer.status < 500

    async def good(session: Any, client: int) -> None:
        for number in range(60):
            call = {"event": "e", "userId": f"u{client}", "messageId": f"good-{client}-{number}"}
            async with session.post(
                "/v1/track", json=call, headers={"Authorization": AUTH}
            ) as answer:
                assert answer.status == 200

    async with a_site(database=database) as (session, _):
        await asyncio.gather(
            *(bad(session, path) for path in paths), *(good(session, n) for n in range(5))
        )
    ids = {record.message_id for stream in database.streams for record in stream}
    assert {f"good-{client}-{number}" for client in range(5) for number in range(60)} <= ids


def test_the_fuzzed_routes_are_all_that_take_a_body_or_a_token() -> None:
    """The console's forms have bodies of their own: `tests/integration/test_console_input.py`."""
    taking = {
        (route.method, route.path)
        for route in all_routes()
        if route.body or "{token}" in route.path
    }
    assert taking <= set(ROUTES)
    assert all(
        route.method != "POST" or route.group == "console" or (route.method, route.path) in ROUTES
        for route in all_routes()
    )
