"""Take what mail servers and mailbox providers report of e-mails after their hand-over: came back, called spam.

Rules
1. The mailbox is suppressed before it is answered, as with who unsubscribes: no hand-over begins after the answer.
2. A report that comes twice is one: its name is derived from the send and from what it says.
3. A report on an e-mail that is not known (any more) changes nothing, and is named in the answer.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.admin import Word
from messaging.gateway.answering import answer
from messaging.gateway.asking import gateway_of, ordered
from messaging.gateway.body import read_body
from messaging.gateway.console.users import ADMIN_NAME
from messaging.gateway.deps import Gateway
from messaging.gateway.limits import REPORT_BYTES_MAX, REPORTS_MAX
from messaging.gateway.problems import ProblemError
from messaging.mail.reports import read_report, send_of
from messaging.store.audit_log import Change
from messaging.vocabulary.events import MailReported
from messaging.vocabulary.ids import own_id

MAIL_TYPES = frozenset({"", "message/rfc822", "text/plain", "application/octet-stream"})
NO_REPORT = "this e-mail is no report: a delivery report (RFC 3464) or a feedback report (RFC 5965) is multipart/report"


class Said(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Say what became of one e-mail."""

    send: Word
    """Id of the send, or the Message-ID of the e-mail."""
    kind: Literal["bounced", "complained"]


class ReportsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Read the body of `POST reports`."""

    reports: Annotated[list[Said], msgspec.Meta(min_length=1, max_length=REPORTS_MAX)]


async def reports(request: web.Request) -> web.Response:
    """Take reports by the ids of their sends."""
    gateway = gateway_of(request)
    body = await ordered(request, ReportsBody, bytes_max=REPORT_BYTES_MAX)
    return answer(await take(gateway, body.reports, by=ADMIN_NAME))


async def mail(request: web.Request) -> web.Response:
    """Take one report as the e-mail that it came as. Raise 422 for an e-mail that is none."""
    gateway = gateway_of(request)
    raw = await read_body(
        request,
        bytes_max=REPORT_BYTES_MAX,
        seconds_max=gateway.deps.limits.body_seconds_max,
        types=MAIL_TYPES,
    )
    report = await asyncio.to_thread(read_report, raw)
    if report is None:
        raise ProblemError(422, NO_REPORT)
    if not report.kind:
        return answer({"taken": 0, "before": 0, "unknown": [], "said": report.said})
    if not report.send:
        raise ProblemError(422, "the report does not bring back the head of the e-mail it is about")
    kind: Literal["bounced", "complained"] = "bounced" if report.kind == "bounced" else "complained"
    found = await take(gateway, [Said(report.send, kind)], by=ADMIN_NAME)
    return answer({**found, "said": report.said})


async def take(gateway: Gateway, wanted: list[Said], *, by: str) -> dict[str, Any]:
    """Suppress the mailboxes and journal the reports; return how many were new, known before, and not known.

    Raise 503 where that cannot be made durable now.
    """
    store = gateway.deps.store
    named = list(dict.fromkeys(wanted))
    rows = await asyncio.gather(
        *(store.get_document("sends", send_of(each.send) or each.send) for each in named)
    )
    facts: list[tuple[MailReported, str]] = []
    unknown: list[str] = []
    for said, row in zip(named, rows, strict=True):
        if row is None or not row["mailbox"]:
            unknown.append(said.send)
            continue
        await store.suppress(row["mailbox"], said.kind, gateway.deps.clock.now())
        fact = MailReported(
            visitor=row["visitor"], send_id=row["id"], kind=said.kind, mailbox=row["mailbox"]
        )
        facts.append((fact, own_id("mail reported", row["id"], said.kind)))
    are_new = await gateway.journal_facts([*facts]) if facts else []
    new = sum(are_new)
    for (told, _), is_new in zip(facts, are_new, strict=True):
        if is_new:
            await acts.noted(gateway, _change(told, by))
    return {"taken": new, "before": len(are_new) - new, "unknown": unknown}


def _change(fact: MailReported, by: str) -> Change:
    return Change(by=by, act="mail.reported", of=fact.send_id, visitor=fact.visitor, said=fact.kind)
