"""The admin API over a real socket: who may ask, what is shown, alerts, pause, health, documentation."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from messaging.gateway.limits import Limits
from messaging.gateway.route import ADMIN as ADMIN_ACCESS
from messaging.gateway.routes import all_routes
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.effects import UNCERTAIN_SUCCESS
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.events import AlertSettled, decode_event
from messaging.vocabulary.ids import policy_key, visitor_id_for
from tests.gateway_builders import A_TEST, ADMIN, NOON, FailingJournal, FakeReader, a_site, until

AS_OF = "2017-06-01T12:00:00Z"
VISITOR = visitor_id_for("u:1")


async def _ask(
    session, path: str, *, status: int = 200, method: str = "GET", body: Any = None
) -> Any:
    given = {} if body is None else {"json": body}
    async with session.request(method, path, headers=ADMIN, **given) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json(content_type=None)


def _alert(database: MemoryDatabase, status: str = "open") -> None:
    row = {
        "visitor": VISITOR,
        "path": "lead",
        "run": "1",
        "status": status,
        "at": NOON,
        "kind": "x",
    }
    database.tables.setdefault("alerts", {})["a1"] = row


@pytest.mark.parametrize("route", [r for r in all_routes() if r.access == ADMIN_ACCESS])
async def test_every_admin_route_asks_for_the_token_first(route) -> None:
    path = route.path
    for name, value in {"id": "ann", "action": "close", "stage": "a", "other": "1"}.items():
        path = path.replace(f"{{{name}}}", value)
    async with a_site() as (session, _):
        for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": "Bearer \xff"}):
            async with session.request(route.method, path, headers=headers) as answer:
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_who_stands_at_a_stage_is_listed() -> None:
    async with a_site() as (session, _):
        page = await _ask(session, "/api/v1/paths/lead/stages/invited/visitors?limit=1")
        assert (page["count"], page["visitors"]) == (1, [{"visitor_id": "0a" * 12}])
        after = f"after={page['after']}"
        last = await _ask(session, f"/api/v1/paths/lead/stages/invited/visitors?{after}")
        assert (last["visitors"], last["after"]) == ([], None)
        for unknown in ("paths/lead/stages/x/visitors", "paths/x/stages/invited/visitors"):
            async with session.get(f"/api/v1/{unknown}", headers=ADMIN) as answer:
                assert answer.status == 404


async def test_a_visitor_and_their_story_are_shown() -> None:
    async with a_site() as (session, _):
        assert (await _ask(session, "/api/v1/visitors/ann"))["visitor_id"] == "0a" * 12
        assert await _ask(session, "/api/v1/visitors/ann/timeline") == {
            "as_of": AS_OF,
            "timeline": [{"kind": "run.entered", "at": "2017-06-01T12:00:00Z"}],
        }
        page = await _ask(session, "/api/v1/visitors?limit=5")
        assert page["after"] == "0a" * 12
        assert (await _ask(session, f"/api/v1/visitors?after={page['after']}"))["visitors"] == []
        problem = await _ask(session, "/api/v1/visitors/bob%40example.com", status=404)
        assert problem["title"] == "Not Found"
        assert "bob" not in str(problem)


async def test_tables_are_shown_by_equality_of_named_fields() -> None:
    database = MemoryDatabase()
    rows = {
        str(n): {"visitor": "v", "status": "handed over" if n else "x", "at": NOON}
        for n in range(3)
    }
    database.tables["sends"] = rows
    async with a_site(database=database) as (session, _):
        assert len((await _ask(session, "/api/v1/sends"))["sends"]) == 3
        found = await _ask(session, "/api/v1/sends?status=handed+over&limit=1")
        assert [row["status"] for row in found["sends"]] == ["handed over"]
        assert await _ask(session, "/api/v1/decisions") == {
            "as_of": AS_OF,
            "decisions": [],
            "after": None,
        }
        assert (await _ask(session, "/api/v1/policies"))["policies"] == []
        assert await _ask(session, "/api/v1/experiments") == {
            "as_of": AS_OF,
            "experiments": [{**A_TEST, "as_of": AS_OF}],
            "after": None,
        }


OF_VISITORS = ["alerts", "notices", "sends", "engagements", "decisions", "audit-log"]


@pytest.mark.parametrize("table", [*OF_VISITORS, "webhooks", "recipients"])
async def test_a_table_is_narrowed_to_a_visitor_and_who_was_merged_into_them(table: str) -> None:
    """By any id that `visitors/{id}` takes, page by page, the newest first; beside the other filters."""
    database = MemoryDatabase()
    of = {"notices": "deliveries", "audit-log": "audit_log"}.get(table, table)
    who = ["0a" * 12, "0b" * 12, "0c" * 12, ""]
    database.tables[of] = {
        str(n): {"visitor": who[n % 4], "at": NOON + timedelta(minutes=n), "path": "a"}
        for n in range(12)
    }
    async with a_site(database=database) as (session, _):
        for id_ in ("ann", "0a" * 12, "0b" * 12):
            found, place = [], ""
            while place is not None:
                page = await _ask(session, f"/api/v1/{table}?visitor={id_}&limit=2{place}")
                found += [row["id"] for row in page[table]]
                place = page["after"] and f"&after={quote(page['after'])}"
            assert found == ["9", "8", "5", "4", "1", "0"]
        if table in ("alerts", "sends", "decisions"):
            page = await _ask(session, f"/api/v1/{table}?visitor=ann&path=b")
            assert page[table] == []
        problem = await _ask(session, f"/api/v1/{table}?visitor=bob%40example.com", status=404)
        assert "bob" not in str(problem)
    [route] = [each for each in all_routes() if each.path == f"/api/v1/{table}"]
    assert 404 in route.problems


NOTHING_BEHIND = {
    f"/api/v1/{name}" for name in ("rules", "templates", "tries", "simulations", "lists/lead")
}
"""What a site without rules and people behind it has none of, once all that was asked can be read."""


@pytest.mark.parametrize("route", [r for r in all_routes() if "limit" in r.query])
async def test_a_bad_value_in_the_query_of_a_list_is_a_422_that_says_what_is_allowed(
    route: Any,
) -> None:
    limits = ["", "0", "00", "-1", "x", "1.5", "1001", "9999999", "%00", "%C2%B2"]
    texts = ["%00", "a%00b", "x" * 513]
    where = route.path.replace("{id}", "lead").replace("{stage}", "invited")
    async with a_site() as (session, _):
        for name in route.query:
            for value in limits if name == "limit" else texts:
                path = f"{where}?{name}={value}"
                problem = await _ask(session, path, status=422)
                assert problem["field"] == name
                assert problem["detail"].startswith(name)
                allowed = "1 to 1000" if name == "limit" else "512"
                assert route.values.get(name, (allowed,))[0] in problem["detail"]
            good = {"limit": "1000", "after": "2017-06-01T12:00:00%2B00:00~x"}.get(name, "ann")
            good = route.values.get(name, (good,))[0]
            # A table goes on only where it is narrowed.
            narrow = [each for each in route.query if each not in ("after", "limit")][:1]
            more = "".join(
                f"&{each}={route.values.get(each, ('ann',))[0]}"
                for each in narrow
                if name == "after"
            )
            status = 200
            if where in NOTHING_BEHIND:
                status = 404
            elif (where, name) == ("/api/v1/experiments", "after"):
                status = (
                    422  # a list that is no list by time goes on after one of its own rows alone
                )
            await _ask(session, f"{where}?{name}={good}{more}", status=status)


@pytest.mark.parametrize("action", ["resume", "change", "close"])
async def test_an_alert_is_settled_once_and_durably(action: str) -> None:
    database = MemoryDatabase()
    _alert(database)
    async with a_site(database=database) as (session, _):
        path = f"/api/v1/alerts/a1/{action}"
        body = {"stage": "opened", "by": "kim"} if action == "change" else {}
        assert (await _ask(session, path, method="POST", body=body))["success"] is True
        await _ask(session, path, method="POST", body=body, status=409)
    [record] = database.streams[0]
    event = decode_event(record.raw)
    assert isinstance(event, AlertSettled)
    assert (event.visitor, event.alert_id, event.action) == (VISITOR, "a1", action)
    assert (event.path, event.run, event.stage) == ("lead", "1", body.get("stage", ""))


async def test_who_decides_otherwise_a_moment_too_late_is_told_what_became_of_the_alert() -> None:
    database = MemoryDatabase()
    _alert(database)
    async with a_site(database=database, limits=Limits(settle_seconds_max=5.0)) as (session, _):
        late = asyncio.create_task(
            _ask(session, "/api/v1/alerts/a1/close", method="POST", status=409)
        )
        await until(lambda: bool(database.streams and database.streams[0]))
        database.tables["alerts"]["a1"] |= {"status": "resumed", "stage": ""}
        assert "resumed: somebody else was first" in (await late)["detail"]


async def test_who_resumes_a_moment_after_the_purchase_is_told_that_nobody_was_first() -> None:
    database = MemoryDatabase()
    _alert(database)
    async with a_site(database=database, limits=Limits(settle_seconds_max=5.0)) as (session, _):
        path = "/api/v1/alerts/a1/resume"
        late = asyncio.create_task(_ask(session, path, method="POST", status=409))
        await until(lambda: bool(database.streams and database.streams[0]))
        database.tables["alerts"]["a1"] |= {"status": "closed", "by": "goal"}
        assert "closed by itself: the goal was reached" in (await late)["detail"]


async def test_who_changes_to_another_stage_a_moment_too_late_is_told_where_it_went() -> None:
    database = MemoryDatabase()
    _alert(database)
    async with a_site(database=database, limits=Limits(settle_seconds_max=5.0)) as (session, _):
        path, body = "/api/v1/alerts/a1/change", {"stage": "opened"}
        late = asyncio.create_task(_ask(session, path, method="POST", body=body, status=409))
        await until(lambda: bool(database.streams and database.streams[0]))
        database.tables["alerts"]["a1"] |= {"status": "changed", "stage": "invited"}
        assert "changed to invited: somebody else was first" in (await late)["detail"]


async def test_an_alert_about_one_email_can_only_be_closed_and_its_bot_hears_of_it() -> None:
    database = MemoryDatabase()
    _alert(database)
    database.tables["alerts"]["a1"]["kind"] = UNCERTAIN_SUCCESS
    async with a_site(database=database) as (session, _):
        problem = await _ask(session, "/api/v1/alerts/a1/resume", method="POST", status=422)
        assert "only be closed" in problem["detail"]
        await _ask(session, "/api/v1/alerts/a1/close", method="POST")
    event = decode_event(database.streams[0][0].raw)
    assert isinstance(event, AlertSettled)
    assert event.kind == UNCERTAIN_SUCCESS


@pytest.mark.parametrize("action", ["resume", "change"])
async def test_an_alert_about_a_split_test_can_only_be_closed_and_the_learner_hears_of_it(
    action: str,
) -> None:
    database = MemoryDatabase()
    _alert(database)
    policy = "split_test/lead/invited/words/5f1"
    database.tables["alerts"]["a1"] |= {"visitor": "", "run": "", "policy": policy}
    async with a_site(database=database) as (session, _):
        body = {"stage": "opened"} if action == "change" else {}
        path = f"/api/v1/alerts/a1/{action}"
        problem = await _ask(session, path, method="POST", body=body, status=409)
        assert "it can only be closed" in problem["detail"]
        closing = {"by": "kim"}
        await _ask(session, "/api/v1/alerts/a1/close", method="POST", body=closing)
        await _ask(session, "/api/v1/alerts/a1/close", method="POST", body=closing, status=409)
    [record] = database.streams[0]
    event = decode_event(record.raw)
    assert isinstance(event, AlertSettled)
    assert (event.visitor, event.policy) == (policy_key(policy), policy)
    assert (event.alert_id, event.action, event.by) == ("a1", "close", "kim")
    [row] = database.tables["audit_log"].values()
    assert (row["act"], row["visitor"], row["said"]) == ("alert.closed", "", "path lead, x")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("pause", {"pth": "lead"}, 400),
        ("resume", {"pth": "lead"}, 400),
        ("alerts/a1/close", {"stag": "opened"}, 400),
        ("alerts/a1/close", {"by": "k" * 101}, 400),
        ("alerts/a1/close", {"by": "kim\x1b[31m"}, 400),
        ("alerts/a1/close", {"by": "kim\n"}, 400),
        ("alerts/a1/resume", {"stage": "nowhere"}, 422),
    ],
)
async def test_an_order_that_is_misspelt_does_nothing(path, body, status) -> None:
    database = MemoryDatabase()
    _alert(database)
    async with a_site(database=database) as (session, _):
        before = await _ask(session, "/api/v1/stats")
        await _ask(session, f"/api/v1/{path}", method="POST", body=body, status=status)
        assert await _ask(session, "/api/v1/stats") == before
    assert not any(database.streams)
    assert not database.tables.get("control")


async def test_what_is_no_open_alert_cannot_be_settled() -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        await _ask(session, "/api/v1/alerts/none/close", method="POST", status=404)
        _alert(database, "closed")
        await _ask(session, "/api/v1/alerts/a1/resume", method="POST", status=409)
        _alert(database)
        await _ask(session, "/api/v1/alerts/a1/love", method="POST", status=404)
        problem = await _ask(session, "/api/v1/alerts/a1/change", method="POST", status=400)
        assert problem["field"] == "stage"
        body = {"stage": 3}
        problem = await _ask(
            session, "/api/v1/alerts/a1/change", method="POST", body=body, status=400
        )
        assert problem["field"] == "stage"
        body = {"stage": "nowhere"}
        problem = await _ask(
            session, "/api/v1/alerts/a1/change", method="POST", body=body, status=422
        )
        assert problem["field"] == "stage"
        assert "opened" in problem["detail"]
    assert not any(database.streams)


async def test_who_may_not_be_written_to_is_not_resumed_for_nothing() -> None:
    """A new run would end at once, and the alert that called a person would be gone."""
    database = MemoryDatabase()
    _alert(database)
    async with a_site(database=database, reader=FakeReader("their address bounced")) as (
        session,
        _,
    ):
        for action, body in (("resume", {}), ("change", {"stage": "opened"})):
            path = f"/api/v1/alerts/a1/{action}"
            problem = await _ask(session, path, method="POST", body=body, status=409)
            assert problem["detail"].startswith("their address bounced")
        assert not any(database.streams), "nothing was decided"
        await _ask(session, "/api/v1/alerts/a1/close", method="POST")


async def test_of_two_who_pause_at_once_both_are_heard() -> None:
    database = MemoryDatabase()
    async with a_site(database=database) as (session, _):
        orders = [{"path": "a"}, {"path": "b"}, {}, {"path": "lead"}]
        asked = (_ask(session, "/api/v1/pause", method="POST", body=each) for each in orders)
        await asyncio.gather(*asked)
        found = await MemoryStore(database).get_document("control", "pause")
        assert found is not None
        assert found["paths"] == "all"


async def test_pause_and_resume_keep_the_list_of_paths() -> None:
    database = MemoryDatabase()

    async def paused() -> Any:
        found = await MemoryStore(database).get_document("control", "pause")
        return found["paths"]

    async with a_site(database=database) as (session, _):
        for path in ("b", "a", "a"):
            await _ask(session, "/api/v1/pause", method="POST", body={"path": path})
        assert await paused() == ["a", "b"]
        for order in ("pause", "resume"):
            body = {"path": "typo"}
            problem = await _ask(session, f"/api/v1/{order}", method="POST", body=body, status=422)
            assert problem["field"] == "path"
        assert await paused() == ["a", "b"]
        await _ask(session, "/api/v1/resume", method="POST", body={"path": "a"})
        assert await paused() == ["b"]
        await _ask(session, "/api/v1/pause", method="POST")
        assert await paused() == "all"
        await _ask(session, "/api/v1/resume", method="POST", body={"path": "b"}, status=409)
        await _ask(session, "/api/v1/pause", method="POST", body={"path": "a"})
        assert await paused() == "all"
        await _ask(session, "/api/v1/resume", method="POST")
        assert await paused() == ["a", "b"], "what was paused by itself stays so"
        await _ask(session, "/api/v1/resume", method="POST")
        assert await paused() == []


async def test_stats_join_what_others_and_the_gateway_count() -> None:
    async with a_site() as (session, _):
        stats = await _ask(session, "/api/v1/stats")
    assert stats["visitors"] == 1
    assert stats["gateway"]["backlog_events"] == {"behavior-0": 0}


async def test_a_store_that_does_not_answer_is_503() -> None:
    class DeafStore(MemoryStore):
        async def rows(self, *_: Any, **__: Any) -> Any:
            raise Unavailable("no store")

    class BrokenStore(MemoryStore):
        async def rows(self, *_: Any, **__: Any) -> Any:
            raise KeyError("a bug with ann@example.com")

    for store in (DeafStore, BrokenStore):
        async with a_site(store=store(MemoryDatabase())) as (session, _):
            problem = await _ask(session, "/api/v1/alerts?status=open", status=503)
            assert "ann@" not in str(problem)


async def test_health_readiness_and_metrics_are_told() -> None:
    answers = [False, True]

    async def is_ready() -> bool:
        return answers.pop(0)

    journal = FailingJournal(MemoryDatabase())
    journal.openings_failing = 10
    async with a_site(
        journal=journal, is_ready=is_ready, more_metrics=lambda: "mdma_bot_lag 3\n"
    ) as (session, gateway):
        async with session.get("/healthz") as answer:
            assert answer.status == 200
        async with session.get("/readyz") as answer:
            assert answer.status == 503
        journal.openings_failing = 0
        await until(lambda: gateway.collector.ready)
        for status in (503, 200):
            async with session.get("/readyz") as answer:
                assert answer.status == status
        async with session.get("/metrics") as answer:
            text = await answer.text()
            assert answer.content_type == "text/plain"
    assert 'mdma_requests_total{route="/readyz",status="503"} 2.0' in text
    assert 'mdma_gateway_backlog_events{of="behavior-0"} 0.0' in text
    assert 'mdma_split_tests{of="alarm"} 0.0' in text
    assert text.endswith("mdma_bot_lag 3\n")


async def test_the_openapi_page_names_exactly_the_routes_that_exist() -> None:
    async with a_site() as (session, _):
        async with session.get("/openapi.json") as answer:
            document = await answer.json()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                async with session.request(
                    method.upper(), path.replace("{", "").replace("}", "")
                ) as answer:
                    assert answer.status != 405
                    told = {int(status) for status in operation["responses"]}
                    assert answer.status in told, (method, path)
        async with session.get("/docs") as answer:
            html = await answer.text()
    assert all(f"<code>{r.method} {r.path}" in html for r in all_routes())
    assert "src=" not in html
    assert "http://" not in html
    assert {"/v1/track", "/v1/import", "/c/{token}", "/api/v1/visitors/{id}"} <= {
        *document["paths"]
    }
