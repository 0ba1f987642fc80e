"""Speak the admin API: who a visitor is, what was decided and sent, alerts, pause, replay.

Rules
1. Every route asks for the admin token before it looks at anything else.
2. Rows are shown as the bots wrote them; nothing here decides. What a person decides on an alert is journaled
   like any event and takes effect in the Rules Manager.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from messaging.gateway import acts, broadcasts, lists
from messaging.gateway.answering import answer, told
from messaging.gateway.asking import after_of, asked, id_of, limit_of, listed, version_of
from messaging.gateway.body import read_body
from messaging.gateway.console.rulebook import Rulebook
from messaging.gateway.console.users import ADMIN_NAME
from messaging.gateway.deps import GATEWAY, Gateway
from messaging.gateway.entering import Entering, let_in
from messaging.gateway.late import late_said
from messaging.gateway.limits import ENTERING_MAX, ID_CHARS_MAX
from messaging.gateway.misread import misread
from messaging.gateway.paging import cut, written_place
from messaging.gateway.problems import ProblemError, unreadable
from messaging.gateway.validate import rejection
from messaging.ports import Store

ARRAY_SHOWN_MAX = 1_000
"""Numbers of one array of a snapshot that are shown; send times have 168."""

BODY_BYTES_MAX = 16 * 1024
PEOPLE_BYTES_MAX = 512 * 1024
"""Of a body that names people."""

PLAIN = r"^[^\x00-\x1f\x7f\ud800-\udfff]*\Z"
Zoned = Annotated[datetime, msgspec.Meta(tz=True)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_CHARS_MAX, pattern=PLAIN)]

Body = TypeVar("Body")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Beside = Callable[[Store], Awaitable[dict[str, str]]]


class SettleBody(msgspec.Struct, forbid_unknown_fields=True):
    """Read the body of `POST alerts/{id}/{action}`."""

    by: Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*\Z")] = "admin"
    stage: str = ""


class EnterBody(msgspec.Struct, forbid_unknown_fields=True):
    """Read the body of `POST paths/{id}/enter`."""

    people: Annotated[list[Word], msgspec.Meta(min_length=1, max_length=ENTERING_MAX)]
    request: Word
    key: Annotated[str, msgspec.Meta(max_length=ID_CHARS_MAX, pattern=PLAIN)] = ""


class ListBody(msgspec.Struct, forbid_unknown_fields=True):
    """Read the body of `POST lists/{id}/{action}`."""

    people: Annotated[list[Word], msgspec.Meta(min_length=1, max_length=ENTERING_MAX)]
    request: Word
    basis: Annotated[str, msgspec.Meta(max_length=200, pattern=PLAIN)] = ""


class BroadcastBody(msgspec.Struct, forbid_unknown_fields=True):
    """Read the body of `POST broadcasts`; `at` is a time with its zone (RFC 3339)."""

    template: Word
    cohort: Word
    request: Word
    path: str = ""
    at: str | None = None
    priority: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] = 0
    dry_run: bool = False


class ResumeLearningBody(msgspec.Struct, forbid_unknown_fields=True):
    """Read the body of `POST learning/resume`."""

    policy: Word
    by: Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*\Z")] = "admin"


class EvaluateBody(msgspec.Struct, forbid_unknown_fields=True):
    """Read the body of `POST learning/evaluate`."""

    policy: Word
    against: str | Annotated[dict[Word, float], msgspec.Meta(max_length=ARRAY_SHOWN_MAX)] = "rules"


class PauseBody(msgspec.Struct, forbid_unknown_fields=True):
    """Read the body of `POST pause` and `POST resume`; without a path it is all of them.

    A misspelt `path` must not mean all.
    """

    path: str = ""


async def visitor(request: web.Request) -> web.Response:
    """Show one visitor."""
    found = await _gateway(request).deps.reader.visitor(id_of(request))
    if found is None:
        raise _unknown("visitor")
    return told(request, found)


async def timeline(request: web.Request) -> web.Response:
    """Show one visitor's story."""
    found = await _gateway(request).deps.reader.timeline(id_of(request))
    if found is None:
        raise _unknown("visitor")
    return told(request, {"timeline": found})


async def visitors(request: web.Request) -> web.Response:
    """Show a page of visitors; `after` of the next page is the last one's id."""
    gateway = _gateway(request)
    found = await gateway.deps.reader.page(asked(request, "after"), limit_of(request))
    after = found[-1]["visitor_id"] if found else None
    return told(request, {"visitors": found, "after": after})


async def experiments(request: web.Request) -> web.Response:
    """Show a page of split tests: who is counted for each variant, and the verdict."""
    reader = _gateway(request).deps.reader
    limit, after = limit_of(request), asked(request, "after")
    wanted = {name: asked(request, name) for name in ("path", "verdict")}
    found = [
        each
        for each in await reader.experiments()
        if all(value in ("", each[name]) for name, value in wanted.items())
    ]
    page, following = listed(found, lambda each: str(each["policy"]), after, limit)
    return told(request, {"experiments": page, "after": following})


async def stats(request: web.Request) -> web.Response:
    """Show counts of the system, with what the gateway holds at this moment."""
    gateway = _gateway(request)
    events, size = gateway.collector.waiting()
    own = {
        "waiting_events": events,
        "waiting_bytes": size,
        "backlog_events": gateway.handover.backlog(),
        "replay_waiting": await gateway.feeder.waiting(),
    }
    return told(request, {**await gateway.deps.reader.stats(), "gateway": own})


def rows(table: str, *filters: str, name: str, also: Beside | None = None) -> Handler:
    """Return the handler that pages through the rows of a table under a name, by equality of the named fields.

    `also`: reads what stands beside them.

    A `visitor` is any id of theirs, and stands for all who were merged into them. Without a filter the rows are
    those first written last, one page of them: an index for that alone would cost every write of the table.
    """

    async def handle(request: web.Request) -> web.Response:
        gateway = _gateway(request)
        match: dict[str, Any] = {
            field: asked(request, field) for field in filters if field in request.query
        }
        store, limit, begins = gateway.deps.store, limit_of(request), after_of(request)
        if begins is not None and not match:
            narrower = f"only a list that is narrowed goes on: name one of {', '.join(filters)}"
            raise ProblemError(422, narrower, field="after")
        if "visitor" in match:
            match["visitor"] = tuple(await gateway.deps.reader.people(match["visitor"]))
            if not match["visitor"]:
                raise _unknown("visitor")
        if match:
            found, after = cut(await store.rows(table, match, limit=limit + 1, after=begins), limit)
        else:
            found, after = await store.latest(table, limit), None
        page = [_without_long_arrays(row) for row in found]
        return told(request, {name: page, "after": after, **(await also(store) if also else {})})

    return handle


async def mail_waiting(store: Store) -> dict[str, str]:
    """Return what stands beside notices: alerts go out by the same mail server."""
    return {"mail_waits": await late_said(store)}


def _without_long_arrays(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the length of an array instead of it where nobody would read it (the nodes of trees)."""
    arrays = row.get("arrays")
    if not isinstance(arrays, dict):
        return row
    long = {name: len(each) for name, each in arrays.items() if len(each) > ARRAY_SHOWN_MAX}
    if not long:
        return row
    short = {name: each for name, each in arrays.items() if name not in long}
    return {**row, "arrays": short, "left_out": long}


async def rules(request: web.Request) -> web.Response:
    """Show a page of the versions of the rules, the newest first."""
    _gateway(request)
    limit, begins, by = limit_of(request), after_of(request), asked(request, "by")
    book = _rulebook(request)
    now, found = await book.now(), await book.versions(begins, limit, by)
    known = {"published": now.published, "newest": now.newest}
    return told(request, {**known, "rules": found.lines, "after": written_place(found.after)})


async def cohorts(request: web.Request) -> web.Response:
    """Show the published cohorts with the people in them."""
    now = await _rulebook(request).now()
    known = {"version": now.published, "cohorts": now.cohorts}
    return told(request, {**known, "filling": now.filling})


async def cohort_visitors(request: web.Request) -> web.Response:
    """Show a page of a cohort's visitors; `after` of the next page is the last one's id."""
    deps, cohort = _gateway(request).deps, id_of(request)
    after, limit, reader = asked(request, "after"), limit_of(request), deps.reader
    known = await deps.desk.cohorts() if deps.desk is not None else [cohort]
    if cohort not in known:
        raise _unknown("cohort")
    found = await reader.of_cohort(cohort, after, limit)
    return _page_of(request, found, await reader.counted(cohort=cohort))


async def stage_visitors(request: web.Request) -> web.Response:
    """Show a page of who stands at a stage of a path now, on the way or with a person."""
    reader, path = _gateway(request).deps.reader, id_of(request)
    after, limit, stage = asked(request, "after"), limit_of(request), request.match_info["stage"]
    if stage not in (await reader.stages()).get(path, ()):
        raise _unknown("stage of a path")
    found = await reader.at_stage(path, stage, after, limit)
    return _page_of(request, found, await reader.counted(path=path, stage=stage))


def _page_of(request: web.Request, found: list[dict[str, Any]], count: int) -> web.Response:
    last = found[-1]["visitor_id"] if found else None
    return told(request, {"count": count, "visitors": found, "after": last})


async def paths(request: web.Request) -> web.Response:
    """Show the published paths with the people on them."""
    now = await _rulebook(request).now()
    known = {"version": now.published, "paths": now.paths}
    return told(request, {**known, "older": now.older})


async def enter(request: web.Request) -> web.Response:
    """Let people onto a path; say who is not known, and who had been let in by this very request."""
    gateway = _gateway(request)
    body = await _body(request, EnterBody, bytes_max=PEOPLE_BYTES_MAX)
    now = await _rulebook(request).now()
    path = next((each for each in now.paths if each.name == id_of(request)), None)
    if path is None:
        raise _unknown("published path")
    wanted = Entering(body.people, body.request, body.key)
    return answer(await let_in(gateway, path, wanted, by=ADMIN_NAME))


async def lists_(request: web.Request) -> web.Response:
    """Show a page of the static lists, by name; `after` of the next page is in the answer."""
    after, limit = asked(request, "after"), limit_of(request)
    found = await lists.names(_gateway(request), after, limit)
    return told(request, {**found})


async def list_(request: web.Request) -> web.Response:
    """Show a page of who stands on a static list, the newest first."""
    gateway, limit, after = _gateway(request), limit_of(request), after_of(request)
    await lists.check_known(gateway, id_of(request))
    found = await lists.show(gateway, id_of(request), limit, after)
    return told(request, {**found})


async def change_list(request: web.Request) -> web.Response:
    """Put people on a static list, or take them off."""
    gateway = _gateway(request)
    action = request.match_info["action"]
    if action not in lists.DONE:
        raise ProblemError(404, "people can be added to a list or removed from it")
    body = await _body(request, ListBody, bytes_max=PEOPLE_BYTES_MAX)
    wanted = lists.Listing(id_of(request), body.people, body.request, body.basis)
    return answer(await lists.change(gateway, action, wanted, by=ADMIN_NAME))


async def broadcast(request: web.Request) -> web.Response:
    """Order a broadcast, or the dry run of one."""
    gateway, book = _gateway(request), _rulebook(request)
    body = await _body(request, BroadcastBody)
    wanted = broadcasts.Order(
        template=body.template,
        cohort=body.cohort,
        path=body.path,
        at=_with_zone(body.at) if body.at is not None else None,
        request=body.request,
        priority=body.priority,
        dry_run=body.dry_run,
    )
    return answer(await broadcasts.order(gateway, book, wanted, by=ADMIN_NAME))


def _with_zone(text: str) -> datetime:
    """Return a time (RFC 3339). Raise 422 for what is none, or has no zone."""
    try:
        return msgspec.convert(text, Zoned)
    except msgspec.ValidationError:
        example = "2026-12-01T09:00:00+01:00"
        raise ProblemError(
            422, f"at must be a time with its zone, such as {example}", field="at"
        ) from None


async def broadcasts_(request: web.Request) -> web.Response:
    """Show a page of broadcasts, the newest first."""
    limit, begins = limit_of(request), after_of(request)
    found, after = cut(await broadcasts.list_all(_gateway(request), limit + 1, begins), limit)
    return told(request, {"broadcasts": found, "after": after})


async def broadcast_(request: web.Request) -> web.Response:
    """Show one broadcast, and what became of it."""
    found = await broadcasts.show(_gateway(request), id_of(request))
    return told(request, {"broadcast": found})


async def cancel_broadcast(request: web.Request) -> web.Response:
    """Call a broadcast off."""
    found = await broadcasts.cancel(_gateway(request), id_of(request), by=ADMIN_NAME)
    return answer({"broadcast": found})


async def templates(request: web.Request) -> web.Response:
    """Show a page of the templates of the newest version, by name."""
    mailings = _gateway(request).deps.mailings
    limit, after, part = limit_of(request), asked(request, "after"), asked(request, "q")
    if mailings is None:
        raise _unknown("template")
    now = await mailings.templates(part)
    page, following = listed(now.templates, lambda each: each.name, after, limit)
    known = {"version": now.version}
    return told(request, {**known, "templates": page, "after": following})


async def resume_learning(request: web.Request) -> web.Response:
    """Turn a policy that did harm, and was taken back, on again."""
    gateway = _gateway(request)
    body = await _body(request, ResumeLearningBody)
    status = await acts.resume_learning(gateway, body.policy, by=body.by)
    return answer({"policy": body.policy, "status": status})


async def evaluate(request: web.Request) -> web.Response:
    """Show what the decision log says of a policy, beside the rules or another one."""
    gateway = _gateway(request)
    body = await _body(request, EvaluateBody)
    return answer({"evaluation": await acts.evaluation(gateway, body.policy, body.against)})


async def routine(request: web.Request) -> web.Response:
    """Show a path with its people, and who went on from where."""
    desk = _gateway(request).deps.desk
    version = version_of(request)
    found = await desk.routine(id_of(request), version) if desk is not None else None
    if found is None:
        raise _unknown(f"path in version {version}" if version else "path")
    return told(request, {"routine": found})


def _rulebook(request: web.Request) -> Rulebook:
    book = _gateway(request).deps.rulebook
    if book is None:
        raise _unknown("version of the rules")
    return book


async def settle(request: web.Request) -> web.Response:
    """Journal what a person decided on an alert; 409 when it is settled already, or somebody else was first."""
    gateway = _gateway(request)
    body = await _body(request, SettleBody)
    action = request.match_info["action"]
    status = await acts.settle(gateway, id_of(request), action, by=body.by, stage=body.stage)
    return answer({"success": True, "status": status})


async def pause(request: web.Request) -> web.Response:
    """Hold every hand-over, or those of one path; nothing is lost."""
    body = await _body(request, PauseBody)
    paused = await acts.pause(_gateway(request), body.path, by=ADMIN_NAME)
    return answer({"success": True, "paused": paused})


async def archive(request: web.Request) -> web.Response:
    """Let nobody onto a path any more."""
    archived = await acts.archive(_gateway(request), id_of(request), by=ADMIN_NAME)
    return answer({"success": True, "archived": archived})


async def unarchive(request: web.Request) -> web.Response:
    """Let people onto a path again."""
    archived = await acts.unarchive(_gateway(request), id_of(request), by=ADMIN_NAME)
    return answer({"success": True, "archived": archived})


async def resume(request: web.Request) -> web.Response:
    """Go on, with all or with one path."""
    body = await _body(request, PauseBody)
    paused = await acts.resume(_gateway(request), body.path, by=ADMIN_NAME)
    return answer({"success": True, "paused": paused})


def _gateway(request: web.Request) -> Gateway:
    gateway = request.app[GATEWAY]
    gateway.keys.check_admin(request)
    return gateway


async def _body(request: web.Request, kind: type[Body], *, bytes_max: int = BODY_BYTES_MAX) -> Body:
    """Read a small JSON body; none, or an empty one, is all defaults."""
    seconds_max = _gateway(request).deps.limits.body_seconds_max
    raw = b""
    if request.can_read_body:  # a POST without a body has no type either
        raw = await read_body(request, bytes_max=bytes_max, seconds_max=seconds_max)
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError as error:
        field, said = misread(str(error))
        raise unreadable(f"{field or 'the body'} {said}", field) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        rejected = rejection(error)
        raise unreadable(rejected.reason, rejected.field) from None


def _unknown(what: str) -> ProblemError:
    return ProblemError(404, f"there is no such {what}")
