"""Send a broadcast: say what goes to whom, see how many it reaches, confirm, watch it, call it off.

Rules
1. It begins with a count (a dry run), and is sent only from the page that shows what the count came to.
2. A count holds for the version of the rules that it was made by: once another one is published, it is made anew.
3. An order is called after its count: pressed twice, it is one.
"""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from messaging.gateway import acts, broadcasts
from messaging.gateway.broadcasts import CANCELLING, OPEN, STATUSES, Order
from messaging.gateway.console.door import Form, Visit, back_to
from messaging.gateway.console.drawing import ROOT
from messaging.gateway.console.lists import PAGE_ROWS, addresses, after_of
from messaging.gateway.console.rulebook import Rulebook, RulesNow
from messaging.gateway.console.views import LOOK_SECONDS, desk_of
from messaging.gateway.limits import ID_CHARS_MAX
from messaging.gateway.paging import cut
from messaging.gateway.problems import ProblemError

HERE = "broadcasts"
COUNT_LOOK_SECONDS = 1.0

PRIORITY_MAX = 1_000
WOULD_GET = "would get it"
"""Under this word a pass counts those whom nothing stands against."""

STANDS = {
    "ordered": "waits for its time",
    "under way": "under way",
    "done": "everybody was asked",
    "cancelling": "is being called off",
    "cancelled": "called off",
}
"""Status of an order -> what the page says: that everybody was asked is not that anybody has it (`counts_of`)."""

BECAME = {
    "planned": "Planned",
    "sent": "Sent",
    "refused": "Not sent",
    "cancelled": "Called off",
    "moved": "Shown at their other half",
}
"""Status of a recipient -> what the page says."""

TEMPLATES = "templates/"


async def broadcasts_(visit: Visit) -> web.StreamResponse:
    """Show what was sent and counted, and the form that counts anew."""
    book, after = acts.rulebook_of(visit.gateway), after_of(visit)
    now = await book.now()
    paused, archived = await acts.held_by_name(visit.gateway)
    rows, older = cut(await broadcasts.list_all(visit.gateway, PAGE_ROWS + 1, after), PAGE_ROWS)
    return await visit.page(
        "broadcasts.html",
        here=HERE,
        seconds=LOOK_SECONDS if not after and _any_under_way(rows) else 0.0,
        now=now,
        templates=await _templates(book, now),
        chosen={name: visit.text(name) for name in ("template", "cohort", "path")},
        paused=paused,
        archived=archived,
        rows=rows,
        stands=STANDS,
        people=_people,
        pages=addresses(f"{ROOT}{HERE}", {}, after, older),
    )


async def count(visit: Visit, form: Form) -> web.StreamResponse:
    """Count who would get a template; nothing is sent."""
    request = f"console {secrets.token_hex(8)}"
    wanted = _order(form, request=request, dry_run=True)
    made = await _ordered(visit, wanted)
    return back_to(f"{ROOT}{HERE}/{made['id']}")


async def one(visit: Visit) -> web.StreamResponse:
    """Show a count with the form that sends it, or how a broadcast fares."""
    found = await _found(visit)
    desk, after = desk_of(visit), after_of(visit)
    status = visit.text("status")
    if status and status not in STATUSES:
        raise ProblemError(422, f"one of {', '.join(STATUSES)}", field="status")
    now = await acts.rulebook_of(visit.gateway).now()
    told: Counter[str] = Counter()
    for reason, many in found["told"].items():
        if reason != WOULD_GET:
            told[desk.why(reason)] += many
    listed = await desk.recipients(found["id"], status, after, PAGE_ROWS)
    is_count = found["dry_run"]
    is_open = broadcasts.may_be_called_off(found, visit.gateway.deps.clock.now())
    return await visit.page(
        "broadcast.html",
        here=HERE,
        seconds=0.0 if after else _look_seconds(found, is_open=is_open),
        found=found,
        now=now,
        stands=STANDS,
        counts=counts_of(found),
        became=BECAME,
        chosen=status,
        gets=found["told"].get(WOULD_GET, 0),
        told=sorted(told.items(), key=lambda each: -each[1]),
        looked=_people(found),
        cohort=next((each for each in now.cohorts if each.name == found["cohort"]), None),
        is_old=is_count and found["version"] != now.published,
        sent=await _sent_of(visit, found) if is_count else None,
        may_be_called_off=not is_count and is_open,
        rows=listed.lines,
        pages=addresses(f"{ROOT}{HERE}/{found['id']}", {"status": status}, after, listed.after),
    )


def counts_of(found: dict[str, Any]) -> str:
    """Return of an order for which everybody was asked, or that was called off, how many have it and how many wait.

    >>> counts_of({"status": "done", "recipients": {"sent": 31, "planned": 67}})
    '31 sent, 67 wait'
    """
    if found["status"] in (*OPEN, CANCELLING):
        return ""
    sent, waiting = (found["recipients"].get(each, 0) for each in ("sent", "planned"))
    counts = [f"{sent:,} sent"] if sent else []
    counts += [f"{waiting:,} {'waits' if waiting == 1 else 'wait'}"] if waiting else []
    return ", ".join(counts)


async def send(visit: Visit, form: Form) -> web.StreamResponse:
    """Send what was counted."""
    counted = await _found(visit)
    if not counted["dry_run"] or counted["status"] != "done":
        raise ProblemError(409, "only what was counted to its end can be sent")
    now = await acts.rulebook_of(visit.gateway).now()
    if counted["version"] != now.published:
        raise ProblemError(409, f"version {now.published} was published since: count it anew")
    known = {name: str(counted[name]) for name in ("template", "cohort", "path")}
    wanted = _order({**form, **known}, request=_request_of(counted["id"]), dry_run=False)
    sent = await _sent_of(visit, counted) or await _ordered(visit, wanted)
    return back_to(f"{ROOT}{HERE}/{sent['id']}", "broadcast")


async def cancel(visit: Visit, _: Form) -> web.StreamResponse:
    """Call a broadcast off."""
    found = await _found(visit)
    await broadcasts.cancel(visit.gateway, found["id"], by=visit.session.user)
    return back_to(f"{ROOT}{HERE}/{found['id']}", "broadcast-off")


async def _ordered(visit: Visit, wanted: Order) -> dict[str, Any]:
    book = acts.rulebook_of(visit.gateway)
    return await broadcasts.order(visit.gateway, book, wanted, by=visit.session.user)


async def _found(visit: Visit) -> dict[str, Any]:
    """Return the order that the address names. Raise 404."""
    id_ = visit.request.match_info["id"]
    if len(id_) > ID_CHARS_MAX or "\0" in id_ or not id_.isascii():
        raise ProblemError(404, "there is no such broadcast")
    return await broadcasts.show(visit.gateway, id_)


async def _sent_of(visit: Visit, counted: dict[str, Any]) -> dict[str, Any] | None:
    """Return the order that was given from the page of a count, None where there is none yet."""
    id_ = broadcasts.order_id(_request_of(counted["id"]), dry_run=False)
    return await visit.gateway.deps.store.get_document(broadcasts.BROADCASTS, id_)


def _request_of(count_id: str) -> str:
    return f"console after {count_id}"


def _order(form: Form, *, request: str, dry_run: bool) -> Order:
    """Return what a form orders. Raise 422."""
    return Order(
        template=form.get("template", ""),
        cohort=form.get("cohort", ""),
        path=form.get("path", ""),
        at=_time(form.get("at", "")),
        request=request,
        priority=_priority(form.get("priority", "0")),
        dry_run=dry_run,
    )


def _time(text: str) -> datetime | None:
    """Return a time as a form gives it, without its zone: it is UTC."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ProblemError(422, "write the time like 2026-12-01T09:00", field="at") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _priority(text: str) -> int:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= len(str(PRIORITY_MAX))
    if not is_number or int(digits) > PRIORITY_MAX:
        allowed = f"a whole number from -{PRIORITY_MAX} to {PRIORITY_MAX}"
        raise ProblemError(422, f"priority must be {allowed}", field="priority")
    return sign * int(digits)


async def _templates(book: Rulebook, now: RulesNow) -> list[str]:
    """Return the names of the published version's templates that can go to a cohort."""
    files = await book.files(now.published) or {}
    names = [
        name.removeprefix(TEMPLATES).removesuffix(".yaml")
        for name in sorted(files)
        if name.startswith(TEMPLATES) and name.endswith(".yaml")
    ]
    others = await book.by_themselves(now.published)
    return [name for name in names if name not in others]


def _people(found: dict[str, Any]) -> int:
    """Return how many of the cohort a pass has come to."""
    return sum(found["told"].values())


def _any_under_way(rows: list[dict[str, Any]]) -> bool:
    return any(row["status"] in (*OPEN, CANCELLING) for row in rows)


def _look_seconds(found: dict[str, Any], *, is_open: bool) -> float:
    """Return how often a page looks for news: never, once nothing more comes."""
    if found["dry_run"] and found["status"] in OPEN:
        return COUNT_LOOK_SECONDS
    return LOOK_SECONDS if is_open or found["status"] == CANCELLING else 0.0
