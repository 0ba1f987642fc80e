"""The Segment API over a real socket: what is taken, what is refused, and how it is said."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import json
import logging
import socket
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import structlog
import uvloop
from aiohttp import web

from messaging.gateway.limits import Limits
from messaging.mail.tokens import BrowserTag, sign
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.events import decode_event
from messaging.vocabulary.ids import (
    anonymous_key,
    email_key,
    partition_of,
    user_key,
    visitor_id_for,
)
from tests.gateway_builders import KEY, NOON, SECRET, FailingJournal, a_site

AUTH = {"Authorization": "Basic " + __import__("base64").b64encode(f"{KEY}:".encode()).decode()}

_gzipped = partial(gzip.compress, mtime=0)
"""The body is the name of its test, which must be the same in each process."""


async def _post(session, path: str, body: Any, *, status: int = 200, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **AUTH, **headers}
    async with session.post(path, data=data, headers=sent) as answer:
        text = await answer.read()
        assert answer.status == status, text
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        if status >= 400:
            assert answer.content_type == "application/problem+json"
        return json.loads(text)


@pytest.mark.parametrize(
    ("route", "kind", "more"),
    [
        ("track", "track", {"event": "Signed Up"}),
        ("t", "track", {"event": "Signed Up"}),
        ("identify", "identify", {"traits": {"email": "a@example.com"}}),
        ("i", "identify", {}),
        ("page", "page", {"name": "Home"}),
        ("p", "page", {}),
        ("screen", "screen", {}),
        ("s", "screen", {}),
        ("group", "group", {"groupId": "g"}),
        ("g", "group", {"groupId": 7}),
        ("alias", "alias", {"previousId": "old"}),
        ("a", "alias", {"previousId": "old"}),
    ],
)
async def test_each_route_takes_its_call_and_gives_it_its_type(
    route: str, kind: str, more: dict[str, Any]
) -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        assert await _post(session, f"/v1/{route}", {"userId": "u", **more}) == {"success": True}
    [record] = database.streams[0]
    assert json.loads(record.raw)["type"] == kind
    assert decode_event(record.raw).user_id == "u"
    assert record.partition == partition_of(visitor_id_for(user_key("u")))


async def test_the_bytes_of_a_call_pass_through_as_they_came() -> None:
    database = MemoryDatabase()
    body = b'{ "type":"track" ,"event":"\xc3\xa9","userId":"u","properties":{"a" : 1.50}}'
    async with a_site(database=database) as (session, _):
        await _post(session, "/v1/track", body)
        await _post(session, "/v1/batch", b'{"batch":[' + body.replace(b'"u"', b'"v"') + b"]}")
    assert [r.raw for r in database.streams[0]] == [body, body.replace(b'"u"', b'"v"')]


async def test_a_batch_keeps_the_good_and_names_the_bad_by_index() -> None:
    database = MemoryDatabase()
    good = {"type": "page", "anonymousId": "b"}
    batch = [
        good,
        {"type": "track", "userId": "u"},
        good,
        {"type": "mail_opened", "visitor": "v", "send_id": "s"},
        {"type": "page"},
        {"type": "page", "userId": 2**64},
        {"type": "page", "userId": "u", "context": {"consent": {"categoryPreferences": 3}}},
        {"type": "page", "userId": "u", "properties": {"a": {"b": "x\0"}}},
        {"type": "page", "userId": "x" * 513},
        {"type": "page", "userId": "u", "timestamp": "yesterday"},
        {"type": "page", "userId": "u", "properties": {"x": "y" * 33_000}},
        "nothing",
        {"type": "track", "userId": "u", "event": ""},
        {"type": "alias", "userId": "u", "previousId": " "},
        {"type": "page", "userId": " ", "anonymousId": "\t"},
        good,
    ]
    async with a_site(database=database) as (session, gateway):
        answer = await _post(session, "/v1/batch", {"batch": batch})
        assert 'outcome="rejected"} 13.0' in gateway.metrics.text()
    assert answer["success"] is True
    fields = {each["index"]: each.get("field", "") for each in answer["rejected"]}
    assert fields == {
        1: "event",
        3: "type",
        4: "userId",
        5: "userId",
        6: "context.consent.categoryPreferences",
        7: "properties.a.b",
        8: "userId",
        9: "timestamp",
        10: "",
        11: "",
        12: "event",
        13: "previousId",
        14: "userId",
    }
    assert len(database.streams[0]) == 3


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"properties": []}, {"properties": {}}),
        ({"traits": []}, {"traits": {}}),
        ({"context": []}, {"context": {}}),
        ({"context": {"traits": []}}, {"context": {"traits": {}}}),
        ({"context": {"consent": []}}, {"context": {"consent": {}}}),
        ({"context": {"campaign": "x"}}, {"context": {}}),
        ({"context": {"campaign": ["x"]}}, {"context": {}}),
        ({"context": {"page": 5}}, {"context": {}}),
        ({"context": {"userAgent": 7, "locale": "de"}}, {"context": {"locale": "de"}}),
        ({"context": {"timezone": {}, "ip": 9}}, {"context": {"ip": 9}}),
        ({"context": {"location": True, "page": []}}, {"context": {"page": {}}}),
        (
            {"context": {"page": {"url": 3, "title": "é"}}, "properties": {"n": 1.5}},
            {"context": {"page": {"title": "é"}}, "properties": {"n": 1.5}},
        ),
    ],
)
@pytest.mark.parametrize("kind", ["identify", "page", "group"])
async def test_a_call_is_taken_without_the_fields_of_its_context_that_cannot_be_read(
    kind: str, sent: dict[str, Any], kept: dict[str, Any]
) -> None:
    """An empty object as PHP writes it is one; what is left out of the context costs nothing else."""
    database = MemoryDatabase()
    call = {"type": kind, "userId": "u", "groupId": "g"}
    async with a_site(database=database) as (session, _):
        assert await _post(session, f"/v1/{kind}", {**call, **sent}) == {"success": True}
        batch = [{**call, **sent, "userId": "v"}]
        assert await _post(session, "/v1/batch", {"batch": batch}) == {"success": True}
        assert await _post(session, "/v1/import", {"batch": batch}) == {"success": True}
    for record, user in zip(database.streams[0], "uvv", strict=True):
        if record.raw != json.dumps({**call, **sent, "userId": user}).encode():  # it was mended
            assert json.loads(record.raw) == {**call, **kept, "userId": user}
        assert decode_event(record.raw).user_id == user


async def test_a_batchs_empty_context_is_none_and_its_bad_fields_cost_no_call() -> None:
    database = MemoryDatabase()
    batch = [{"type": "page", "userId": "u", "context": []}]
    async with a_site(database=database) as (session, _):
        for context in ([], {"locale": "de", "page": 5}):
            answer = await _post(session, "/v1/batch", {"batch": batch, "context": context})
            assert answer == {"success": True}
    empty, other = (decode_event(record.raw).context for record in database.streams[0])
    assert empty.locale is None
    assert (other.locale, other.page) == ("de", None)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({"userId": {}, "context": []}, "userId"),
        ({"userId": "u", "event": 5, "context": {"page": 5}}, "event"),
        ({"userId": "u", "timestamp": 5, "properties": []}, "timestamp"),
        ({"userId": "u", "properties": "x"}, "properties"),
        ({"userId": "u", "properties": [1]}, "properties"),
        ({"userId": "u", "context": "x"}, "context"),
        ({"userId": "u", "context": 0}, "context"),
        ({"userId": "u", "context": {"consent": "no", "page": 5}}, "context.consent"),
    ],
)
async def test_what_a_call_stands_on_stays_refused_by_name(
    call: dict[str, Any], field: str
) -> None:
    """Who, what, when, and whether we may write: these are never left out."""
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        call = {"event": "e", **call}
        problem = await _post(session, "/v1/track", call, status=400)
        batch = {"batch": [{"type": "track", **call}], "context": {"locale": "de"}}
        answer = await _post(session, "/v1/batch", batch)
    assert problem["field"] == field
    assert [each["field"] for each in answer["rejected"]] == [field]
    assert not any(database.streams)


async def test_one_event_with_nan_or_a_lone_surrogate_does_not_cost_its_batch() -> None:
    """Python's json writes NaN, JavaScript's writes lone surrogates."""
    database = MemoryDatabase()
    body = (
        b'{"sentAt": "2017-06-01T12:00:00Z", "batch": [{"type":"page","userId":"\\ud83d"},'
        b'{"type":"page","userId":"u","properties":{"a":NaN}}, {"type":"page","userId":"u"}]}'
    )
    async with a_site(database=database) as (session, _):
        answer = await _post(session, "/v1/batch", body)
    assert [each["index"] for each in answer["rejected"]] == [0, 1]
    assert len(database.streams[0]) == 1


@pytest.mark.parametrize("beside", [b"1", b"NaN", b'"\xff"', b'"\\ud83d"', b"1e400"])
@pytest.mark.parametrize("sign", [b"\t", b"\n", b"\r", b"\0", b"\x1f"])
async def test_one_event_with_a_raw_control_character_does_not_cost_its_batch(
    sign: bytes, beside: bytes
) -> None:
    database = MemoryDatabase()
    good = b'{"type":"page","userId":"u"}'
    bad = b'{"type":"page","userId":"u","properties":{"a%b":"b%b","c":%b}}' % (sign, sign, beside)
    async with a_site(database=database) as (session, _):
        answer = await _post(session, "/v1/batch", b'{"batch": [%b, %b, %b]}' % (good, bad, good))
    [refused] = answer["rejected"]
    assert refused["index"] == 1
    assert "control character" in refused["reason"] or "UTF-8" in refused["reason"]
    assert [bytes(each.raw) for each in database.streams[0]] == [good, good]


async def test_a_batchs_context_goes_under_the_context_of_each_call() -> None:
    database = MemoryDatabase()
    items = [
        {"type": "page", "userId": "u", "context": {"locale": "de"}},
        {"type": "page", "userId": "v"},
    ]
    common = {"timezone": "Europe/Berlin", "locale": "en"}
    async with a_site(database=database) as (session, _):
        await _post(session, "/v1/batch", {"batch": items, "context": common})
    first, second = (decode_event(record.raw) for record in database.streams[0])
    assert (first.context.locale, first.context.timezone) == ("de", "Europe/Berlin")
    assert second.context.locale == "en"


async def test_a_context_that_makes_an_event_too_large_costs_that_event() -> None:
    database = MemoryDatabase()
    items = [{"type": "page", "userId": "u"}, {"type": "page", "userId": "v", "context": {"a": ""}}]
    common = {"a": "x" * 32_760}
    async with a_site(database=database) as (session, _):
        told = await _post(session, "/v1/batch", {"batch": items, "context": common})
    assert [each["index"] for each in told["rejected"]] == [0]
    assert "larger than" in told["rejected"][0]["reason"]
    assert len(database.streams[0]) == 1


async def test_a_context_that_makes_megabytes_of_a_small_batch_is_refused_before_it_is_copied() -> (
    None
):
    database = MemoryDatabase()
    body = {"batch": [{"type": "page", "userId": "u"}] * 2000, "context": {"a": "x" * 30_000}}
    async with a_site(database=database) as (session, _):
        told = await _post(session, "/v1/batch", body, status=413)
    assert "context" in str(told)
    assert not database.streams[0]


async def test_repeats_by_message_id_are_success_and_journaled_once() -> None:
    database = MemoryDatabase()
    call = {"type": "page", "userId": "u", "messageId": "m"}
    async with a_site(database=database) as (session, _):
        await _post(session, "/v1/batch", {"batch": [call, call]})
        assert await _post(session, "/v1/page", call) == {"success": True}
    assert len(database.streams[0]) == 1


async def test_the_time_is_corrected_by_sent_at_and_put_on_the_world_clock() -> None:
    database = MemoryDatabase()
    ages = {"3600": 1, "0": 0, "-50": 0, str(3 * 24 * 3600): 24}
    async with a_site(database=database) as (session, _):
        for seconds in ages:
            sent = NOON + timedelta(days=900)
            happened = sent - timedelta(seconds=int(seconds))
            batch = [{"type": "page", "userId": "u", "timestamp": happened.isoformat()}]
            await _post(session, "/v1/b", {"batch": batch, "sentAt": sent.isoformat()})
    ats = [record.at for record in database.streams[0]]
    assert ats == [NOON - timedelta(hours=hours) for hours in ages.values()]
    assert {record.received_at for record in database.streams[0]} == {NOON}


async def test_the_time_that_rudderstacks_libraries_send_is_taken_where_there_is_no_other() -> None:
    database = MemoryDatabase()
    sent = NOON + timedelta(days=900)
    early, late = ((sent - timedelta(hours=hours)).isoformat() for hours in (5, 2))
    page = {"type": "page", "userId": "u", "originalTimestamp": early}
    async with a_site(database=database) as (session, _):
        batch = [page, page | {"timestamp": late}]
        await _post(session, "/v1/batch", {"batch": batch, "sentAt": sent.isoformat()})
    ats = [record.at for record in database.streams[0]]
    assert ats == [NOON - timedelta(hours=5), NOON - timedelta(hours=2)]


async def test_an_import_keeps_its_times_and_refuses_the_worlds_future() -> None:
    database = MemoryDatabase()
    times = [
        "2016-01-01",
        "2017-06-01T12:00:00.000+02:00",
        "2017-06-01T12:00:00.001Z",
        "1969-12-31",
    ]
    batch = [{"type": "page", "userId": "u", "timestamp": time} for time in times]
    async with a_site(database=database) as (session, _):
        answer = await _post(session, "/v1/import", {"batch": batch})
    assert [each["index"] for each in answer["rejected"]] == [2, 3]
    assert [record.at.isoformat() for record in database.streams[0]] == [
        "2016-01-01T00:00:00+00:00",
        "2017-06-01T10:00:00+00:00",
    ]


async def test_all_events_of_one_browser_go_to_one_partition_whoever_it_is() -> None:
    database = MemoryDatabase()
    calls = [
        {"type": "page", "anonymousId": "b"},
        {"type": "identify", "anonymousId": "b", "userId": "u"},
        {"type": "identify", "userId": "", "traits": {"email": " Ann@Example.com "}},
        {"type": "page", "context": {"traits": {"email": "ann@example.com"}}},
        {"type": "page", "userId": 7},
    ]
    async with a_site(database=database) as (session, _):
        assert await _post(session, "/v1/batch", {"batch": calls}) == {"success": True}
    keys = [anonymous_key("b")] * 2 + [email_key("ann@example.com")] * 2 + [user_key("7")]
    wanted = [partition_of(visitor_id_for(key)) for key in keys]
    assert [record.partition for record in database.streams[0]] == wanted


async def test_a_browser_that_came_from_a_click_carries_its_visitor() -> None:
    database = MemoryDatabase()
    visitor = visitor_id_for("u:1")
    good = sign(SECRET, BrowserTag(visitor, NOON))
    forged = sign(b"another", BrowserTag(visitor, NOON))
    old = sign(SECRET, BrowserTag(visitor, NOON - timedelta(days=400)))
    async with a_site(database=database) as (session, _):
        for tag in (good, forged, old):
            page = {"url": f"https://shop.example/?a=b&mdma_v={tag}&c=d"}
            await _post(session, "/v1/page", {"anonymousId": tag[:9], "context": {"page": page}})
    assert [record.tagged for record in database.streams[0]] == [visitor, "", ""]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/plain", ""])
async def test_the_key_may_stand_in_the_body_and_the_type_may_be_a_beacons(
    content_type: str,
) -> None:
    async with a_site() as (session, _):
        body = json.dumps({"writeKey": KEY, "userId": "u"}).encode()
        headers = {"Content-Type": content_type} if content_type else {}
        async with session.post(
            "/v1/page", data=body, headers=headers, skip_auto_headers=("Content-Type",)
        ) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, None),
        ({}, "wrong"),
        ({}, 3),
        ({"Authorization": "Basic d3Jvbmc6"}, KEY),
        ({"Authorization": "Basic \xfc"}, KEY),
        ({"Authorization": f"Bearer {KEY}"}, None),
    ],
)
async def test_without_a_known_key_the_answer_is_401(headers: dict[str, str], key: Any) -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        body = {"userId": "u", **({} if key is None else {"writeKey": key})}
        async with session.post("/v1/page", json=body, headers=headers) as answer:
            assert answer.status == 401
            assert "WWW-Authenticate" in answer.headers
    assert not any(database.streams)


async def test_a_password_beside_the_key_is_ignored() -> None:
    async with a_site() as (session, _):
        import base64

        header = "basic " + base64.b64encode(f"{KEY}:password".encode()).decode()
        await _post(session, "/v1/page", {"userId": "u"}, Authorization=header)


@pytest.mark.parametrize(
    ("body", "headers", "status", "field"),
    [
        (b"{", {}, 400, ""),
        (b"", {}, 400, ""),
        (b"[]", {}, 400, ""),
        (b"\xff\xfe", {}, 400, ""),
        (b"{}", {}, 400, "userId"),
        (b'{"userId":"u","type":"track"}', {}, 400, "type"),
        (b'{"userId":"u","sentAt":"soon"}', {}, 400, "sentAt"),
        (b'{"userId":"u","sentAt":3}', {}, 400, "sentAt"),
        (b'{"userId":{}}', {}, 400, "userId"),
        (b'{"userId":"u","x":' + b"[" * 900 + b"]" * 900 + b"}", {}, 400, None),
        (b'{"userId":"u","x":' + b"[" * 40 + b"]" * 40 + b"}", {}, 400, None),
        (json.dumps({"userId": "u", **dict.fromkeys(map(str, range(1200)))}).encode(), {}, 400, ""),
        (b'{"userId":"u","x":1e999}', {}, 400, None),
        (b'{"userId":"u","a":"' + b"x" * 40_000 + b'"}', {}, 413, ""),
        (b'{"userId":"u"}', {"Content-Type": "application/xml"}, 415, "Content-Type"),
        (b'{"userId":"u"}', {"Content-Encoding": "br"}, 415, "Content-Encoding"),
        (b'{"userId":"u"}', {"Content-Encoding": "gzip"}, 400, ""),
        (_gzipped(b'{"userId":"u"}')[:-5], {"Content-Encoding": "gzip"}, 400, ""),
        (_gzipped(b" " * 50_000_000), {"Content-Encoding": "gzip"}, 413, ""),
        (_gzipped(b"") * 1000, {"Content-Encoding": "gzip"}, 400, ""),
    ],
)
async def test_what_cannot_be_read_is_named_and_never_a_500(
    body: bytes, headers: dict[str, str], status: int, field: str | None
) -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        problem = await _post(session, "/v1/page", body, status=status, **headers)
    assert problem["status"] == status
    assert problem["title"]
    if field is not None:
        assert problem.get("field", "") == field
    assert not any(database.streams)


async def test_a_gzip_body_is_taken_also_in_several_members() -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        body = gzip.compress(b'{"userId":') + gzip.compress(b'"u"}')
        await _post(session, "/v1/page", body, **{"Content-Encoding": "gzip"})
    assert len(database.streams[0]) == 1


async def test_a_batch_over_a_limit_is_413() -> None:
    async with a_site() as (session, _):
        item = {"type": "page", "userId": "u"}
        await _post(session, "/v1/batch", {"batch": [item] * 2501}, status=413)
        await _post(session, "/v1/batch", b" " * 600_000, status=413)
        assert await _post(session, "/v1/batch", {"batch": [item] * 2500}) == {"success": True}
        assert await _post(session, "/v1/batch", {"batch": []}) == {"success": True}


@pytest.mark.parametrize(
    "body", [b'{"type":"page","userId":"u"}', b"{}", b'{"batch":{}}', b'{"batch":1}']
)
async def test_what_has_no_list_of_calls_is_no_batch(body: bytes) -> None:
    """A 200 would tell the sender that a call was taken which nobody read."""
    async with a_site() as (session, _):
        await _post(session, "/v1/batch", body, status=400)


async def test_a_browser_may_ask_whether_it_may_post() -> None:
    async with a_site() as (session, _), session.options("/v1/track") as answer:
        assert answer.status == 204
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_journal_that_does_not_answer_is_503_with_retry_after() -> None:
    journal = FailingJournal(database := MemoryDatabase(), before=10_000)
    async with a_site(journal=journal) as (session, _):
        async with session.post(
            "/v1/page", json={"userId": "u", "messageId": "m"}, headers=AUTH
        ) as answer:
            assert answer.status == 503
            assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"
            assert int(answer.headers["Retry-After"]) >= 1
        assert not any(database.streams)
        journal.before = 0
        await _post(session, "/v1/page", {"userId": "u", "messageId": "m"})
    assert sum(len(stream) for stream in database.streams) == 1


async def test_unknown_paths_and_methods_are_problems_too() -> None:
    async with a_site() as (session, _):
        async with session.get("/nothing/here") as answer:
            assert (answer.status, answer.content_type) == (404, "application/problem+json")
        async with session.get("/v1/track") as answer:
            assert (answer.status, answer.content_type) == (405, "application/problem+json")
            assert "POST" in answer.headers["Allow"]


async def test_a_slow_body_and_a_slow_head_are_ended() -> None:
    limits = Limits(body_seconds_max=0.1, head_seconds_max=0.1)
    async with a_site(limits=limits) as (session, _):
        port = session._base_url.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        auth = AUTH["Authorization"]
        writer.write(
            f"POST /v1/page HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n"
            "Content-Length: 99\r\n\r\n{".encode()
        )
        assert b"408" in await asyncio.wait_for(reader.readline(), 5)
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.02)
        writer.write(b"POST /v1/page HTTP/1.1\r\nHost:")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


def test_a_head_that_stops_at_once_is_ended_too() -> None:
    """In uvloop, which bots and gateways run in, the first bytes come before aiohttp waits for any."""

    def opened(port: int, data: bytes) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", port))
        made.send(data)
        made.settimeout(0.05)
        return made

    async def ask() -> None:
        async with a_site(limits=Limits(head_seconds_max=0.1)) as (session, _):
            port = session._base_url.port
            halves = [opened(port, b"POST /v1/page HTTP/1.1\r\nHost:") for _ in range(20)]
            whole = opened(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(0.5)
            assert [each.recv(100) for each in halves] == [b""] * 20
            assert whole.recv(4096).startswith(b"HTTP/1.1 200")
            with pytest.raises(TimeoutError):
                whole.recv(1)  # it stays open for another request
            for each in [*halves, whole]:
                each.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ask())


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/v1/track"), ("POST", "/v1/nope"), ("POST", "/nope"), ("POST", "/console/nope")],
)
async def test_what_is_sent_to_an_address_that_there_is_not_is_not_kept(
    method: str, path: str
) -> None:
    """A cycle would hold each body until the next collection, of which there are few."""
    async with a_site() as (session, _):
        body = b"x" * 60_000
        gc.collect()
        gc.disable()
        try:
            before = sum(isinstance(each, web.BaseRequest) for each in gc.get_objects())
            for _ in range(5):
                async with session.request(method, path, data=io.BytesIO(body)) as answer:
                    assert answer.status in (404, 405)
                    await answer.read()
            after = sum(isinstance(each, web.BaseRequest) for each in gc.get_objects())
        finally:
            gc.enable()
        assert after - before <= 1, "of the last one the connection may still have the end"


async def test_over_the_cap_a_connection_is_told_to_come_back() -> None:
    async with a_site(limits=Limits(connections_max=1)) as (session, _):
        port = session._base_url.port
        first = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After" in answer
        writer.close()
        first[1].close()


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "application/octet-stream", "text/plain", ""]
)
async def test_a_batch_is_taken_whatever_its_library_calls_it(kind: str) -> None:
    """RudderStack's library for Node packs a batch itself, and its HTTP client calls that a form."""
    database = MemoryDatabase()
    body = gzip.compress(b'{"batch":[{"type":"track","event":"Seen","userId":"u"}]}')
    async with a_site(database=database) as (session, _):
        headers = {"Content-Encoding": "gzip", "Content-Type": kind}
        async with session.post("/v1/batch", data=body, headers={**AUTH, **headers}) as answer:
            assert (answer.status, await answer.json()) == (200, {"success": True})
    assert len(database.streams[0]) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/v1/stats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret-token\x01\r\n\r\n",
        b"GET /api/v1/stats HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer s3cret-token\r\n\r\n",
        b"GET /o/s3cret-token?a=b " + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: s3cret-token\r\n\r\n",
    ],
    ids=["control character", "blank before the colon", "long line", "length"],
)
async def test_what_is_no_http_is_a_problem_and_its_bytes_are_repeated_nowhere(
    head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        async with a_site() as (session, _):
            url = session._base_url
            assert url is not None
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(head)
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
    first, _, body = answer.partition(b"\r\n\r\n")
    assert first.split()[1] == b"400"
    assert b"application/problem+json" in first
    assert json.loads(body)["status"] == 400
    assert any(line["event"] == "request.unreadable" for line in lines)
    for said in (answer.decode(), caplog.text, str(lines)):
        assert "s3cret" not in said
