"""The OpenAPI document against every route there is: each answer has the shape it says, each parameter is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator

from agents.runtime.views import PUBLISHED
from messaging.gateway.console.trials import SIMULATE, TRY, SimulateOrder, TryOrder
from messaging.gateway.openapi import document
from messaging.gateway.route import SESSION, SIGNED, WRITE_KEY, Route
from messaging.gateway.routes import all_routes
from messaging.gateway.shapes import NOT_DATED
from messaging.ports import Store
from scripts.desk import ConsoleDesk
from scripts.trials import StoredTrials, TrialWork
from tests.alert_builders import rows_of_learning_taken_back
from tests.console_builders import PARTS, a_console, lived_in, log_in
from tests.gateway_builders import ADMIN, KEY, StillClock
from tests.integration.test_console_trials import Runner, a_told, a_told_one
from tests.integration.test_gateway_hooks import SECRETS, an_event, signed
from tests.integration.test_gateway_strategy import Exporter
from tests.quarantine_builders import put_aside
from tests.unit.test_mail_reports import a_complaint
from tests.unit.test_readers import a_filling

DOCUMENT = document(all_routes())
JSON_ROUTES = [r for r in all_routes() if "application/json" in r.answers.values()]
PATH, COHORT, TEMPLATE = "lead-to-customer", "addressable-lead", "invite-hello"

LEARNED = "next_best/lead/invited"
"""A policy that was taken back."""

SAID_EVERYWHERE = frozenset({"said", "key"})
"""Parameters that each page reads: what it is to say, and the viewing key."""

EDIT = {"base": 1, "file": "cohorts.yaml", "text": "cohorts: {}\n"}
CALL = {"event": "Lead", "userId": "u", "previousId": "p", "groupId": "g", "writeKey": KEY}
TRACK = {"type": "track", "event": "Lead", "userId": "u"}
BODIES: dict[str, Any] = {
    "POST /api/v1/alerts/{id}/{action}": {"by": "kim"},
    "POST /api/v1/learning/resume": {"policy": LEARNED},
    "POST /api/v1/learning/evaluate": {"policy": LEARNED, "against": {"hello": 1.0}},
    "POST /api/v1/paths/{id}/enter": {"people": ["person-21"], "request": "r"},
    "POST /api/v1/rules": EDIT,
    "POST /api/v1/rules/check": EDIT,
    "POST /api/v1/rules/matching": EDIT,
    "POST /api/v1/rules/{id}/publish": {"instead_of": 1, "runs": "migrate"},
    "POST /api/v1/templates/{id}/preview": {
        "base": 1,
        "text": "subject: A draft\ntext: |\n  Words.\nhtml: <p>Words.</p>\n",
    },
    "POST /api/v1/templates/{id}/test": {"to": "ann@example.com"},
    "POST /api/v1/tries": {"days": 3, "visitor": "person-21"},
    "POST /api/v1/simulations": {"days": 3},
    "POST /api/v1/lists/{id}/{action}": {"people": ["person-21", "x@"], "request": "r"},
    "POST /api/v1/broadcasts": {"template": TEMPLATE, "cohort": COHORT, "request": "r"},
    "POST /api/v1/reports": {"reports": [{"send": "unknown", "kind": "bounced"}]},
    "POST /api/v1/imports": {"files": ["a.csv"], "bases": ["contract"], "calls": 3},
    "POST /v1/batch": {"writeKey": KEY, "batch": [TRACK, {}]},
    "POST /v1/b": {"writeKey": KEY, "batch": [TRACK]},
    "POST /v1/import": {"writeKey": KEY, "batch": [TRACK]},
}
NOT_ASKED = {
    "POST /v1/engagements/{id}/{response}": "an engagement must stand open: see test_engagements",
    "POST /api/v1/paths/{id}/enter": "the shipped path is not open to the API: see test_entering",
    "POST /api/v1/templates/{id}/test": "a mail server must take it: see test_console_templates",
    "POST /hooks/shopify": "answers as the one beside it does",
}
"""Routes whose answer needs more than stands here -> where they are asked."""


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def closed(schema: Any) -> Any:
    """Return a schema in which an object has no fields but those that are named."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(each) for name, each in schema.items()}
    is_object = found.get("type") == "object" and isinstance(found.get("properties"), dict)
    return {"additionalProperties": False, **found} if is_object else found


def check(route: Route, told: Any) -> None:
    """Raise where an answer has not the shape that the document gives its route."""
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    status = str(next(iter(route.answers)))
    shape = operation["responses"][status]["content"]["application/json"]["schema"]
    whole = {**closed(shape), "components": closed(DOCUMENT["components"])}
    wrong = [
        f"{'/'.join(map(str, each.absolute_path))}: {each.message[:300]}"
        for each in Draft202012Validator(whole).iter_errors(told)
    ]
    assert wrong == [], named(route)


async def furnish(store: Store, now: Any) -> dict[str, str]:
    """Put a row of everything into a store; return what names it in addresses."""
    [visitor] = await store.visitors("behavior", "", 1)
    [alert] = await store.rows("alerts", {"status": "open"}, limit=1)
    trials, ids = StoredTrials(store), {}
    for name, kind, order, result in (
        ("one", TRY, TryOrder(visitor=visitor), a_told_one()),
        ("tries", TRY, TryOrder(), a_told(visitor)),
        ("simulations", SIMULATE, SimulateOrder(), {}),
    ):
        ids[name] = await trials.ask(kind, order, "kim", now)
        await TrialWork(trials, store, Runner(result), StillClock()).look()
    row = {"broadcast": "b", "visitor": visitor, "status": "planned", "at": now, "until": now}
    row |= {"reason": "cap", "cap": {"channel": "email", "count": 4, "hours": 336}}
    await store.put_document("recipients", "b:1", row)
    row = {"visitor": visitor, "at": now, "path": PATH, "run": "1", "step": "tell", "tries": 0}
    row |= {"url": "https://crm.example/", "status": "waiting", "reason": "", "data": {}}
    await store.put_document("webhooks", "w", row)
    row = {"list": "vip", "visitor": visitor, "status": "on", "at": now}
    await store.put_document("list_members", "vip:1", row)
    row = {"visitor": visitor, "at": now, "alert": alert["id"], "channel": "mail"}
    await store.put_document("deliveries", "d", row | {"status": "waiting", "tries": 0})
    await store.suppress("0" * 64, "unsubscribed", now)
    ids["drop"], ids["replay"] = [
        await put_aside(store, visitor, now, position) for position in (1, 2)
    ]
    erasure = {"status": "asked", "visitors": [visitor], "at": now}
    await store.put_document("erasures", "0a", erasure)
    for taken in rows_of_learning_taken_back(LEARNED, now):
        await store.put_document(taken.table, taken.id, taken.fields)
    published = await store.get_document(*PUBLISHED) or {}
    await store.put_document("fillings", str(published["number"]), a_filling())
    return ids | {"alert": alert["id"], "visitor": visitor}


def address_of(route: Route, ids: Mapping[str, str]) -> str:
    """Return the address at which a route is asked."""
    kind = route.path.removeprefix("/api/v1/").removeprefix("/console/").partition("/")[0]
    id_ = {
        "visitors": ids["visitor"],
        "erasures": "0a",
        "cohorts": COHORT,
        "paths": PATH,
        "routines": PATH,
        "alerts": ids["alert"],
        "rules": "1",
        "templates": TEMPLATE,
        "tries": ids["tries"],
        "simulations": ids["simulations"],
        "try": ids["tries"],
        "simulate": ids["simulations"],
        "lists": "vip",
        "broadcasts": ids.get("broadcast", ""),
    }.get(kind, "")
    if kind == "quarantine":
        id_ = ids.get(route.path.rpartition("/")[2], ids["drop"])
    action = {"alerts": "close", "lists": "add"}.get(kind, "")
    path = route.path
    for name, value in (("id", id_), ("stage", "invited"), ("action", action), ("other", "1")):
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


async def asked(session: Any, route: Route, path: str) -> tuple[int, Any]:
    """Ask a route; return status and answer."""
    given: dict[str, Any] = {"headers": ADMIN}
    if route.access == WRITE_KEY:
        given = {"json": BODIES.get(named(route), CALL)}
        if route.method == "GET":
            given = {"params": {"visitor": "browser-21", "writeKey": KEY}}
    elif route.access == SIGNED:
        given = {"data": an_event(), "headers": signed(an_event())}
    elif named(route) == "POST /api/v1/replay":
        given |= {"data": b'{"at": "2026-05-01T00:00:00Z", "call": {}}'}
        given["headers"] = {**ADMIN, "Content-Type": "application/x-ndjson"}
    elif named(route) == "POST /api/v1/reports/mail":
        given |= {"data": a_complaint("not-spam")}
        given["headers"] = {**ADMIN, "Content-Type": "message/rfc822"}
    elif body := BODIES.get(named(route)):
        given["json"] = body
    async with session.request(route.method, path, **given) as answer:
        return answer.status, await answer.json(content_type=None)


@pytest.fixture
async def site() -> Any:
    """Serve a console in which there is one of everything; give the session, its store and the ids."""
    store, now = await lived_in()
    ids = await furnish(store, now)
    clock = StillClock(now)
    desk = ConsoleDesk(store, lambda: PARTS, clock, exporter=Exporter('{"format": 1}'))
    async with a_console(store, now, desk=desk, hook_secrets=SECRETS) as (session, _):
        made = {**BODIES["POST /api/v1/broadcasts"], "request": "first"}
        async with session.post("/api/v1/broadcasts", headers=ADMIN, json=made) as answer:
            ids["broadcast"] = (await answer.json())["id"]
        yield session, ids


def in_order(routes: list[Route]) -> list[Route]:
    """Return routes so that what is asked of one does not take another's answer away: what changes comes last."""
    last = ("DELETE", "/cancel", "/unarchive", "/resume", "/publish")
    return sorted(routes, key=lambda r: (r.method != "GET", named(r).endswith(last), r.path))


async def test_every_answer_has_the_shape_that_the_document_says(site: Any) -> None:
    session, ids = site
    for route in in_order(JSON_ROUTES):
        if named(route) in NOT_ASKED:
            assert route.shows, named(route)
            continue
        path = address_of(route, ids)
        status, told = await asked(session, route, path)
        if path.endswith("/unarchive"):
            archive = path.replace("/unarchive", "/archive")
            async with session.post(archive, headers=ADMIN) as answer:
                assert answer.status == 200
            status, told = await asked(session, route, path)
        if path.endswith("/cancel") and "broadcasts" not in path:
            assert status == 409, "it is done: what ends one is asked in test_console_trials"
            continue
        assert status in route.answers, (named(route), told)
        check(route, told)


NO_NUMBERS = {
    "GET /console/login": "a form",
    "GET /console/rules/edit": "a file of rules; who matches an edit says of when it is",
    "GET /console/visitors/{id}/erase": "a question",
    "GET /console/erasures/{receipt}": "says how far the erasure is at this moment",
    "GET /console/templates/{name}/body": "the e-mail itself",
    "GET /console/static/{file}": "a file",
    "GET /console/routines": "leads on to the first path",
    "GET /console": "leads on",
}
"""Pages on which nobody and nothing is counted -> what they are."""


async def test_whatever_is_counted_says_as_of_when(site: Any) -> None:
    session, ids = site
    undated = []
    for route in JSON_ROUTES:
        if route.method == "GET" and route.path.startswith("/api/v1/"):
            _, told = await asked(session, route, address_of(route, ids))
            if "as_of" not in told and route.path.removeprefix("/api/v1/") not in NOT_DATED:
                undated.append(named(route))
    await log_in(session)
    pages = [r for r in all_routes() if r.method == "GET" and r.path.startswith("/console")]
    for route in pages:
        if named(route) in NO_NUMBERS:
            continue
        path = address_of(route, ids).replace("{path}", PATH).replace("{name}", TEMPLATE)
        async with session.get(path.replace("{version}", "1")) as answer:
            html = await answer.text()
            assert answer.status == 200, named(route)
        if not re.search("[Aa]s of ([A-Z][a-z]{2} [0-9]|[0-9]{4}-)", html):
            undated.append(named(route))
    assert undated == []


async def test_what_a_trial_of_one_visitor_came_to_has_its_shape(site: Any) -> None:
    session, ids = site
    [route] = [r for r in JSON_ROUTES if named(r) == "GET /api/v1/tries/{id}"]
    _, told = await asked(session, route, f"/api/v1/tries/{ids['one']}")
    assert told["one"]["steps"]
    check(route, told)


def test_a_shape_that_is_not_true_is_found() -> None:
    """The checks above can fail: at what is lacking, is too much, or is of another type."""
    [route] = [r for r in JSON_ROUTES if named(r) == "GET /api/v1/lists"]
    good = {"as_of": "2026-01-01T00:00:00Z", "lists": [{"name": "vip", "people": 1}], "after": None}
    check(route, good)
    for wrong in ({"after": 1}, {"more": 1}, {"lists": [{"name": "vip"}]}):
        with pytest.raises(AssertionError):
            check(route, good | wrong)


def test_every_route_that_answers_json_says_what() -> None:
    assert [named(route) for route in JSON_ROUTES if not route.shows] == []


class Watched(Mapping[str, str]):
    """Hold a query, and note which of its parameters are asked for."""

    def __init__(self, query: Mapping[str, str], names: set[str]) -> None:
        self._query = query
        self._names = names

    def __getitem__(self, name: str) -> str:
        self._names.add(name)
        return self._query[name]

    def __contains__(self, name: object) -> bool:
        self._names.add(str(name))
        return name in self._query

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("whoever reads all of a query reads what the document does not name")

    def __len__(self) -> int:
        return len(self._query)


async def test_every_parameter_that_is_read_is_in_the_document_and_the_reverse(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, ids = site
    read: dict[str, set[str]] = {}
    unlike: dict[str, tuple[set[str], set[str]]] = {}
    query = web.BaseRequest.query

    def watched(request: web.Request) -> Watched:
        resource = request.match_info.route.resource
        names = read.setdefault(f"{request.method} {resource.canonical}", set())
        return Watched(query.wrapped(request), names)

    monkeypatch.setattr(web.BaseRequest, "query", property(watched))
    await log_in(session)
    routes = [r for r in all_routes() if r.method == "GET" and r.group != "pages"]
    for route in routes:
        path = address_of(route, ids).replace("{path}", PATH).replace("{name}", TEMPLATE)
        path = path.replace("{version}", "1").replace("{file}", "x").replace("{receipt}", "0a")
        given: dict[str, Any] = {} if route.access == SESSION else {"headers": ADMIN}
        if route.access == WRITE_KEY:
            given = {"params": {"visitor": "browser-21", "writeKey": KEY}}
        async with session.get(path, allow_redirects=False, **given) as answer:
            await answer.read()
        assert answer.status < 500, named(route)
        told = set(route.query) - SAID_EVERYWHERE
        if (found := read.get(named(route), set()) - SAID_EVERYWHERE) != told:
            unlike[named(route)] = (found, told)
    assert unlike == {}, "route: (what it reads, what the document says)"
