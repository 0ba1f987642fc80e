"""Bad input: whatever comes in on a public route, no 5xx, no event half-taken, and what is taken can be read."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from messaging.gateway.hygiene import check_tree
from messaging.gateway.limits import Limits
from messaging.gateway.routes import CALLS, all_routes
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.events import PUBLIC_TYPES, decode_event
from tests.gateway_builders import KEY, a_site

BODIES = 2_000
AUTH = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()

ROUTES = [
    *(("POST", f"/v1/{call}") for call in (*CALLS, *(call[0] for call in CALLS))),
    *(("POST", path) for path in ("/v1/batch", "/v1/b", "/v1/import")),
    *[("POST", path) for path in ("/v1/batch", "/v1/import")] * 4,
    ("POST", "/u/x"),
    ("GET", "/o/x.gif"),
    ("GET", "/c/x"),
    ("GET", "/u/x"),
]

_strange_text = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["\0", "a\0b", "\ud800", "\udc00x", "x" * 600, "\U0001f600", "\u202e", "2017"]),
)
_numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([2**63, 2**63 - 1, -(2**63) - 1, 10**400, 1e308, float("nan"), float("inf")]),
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _strange_text),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_strange_text, inner, max_size=4)
    ),
    max_leaves=12,
)
_FIELDS = """type event userId anonymousId messageId timestamp sentAt writeKey context traits properties
    previousId groupId name category integrations"""
_fields = st.sampled_from(_FIELDS.split())
_good_values = {
    "type": st.sampled_from([*sorted(PUBLIC_TYPES), "mail_opened", "alert_settled", ""]),
    "event": st.sampled_from(["Order Completed", ""]),
    "timestamp": st.sampled_from(
        ["2017-06-01T00:00:00Z", "2030-01-01", "0001-01-01", "9999-12-31T23:59:59-14:00"]
    ),
    "context": st.fixed_dictionaries({"page": _values, "traits": _values, "consent": _values}),
}


@st.composite
def _calls(draw: Any) -> Any:
    """Draw a call that is nearly right: each field good, strange, or away."""
    call = {"type": draw(st.sampled_from(sorted(PUBLIC_TYPES))), "userId": "u", "event": "e"}
    call |= {"groupId": "g", "previousId": "p"}
    for name in draw(st.lists(_fields, max_size=3)):
        good = _good_values.get(name, _strange_text)
        call[name] = draw(st.one_of(good, good, _values))
    for name in draw(st.lists(_fields, max_size=1)):
        call.pop(name, None)
    return call


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _escaped(value: Any) -> bytes:
    return json.dumps(value).encode()


_documents = st.one_of(
    _calls(),
    st.lists(_calls(), max_size=4).map(lambda batch: {"batch": batch}),
    st.builds(
        lambda batch, rest: {**rest, "batch": batch},
        st.lists(st.one_of(_calls(), _values), max_size=4),
        st.dictionaries(_fields, _values, max_size=3),
    ),
    _values,
)
_encoded = st.builds(
    lambda write, document: write(document), st.sampled_from([_text, _escaped]), _documents
)


def _deep(levels: int) -> bytes:
    return (
        b'{"userId":"u","event":"e","properties":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    )


def _wide(keys: int) -> bytes:
    return json.dumps(
        {"userId": "u", "event": "e", "properties": dict.fromkeys(map(str, range(keys)), 1)}
    ).encode()


_raw = st.one_of(
    *[_encoded] * 8,
    st.binary(max_size=60),
    st.integers(1, 3000).map(_deep),
    st.sampled_from([31, 33, 900, 1100]).map(_wide),
    st.builds(lambda body, at: body[: at % (len(body) + 1)], _encoded, st.integers(0, 10_000)),
    st.builds(
        lambda body, at, bad: body[: at % (len(body) + 1)] + bad + body[at % (len(body) + 1) :],
        _encoded,
        st.integers(0, 10_000),
        st.sampled_from(
            [b"\0", b"\xff", b"\\u0000", b"\\ud800", b"NaN", b"9" * 5000, b"1e999", b"[" * 99, b'"']
        ),
    ),
    st.sampled_from(
        [b"", b"null", b"{}", b"[]", b'{"batch":{}}', b'{"batch":[]}', b"\xef\xbb\xbf{}"]
    ),
)
_bombs = [
    gzip.compress(b" " * 30_000_000),
    gzip.compress(b"[" * 5_000_000),
    gzip.compress(b"") * 3000,
]
_packed = st.one_of(
    _raw.map(gzip.compress),
    st.builds(lambda body, at: gzip.compress(body)[: at % 40], _raw, st.integers(0, 40)),
    _raw,
    st.sampled_from(_bombs),
)
_requests = st.tuples(
    st.sampled_from(ROUTES),
    st.one_of(
        *[st.tuples(st.just(""), _raw)] * 4,
        st.tuples(st.just("gzip"), _packed),
        st.tuples(st.sampled_from(["br", "deflate", "gzip, gzip", "\xe9"]), st.binary(max_size=9)),
    ),
    st.sampled_from(
        [*["application/json", "text/plain", ""] * 4, "application/xml", "a/b; charset=\xe9"]
    ),
    st.sampled_from([*[AUTH] * 16, "", "Basic", "Basic =", "Basic \xff", "Bearer x"]),
)


def _draw_requests(count: int) -> list[Any]:
    """Return many requests, equal at each run: one socket for all of them is what a client does."""
    drawn: list[Any] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(_requests)
    def collect(request: Any) -> None:
        drawn.append(request)

    collect()
    return drawn


@pytest.mark.slow
async def test_two_thousand_generated_bodies_make_no_5xx_and_no_event_half_taken() -> None:
    database = MemoryDatabase()
    requests = _draw_requests(BODIES)
    assert len(requests) >= BODIES * 0.9
    seen: Counter[int] = Counter()
    tracemalloc.start()
    async with a_site(database=database, limits=Limits()) as (session, gateway):
        for (method, path), (encoding, body), content_type, auth in requests:
            headers = {"Content-Type": content_type} if content_type else {}
            headers |= {"Content-Encoding": encoding} if encoding else {}
            headers |= {"Authorization": auth} if auth else {}
            before = sum(len(stream) for stream in database.streams)
            async with session.request(
                method,
                path,
                data=body if method == "POST" else None,
                headers=headers,
                skip_auto_headers=("Content-Type",),
            ) as answer:
                text = await answer.read()
                seen[answer.status] += 1
                assert answer.status < 500, (path, body[:200], text)
                taken = sum(len(stream) for stream in database.streams) - before
                assert answer.status == 200 or taken == 0
                if answer.status >= 400 and path.startswith("/v1/"):
                    assert json.loads(text)["status"] == answer.status
        assert gateway.room._free == Limits().bodies_bytes_max
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000, "a bomb of 30 MB is never unpacked"
    assert {200, 400, 401, 404, 413, 415} <= {*seen}
    assert seen[200] > BODIES / 20, "enough is taken to say something"
    for stream in database.streams:
        for record in stream:
            event = decode_event(record.raw)
            assert type(event).__struct_config__.tag in PUBLIC_TYPES
            check_tree(json.loads(record.raw))
            record.raw.decode()
            json.dumps(json.loads(record.raw), allow_nan=False, ensure_ascii=False).encode()


async def test_many_clients_with_bad_and_good_input_at_once_lose_nothing() -> None:
    database = MemoryDatabase()
    requests = [r for r in _draw_requests(300) if r[0][1].startswith("/v1/")]

    async def bad(session: Any) -> None:
        for (method, path), (encoding, body), _, _ in requests:
            headers = {"Authorization": AUTH, "Content-Type": "text/plain"}
            headers |= {"Content-Encoding": encoding} if encoding == "gzip" else {}
            async with session.request(method, path, data=body, headers=headers) as answer:
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
            *(bad(session) for _ in range(3)), *(good(session, n) for n in range(5))
        )
    ids = {record.message_id for stream in database.streams for record in stream}
    assert {f"good-{client}-{number}" for client in range(5) for number in range(60)} <= ids


def test_the_fuzzed_routes_are_all_public_routes_that_take_input() -> None:
    public = {
        (route.method, route.path.replace("{token}", "x"))
        for route in all_routes()
        if route.group in {"tracking", "mail"}
    }
    assert public == set(ROUTES)
