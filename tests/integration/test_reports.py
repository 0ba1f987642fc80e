"""What mail servers and mailbox providers report by the API: suppressed and durable before it is answered."""

from __future__ import annotations

import io
from typing import Any

import pytest

from messaging.gateway.limits import REPORT_BYTES_MAX
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.events import MailReported, decode_event
from messaging.vocabulary.ids import visitor_id_for
from tests.gateway_builders import ADMIN, NOON, FailingJournal, a_site
from tests.unit.test_mail_reports import a_bounce, a_complaint

SEND = "0123456789abcdef01234567"
VISITOR = visitor_id_for("u:1")
MAIL = "message/rfc822"


def sent(mailbox: str = "m1") -> MemoryDatabase:
    """Return a database with one e-mail that was handed over."""
    database = MemoryDatabase()
    row = {"id": SEND, "visitor": VISITOR, "at": NOON, "status": "handed over", "mailbox": mailbox}
    database.tables["sends"] = {SEND: row}
    return database


async def told(session: Any, body: Any, status: int = 200) -> Any:
    """Return the answer to a report: an object as JSON, bytes as an e-mail."""
    where, given = "/api/v1/reports", {"json": body}
    headers = dict(ADMIN)
    if isinstance(body, bytes):
        where, given = f"{where}/mail", {"data": io.BytesIO(body)}
        headers["Content-Type"] = MAIL
    async with session.post(where, headers=headers, **given) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json(content_type=None)


def reports_in(database: MemoryDatabase) -> list[MailReported]:
    found = [decode_event(each.raw) for stream in database.streams for each in stream]
    return [each for each in found if isinstance(each, MailReported)]


@pytest.mark.parametrize("kind", ["bounced", "complained"])
async def test_a_report_suppresses_the_mailbox_and_is_journaled_once(kind: str) -> None:
    database = sent()
    one = {"send": SEND, "kind": kind}
    async with a_site(database=database) as (session, _):
        found = await told(session, {"reports": [one, one, {"send": "f" * 24, "kind": kind}]})
        assert found == {"taken": 1, "before": 0, "unknown": ["f" * 24]}
        again = {"send": f"<{SEND}@shop.example>", "kind": kind}
        assert await told(session, {"reports": [again]}) == {"taken": 0, "before": 1, "unknown": []}
    assert reports_in(database) == [
        MailReported(visitor=VISITOR, send_id=SEND, kind=kind, mailbox="m1")
    ]
    assert database.suppressed["m1"][0] == kind
    [change] = database.tables["audit_log"].values()
    assert (change["act"], change["visitor"], change["said"]) == ("mail.reported", VISITOR, kind)


async def test_a_report_that_comes_as_an_e_mail_is_read() -> None:
    database = sent()
    async with a_site(database=database) as (session, _):
        found = await told(session, a_bounce("4.4.1", "smtp; 451 later", "delayed"))
        assert (found["taken"], found["said"]) == (0, "delayed: 4.4.1 later"), found
        assert database.suppressed == {}
        found = await told(session, a_bounce("5.1.1", "smtp; 550 5.1.1 <ann@example.com> unknown"))
        assert (found["taken"], found["said"]) == (1, "5.1.1 <an address> unknown")
        assert (await told(session, a_complaint("abuse")))["taken"] == 1
    assert [each.kind for each in reports_in(database)] == ["bounced", "complained"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "reports"),
        ({"reports": []}, 422, "reports"),
        ({"reports": [{"send": SEND, "kind": "opened"}]}, 422, "reports[0].kind"),
        ({"reports": [{"send": "", "kind": "bounced"}]}, 422, "reports[0].send"),
        ({"reports": [{"send": SEND, "kind": "bounced", "x": 1}]}, 422, None),
        ({"reports": [{"send": SEND, "kind": "bounced"}] * 101}, 422, "reports"),
        (b"", 422, None),
        (b"Subject: Out of office\n\nBack on Monday", 422, None),
        (a_bounce("5.1.1", head="Message-ID: <other@mail.example>\n"), 422, None),
        (b"x" * (REPORT_BYTES_MAX + 1), 413, None),
    ],
)
async def test_what_is_no_report_is_refused_and_changes_nothing(
    body: Any, status: int, field: str | None
) -> None:
    database = sent()
    async with a_site(database=database) as (session, _):
        problem = await told(session, body, status)
        assert problem["detail"]
        assert field is None or problem["field"] == field
    assert (database.suppressed, reports_in(database)) == ({}, [])


async def test_an_e_mail_that_went_nowhere_cannot_have_come_back() -> None:
    async with a_site(database=sent(mailbox="")) as (session, _):
        found = await told(session, {"reports": [{"send": SEND, "kind": "bounced"}]})
        assert found["unknown"] == [SEND]


async def test_a_report_that_cannot_be_kept_now_is_to_be_told_again() -> None:
    database = sent()
    async with a_site(database=database, journal=FailingJournal(database, before=1000)) as (
        session,
        _,
    ):
        await told(session, {"reports": [{"send": SEND, "kind": "bounced"}]}, 503)
    assert "m1" in database.suppressed, "nobody is written to meanwhile"
