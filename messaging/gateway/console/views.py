"""Show the overview, alerts, visitors, the system, and who changed what."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from aiohttp import web

from messaging.gateway import acts, quarantine
from messaging.gateway.console.desk import Desk
from messaging.gateway.console.door import Form, Visit, back_to, page_of_ours
from messaging.gateway.console.drawing import HEADERS, ROOT
from messaging.gateway.console.lists import PAGE_ROWS, addresses, after_of
from messaging.gateway.deps import Gateway
from messaging.gateway.limits import ID_CHARS_MAX
from messaging.gateway.problems import ProblemError
from messaging.gateway.told import StageNow, Story
from messaging.store.audit_log import AUDIT_LOG

LOOK_SECONDS = 3.0
COUNTED_MAX = 1_000
"""Alerts of a status that are counted: a page must not cost more as they grow old."""

ERASE_WORD = "erase"
RECEIPT = re.compile(r"[0-9a-f]{1,64}")

ENDS = (
    ("going", "on the way"),
    ("won", "reached the goal"),
    ("calls", "with a person"),
    ("over", "ended otherwise"),
)
"""Field of a stage -> what its part of the bar means."""

THERE = ("going", "calls")
"""Of these the people stand at the stage now, and are listed."""

STATUSES = (
    ("open", "Open"),
    ("resumed", "Resumed"),
    ("changed", "Changed"),
    ("closed", "Closed"),
)


def desk_of(visit: Visit) -> Desk:
    """Return the desk of a visit."""
    return acts.desk_of(visit.gateway)


async def overview(visit: Visit) -> web.StreamResponse:
    """Show what the machine is doing."""
    now = await visit.gateway.deps.reader.overview()
    paths = [
        {"name": path.name, "note": path.note, "stages": [_stage(stage) for stage in path.stages]}
        for path in now.paths
    ]
    told = {name: getattr(now, name) for name in now.__struct_fields__}
    return await visit.page(
        "overview.html", here="", seconds=LOOK_SECONDS, now={**told, "paths": paths}, ends=ENDS
    )


def _stage(stage: StageNow) -> dict[str, Any]:
    counts = {field: getattr(stage, field) for field, _ in ENDS}
    said = {
        is_there: ", ".join(
            f"{counts[field]:,} {words}"
            for field, words in ENDS
            if counts[field] and (field in THERE) == is_there
        )
        for is_there in (True, False)
    }
    return {
        **counts,
        "name": stage.name,
        "note": stage.note,
        "all": sum(counts.values()),
        "standing": said[True],
        "ended": said[False],
    }


async def alerts(visit: Visit) -> web.StreamResponse:
    """Show the alerts of a status."""
    desk, after = desk_of(visit), after_of(visit)
    status = visit.text("status") or "open"
    if status not in dict(STATUSES):
        raise ProblemError(422, "an alert is open, resumed, changed or closed", field="status")
    found = await desk.alerts(status, after, PAGE_ROWS)
    store = visit.gateway.deps.store
    counts = {
        name: await store.count("alerts", {"status": name}, COUNTED_MAX) for name, _ in STATUSES
    }
    return await visit.page(
        "alerts.html",
        here="alerts",
        seconds=0.0 if after else LOOK_SECONDS,
        chosen=status,
        statuses=STATUSES,
        counts=counts,
        counted_max=COUNTED_MAX,
        rows=found.lines,
        pages=addresses(f"{ROOT}alerts", {"status": status}, after, found.after),
    )


async def settle(visit: Visit, form: Form) -> web.StreamResponse:
    """Settle an alert as an editor decided."""
    id_, action = visit.request.match_info["id"], visit.request.match_info["action"]
    if len(id_) > ID_CHARS_MAX or "\0" in id_:
        raise ProblemError(404, "there is no such alert")
    stage = form.get("stage", "") if action == "change" else ""
    status = await acts.settle(visit.gateway, id_, action, by=visit.session.user, stage=stage)
    return back_to(f"{ROOT}alerts", status)


async def visitors(visit: Visit) -> web.StreamResponse:
    """Show visitors: of one cohort if it is named, or who stands at a stage of a path."""
    desk = desk_of(visit)
    after, cohort = visit.text("after", ID_CHARS_MAX), visit.text("cohort")
    path, stage = visit.text("path"), visit.text("stage")
    cohorts = await desk.cohorts()
    if cohort and cohort not in cohorts:
        raise ProblemError(422, "no cohort of the published rules has this name", field="cohort")
    place = await _place(visit, path, stage) if path else None
    found = await desk.people(after, PAGE_ROWS, cohort=cohort, place=place)
    given = {"path": path, "stage": stage} if place else {"cohort": cohort}
    return await visit.page(
        "visitors.html",
        here="visitors",
        missing=bool(visit.text("missing")),
        cohort=cohort,
        cohorts=cohorts,
        place=place,
        rows=found.lines,
        count=found.count,
        pages=addresses(f"{ROOT}visitors", given, after, found.after),
    )


async def _place(visit: Visit, path: str, stage: str) -> tuple[str, str]:
    """Return a stage of a path. Raise 422 where no version that is kept has it."""
    if stage not in (await visit.gateway.deps.reader.stages()).get(path, ()):
        raise ProblemError(422, "no path has a stage of this name", field="stage")
    return path, stage


async def find(visit: Visit, form: Form) -> web.StreamResponse:
    """Lead to the visitor of an id. By POST: an address stands in no log of any proxy then."""
    id_ = form.get("q", "").strip()
    is_plain = not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in id_)
    found = None
    if is_plain and 0 < len(id_) <= ID_CHARS_MAX:
        found = await visit.gateway.deps.reader.visitor(id_)
    if found is None:
        return back_to(f"{ROOT}visitors?missing=1")
    return back_to(f"{ROOT}visitors/{found['visitor_id']}")


async def visitor(visit: Visit) -> web.StreamResponse:
    """Show one visitor: the story across all bots, and what is known."""
    found = await _story(visit)
    by = visit.text("by")
    tellers = sorted({line.by for line in found.lines})
    return await visit.page(
        "visitor.html",
        here="visitors",
        seconds=LOOK_SECONDS,
        visitor=found.visitor,
        found=found,
        by=by,
        tellers=tellers,
        lines=[line for line in found.lines if not by or line.by == by],
    )


async def export(visit: Visit, _: Form) -> web.StreamResponse:
    """Give all of one person's data, as a file."""
    found = await _story(visit)
    document = await acts.export(visit.gateway, found.visitor, by=visit.session.user)
    return document_of(found.visitor, document)


def document_of(visitor: str, document: str) -> web.Response:
    """Return a person's data as a file to be kept."""
    name = f'attachment; filename="visitor-{visitor}.json"'
    return web.Response(
        text=document,
        content_type="application/json",
        headers={**HEADERS, "Content-Disposition": name},
    )


async def erase_page(visit: Visit) -> web.StreamResponse:
    """Ask whether a person is to be erased; a viewer is not asked."""
    if not visit.session.may_change:
        raise ProblemError(403, "you are a viewer: ask an editor to erase them")
    return await _asked(visit, await _story(visit))


async def erase(visit: Visit, form: Form) -> web.StreamResponse:
    """Erase a person, once the word was typed; the erasure goes on by itself."""
    found = await _story(visit)
    if form.get("word", "").strip().lower() != ERASE_WORD:
        return await _asked(visit, found, "Nobody was erased: the word was not typed.")
    receipt = await acts.erase(visit.gateway, found.visitor, by=visit.session.user)
    return back_to(f"{ROOT}erasures/{receipt}")


async def erasure(visit: Visit) -> web.StreamResponse:
    """Show how an erasure stands."""
    id_ = visit.request.match_info["receipt"]
    found = await desk_of(visit).receipt(id_) if RECEIPT.fullmatch(id_) else None
    if found is None:
        raise ProblemError(404, "there is no such receipt")
    seconds = 0.0 if found.is_done else LOOK_SECONDS
    return await visit.page("erasure.html", here="visitors", seconds=seconds, id=id_, found=found)


async def _asked(visit: Visit, found: Story, problem: str = "") -> web.StreamResponse:
    return await visit.page(
        "erase.html",
        here="visitors",
        status=422 if problem else 200,
        found=found,
        visitor=found.visitor,
        problem=problem,
    )


async def _story(visit: Visit) -> Story:
    """Return the story of the visitor that the address names. Raise 404."""
    id_ = visit.request.match_info["id"]
    is_plain = not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in id_)
    found = None
    if is_plain and len(id_) <= ID_CHARS_MAX:
        found = await visit.gateway.deps.reader.story(id_)
    if found is None:
        raise ProblemError(404, "nobody is known by this, or they were erased")
    return found


async def system(visit: Visit) -> web.StreamResponse:
    """Show how each part fares, and what waits."""
    desk = desk_of(visit)
    now = await desk.system(await own_queues(visit.gateway))
    return await visit.page(
        "system.html",
        here="system",
        seconds=LOOK_SECONDS,
        **{name: getattr(now, name) for name in now.__struct_fields__},
    )


async def settle_aside(visit: Visit, form: Form) -> web.StreamResponse:
    """Replay what is set aside in quarantine, or let it go, as an editor decided."""
    del form
    id_, action = visit.request.match_info["id"], visit.request.match_info["action"]
    act = ASIDE.get(action)
    if act is None or len(id_) > ID_CHARS_MAX or "\0" in id_:
        raise ProblemError(404, "what is set aside can be replayed or dropped")
    row = await act(visit.gateway, id_, by=visit.session.user)
    return back_to(f"{ROOT}system", "again" if row["again"] else f"aside-{row['status']}")


ASIDE = {"replay": quarantine.replay, "drop": quarantine.drop}


async def own_queues(gateway: Gateway) -> list[tuple[str, str]]:
    """Return what waits in the gateway, in words."""
    events, size = gateway.collector.waiting()
    return [
        ("Events for the journal", f"{events:,} ({size:,} bytes)"),
        ("Events for the bots", f"{sum(gateway.handover.backlog().values()):,}"),
        ("Calls of a replay", f"{await gateway.feeder.waiting():,}"),
        ("Open streams to browsers", f"{len(gateway.watch):,}"),
    ]


async def changes(visit: Visit) -> web.StreamResponse:
    """Show who changed what."""
    after = after_of(visit)
    rows = await visit.gateway.deps.store.rows(AUDIT_LOG, {}, limit=PAGE_ROWS + 1, after=after)
    last = rows[PAGE_ROWS - 1] if len(rows) > PAGE_ROWS else None
    lines = [{**row, "at": f"{row['at']:%Y-%m-%d %H:%M:%S} UTC"} for row in rows[:PAGE_ROWS]]
    return await visit.page(
        "changes.html",
        here="changes",
        now=visit.gateway.deps.wall_now(),
        rows=lines,
        pages=addresses(f"{ROOT}changes", {}, after, (last["at"], last["id"]) if last else None),
    )


async def pause(visit: Visit, form: Form) -> web.StreamResponse:
    """Hold every hand-over."""
    await acts.pause(visit.gateway, "", by=visit.session.user)
    return back_to(page_of_ours(form.get("to", "")), "paused")


async def resume(visit: Visit, form: Form) -> web.StreamResponse:
    """Go on with all hand-overs."""
    await acts.resume(visit.gateway, "", by=visit.session.user)
    return back_to(page_of_ours(form.get("to", "")), "going")


async def hold_path(visit: Visit, form: Form) -> web.StreamResponse:
    """Pause, resume, archive or unarchive one path."""
    del form
    path, action = visit.request.match_info["path"], visit.request.match_info["action"]
    act = HOLDING.get(action)
    if act is None or len(path) > ID_CHARS_MAX:
        raise ProblemError(404, "a path can be paused, resumed, archived or unarchived")
    await act(visit.gateway, path, by=visit.session.user)
    return back_to(f"{ROOT}routines/{quote(path, safe='')}", f"path-{action}")


HOLDING = {
    "pause": acts.pause,
    "resume": acts.resume,
    "archive": acts.archive,
    "unarchive": acts.unarchive,
}
