"""All that the console does, over /api/v1: rules, templates, one person's data, what the machine is doing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from messaging.gateway import strategy
from messaging.gateway.admin import BroadcastBody, EnterBody, ListBody, PauseBody, SettleBody
from messaging.gateway.console.publications import PublishOrder
from messaging.gateway.console.trials import SimulateOrder, TryOrder
from messaging.gateway.openapi import SCHEMAS, document
from messaging.gateway.route import ADMIN as ADMIN_ACCESS
from messaging.gateway.route import SESSION
from messaging.gateway.routes import all_routes
from scripts.desk import ConsoleDesk
from scripts.trial_process import TrialFailed
from tests.console_builders import PARTS, a_console, form_key, lived_in, log_in
from tests.gateway_builders import ADMIN, StillClock

COHORTS = "cohorts.yaml"
DONE_BY = {
    "broadcasts": "broadcasts",
    "broadcasts/{id}/send": "broadcasts",
    "broadcasts/{id}/cancel": "broadcasts/{id}/cancel",
    "pause": "pause",
    "routines/{path}/{action}": "paths/{id}/archive",
    "resume": "resume",
    "alerts/{id}/{action}": "alerts/{id}/{action}",
    "visitors/{id}/export": "GET visitors/{id}/export",
    "visitors/{id}/erase": "DELETE visitors/{id}",
    "lists": "lists/{id}/{action}",
    "learning/resume": "learning/resume",
    "rules/check": "rules/check",
    "rules/save": "rules",
    "rules/remove": "rules",
    "rules/publish": "rules/{id}/publish",
    "templates/{name}/test": "templates/{id}/test",
    "templates/{name}/draft": "templates/{id}/preview",
    "templates/{name}/draft/body": "templates/{id}/preview",
    "templates/{name}/draft/test": "templates/{id}/test",
    "templates/{name}/links": "templates/{id}/links",
    "try": "tries",
    "try/{id}/cancel": "tries/{id}/cancel",
    "simulate": "simulations",
    "simulate/{id}/cancel": "simulations/{id}/cancel",
    "system/quarantine/{id}/{action}": "quarantine/{id}/replay",
    "visitors/find": "GET visitors/{id}",
    "templates/{name}/as": "GET templates/{id}",
    "logout": "",
}
"""Form of the console -> the route of the API that does the same; logging out is of the console alone."""


async def _ask(
    session, path: str, status: int = 200, *, method: str = "GET", body: Any = None
) -> Any:
    given = {} if body is None else {"json": body}
    async with session.request(method, f"/api/v1/{path}", headers=ADMIN, **given) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json(content_type=None)


def test_whatever_the_console_does_the_api_does() -> None:
    routes = all_routes()
    known = {(r.method, r.path) for r in routes if r.access == ADMIN_ACCESS}
    forms = [r for r in routes if r.access == SESSION and r.method == "POST"]
    for form in forms:
        done_by = DONE_BY[form.path.removeprefix("/console/")]
        method, _, path = done_by.rpartition(" ")
        assert not done_by or (method or "POST", f"/api/v1/{path}") in known, form.path


def test_the_document_describes_every_body_and_every_parameter() -> None:
    described = document(all_routes())
    names = set()
    for path, operations in described["paths"].items():
        for operation in operations.values():
            for name in operation.get("parameters", []):
                assert name["in"] == "query" or f"{{{name['name']}}}" in path
            for media in operation.get("requestBody", {}).get("content", {}).values():
                names.add(media["schema"]["$ref"].rpartition("/")[2])
            assert all(int(status) < 600 for status in operation["responses"])
            assert operation["summary"].endswith(".")
    assert names <= set(SCHEMAS)
    assert set(SCHEMAS) - names == {"Problem"}


@pytest.mark.parametrize(
    ("name", "read_as"),
    [
        ("EditOrder", strategy.EditOrder),
        ("DraftOrder", strategy.DraftOrder),
        ("TestOrder", strategy.TestOrder),
        ("LinksOrder", strategy.LinksOrder),
        ("PublishOrder", PublishOrder),
        ("TryOrder", TryOrder),
        ("SimulateOrder", SimulateOrder),
        ("Enter", EnterBody),
        ("People", ListBody),
        ("Broadcast", BroadcastBody),
        ("Pause", PauseBody),
        ("Settle", SettleBody),
    ],
)
def test_an_order_is_described_with_every_field_that_it_has(name: str, read_as: type) -> None:
    fields = {each.encode_name for each in msgspec.structs.fields(read_as)}
    assert set(SCHEMAS[name]["properties"]) == fields


async def test_a_draft_is_checked_saved_compared_and_published() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        files = (await _ask(session, "rules/1"))["files"]
        text = files[COHORTS] + "  keen:\n    when:\n      all:\n        - known: email\n"
        edit = {"base": 1, "file": COHORTS, "text": text}
        wrong = {**edit, "text": text.replace("known", "knwon")}
        found = await _ask(session, "rules/check", method="POST", body=wrong)
        assert "knwon" in found["diff"]
        assert found["findings"][0]["file"] == COHORTS
        told = await _ask(session, "rules", 422, method="POST", body=wrong)
        assert (told["outcome"], told["findings"]) == ("wrong", found["findings"])
        told = await _ask(session, "rules", 201, method="POST", body=edit)
        assert told == {"version": 2, "outcome": "saved", "findings": []}
        problem = await _ask(session, "rules", 409, method="POST", body=edit)
        assert "version 2" in problem["detail"]
        assert "`newest`" in problem["detail"]
        assert (await _ask(session, "rules/1/diff/2"))["said"] == ["cohort keen was added"]
        impact = await _ask(session, "rules/2/impact")
        assert impact["impact"]
        assert impact["entering"] == ["nobody enters lead-to-customer at once"]
        body = {"instead_of": 0}
        await _ask(session, "rules/2/publish", 409, method="POST", body=body)
        body = {"instead_of": 1, "runs": "elsewhere"}
        await _ask(session, "rules/2/publish", 422, method="POST", body=body)
        [group, *others] = impact["impact"]
        assert group["choices"] == ["stay", "migrate", "exit"]
        for wrong in (
            {group["group"]: "elsewhere"},
            {"nowhere": "exit"},
            {"lead-to-customer/1/nowhere": "exit"},
            {"lead-to-customer/9/invited": "exit"},
            {f"{group['group']}/{number}": "exit" for number in range(301)},
            [group["group"]],
        ):
            body = {"instead_of": 1, "runs": "stay", "groups": wrong}
            problem = await _ask(session, "rules/2/publish", 422, method="POST", body=body)
            assert problem["field"].startswith("groups"), problem
        body = {"instead_of": 1, "runs": "stay", "groups": {group["group"]: "migrate"}}
        await _ask(session, "rules/2/publish", method="POST", body=body)
        assert (await _ask(session, "rules"))["published"] == 2
        problem = await _ask(session, "rules/2/publish", 409, method="POST", body={"instead_of": 2})
        assert problem["detail"].startswith("nothing was published: version 2 is published already")
        [line] = (await _ask(session, "rules/2"))["version"]["publications"]
        assert line["groups"][0]["choice"] == "migrate"
        going = group["going"] + group["calls"]
        stay = sum(each["going"] + each["calls"] for each in others)
        assert line["said"] == f"{going} go over, {stay} stay"
        assert line["groups"][0]["decided"] == {"stay": 0, "migrate": going, "exit": 0}
        acts = {row["act"] for row in (await _ask(session, "audit-log"))["audit-log"]}
        assert acts >= {"rules.saved", "rules.published"}
        for kind, name in (("scores", "interest"), ("senders", "shop"), ("interactions", None)):
            written = (await _ask(session, kind))[kind]
            assert name in written or name is None
            assert written


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("rules", {"base": 1, "file": "../x", "text": ""}, 422),
        ("rules", {"base": 1, "file": COHORTS, "text": "a\0b"}, 422),
        ("rules", {"base": "x", "file": COHORTS, "text": ""}, 422),
        ("rules", {"base": 1, "file": COHORTS}, 422),
        ("rules", {"base": 99, "file": COHORTS, "text": ""}, 409),
        ("rules/check", {"base": 1, "file": COHORTS, "text": "", "more": 1}, 422),
        ("rules/9/publish", {"instead_of": 1}, 404),
        ("rules/x/publish", {"instead_of": 1}, 404),
        ("rules/1/publish", {}, 422),
        ("templates/none/test", {"to": "ann@example.com"}, 422),
        ("templates/invite-hello/test", {"to": "nowhere"}, 422),
        ("templates/invite-hello/test", {}, 422),
    ],
)
async def test_what_cannot_be_done_is_refused_and_nothing_is_changed(
    path: str, body: Any, status: int
) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await _ask(session, path, status, method="POST", body=body)
        assert await store.count("audit_log", {}) == 0
        assert (await _ask(session, "rules"))["newest"] == 1


async def test_a_template_is_shown_as_somebody_gets_it() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        visitor = (await _ask(session, "visitors/person-21"))["visitor_id"]
        found = (await _ask(session, f"templates/invite-hello?visitor={visitor}"))["template"]
        assert found["visitor"] == visitor
        assert found["mail"]["subject"]
        await _ask(session, "templates/none", 404)
        await _ask(session, "templates/invite-hello?visitor=x", 422)


async def test_what_the_machine_is_doing_is_told() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        told = (await _ask(session, "overview"))["overview"]
        assert {task["name"] for task in told["tasks"]} >= {"Choose what", "Follow up"}
        assert (await _ask(session, "learning"))["learning"]["policies"]
        assert (await _ask(session, "system"))["system"]["parts"]


class Exporter:
    """Write out what it was given, or fail."""

    def __init__(self, *comes_to: Any) -> None:
        self.comes_to = list(comes_to)
        self.asked: list[tuple[str, Any]] = []

    async def run(self, kind: str, asked: dict[str, Any], told: Any) -> dict[str, Any]:
        del told
        self.asked.append((kind, asked))
        found = self.comes_to.pop(0)
        if isinstance(found, Exception):
            raise found
        return {"document": found}

    def stop(self) -> None:
        raise AssertionError("nobody stops it")


async def test_a_person_is_exported_and_erased_from_the_page_and_over_the_api() -> None:
    store, now = await lived_in()
    clock = StillClock(now)
    exporter = Exporter('{"format": "mdma export 1"}', '{"format": 2}', TrialFailed("too much"))
    desk = ConsoleDesk(store, lambda: PARTS, clock, exporter=exporter)
    async with a_console(store, now, desk=desk) as (session, _):
        visitor = (await _ask(session, "visitors/person-21"))["visitor_id"]
        await log_in(session)
        form = {"form_key": await form_key(session)}
        async with session.post(f"/console/visitors/{visitor}/export", data=form) as answer:
            assert await answer.text() == '{"format": "mdma export 1"}'
            assert visitor in answer.headers["Content-Disposition"]
            assert answer.headers["Cache-Control"] == "no-store"
        assert await _ask(session, "visitors/person-21/export") == {"format": 2}
        assert exporter.asked == [("export", {"visitor": visitor})] * 2
        problem = await _ask(session, "visitors/person-21/export", 503)
        assert "too much; `mdma export`" in problem["detail"]
        await _ask(session, "visitors/nobody/export", 404)
        rows = await store.rows("audit_log", {"act": "visitor.exported"})
        assert [row["visitor"] for row in rows] == [visitor] * 2
        told = await _ask(session, "visitors/person-21", 202, method="DELETE")
        assert not (await _ask(session, f"erasures/{told['receipt']}"))["done"]
        await _ask(session, "erasures/x", 404)
        await _ask(session, "visitors/nobody", 404, method="DELETE")
        await log_in(session, "vic")
        form = {"form_key": await form_key(session)}
        async with session.post(f"/console/visitors/{visitor}/export", data=form) as answer:
            assert answer.status == 403


async def test_one_export_at_a_time() -> None:
    store, now = await lived_in()
    desk = ConsoleDesk(store, lambda: PARTS, StillClock(now))
    async with a_console(store, now, desk=desk) as (session, _):
        problem = await _ask(session, "visitors/person-21/export", 503)
        assert "somebody else" in problem["detail"]
