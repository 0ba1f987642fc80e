"""Carry out what people order: settle an alert, hold hand-overs, go on. The admin API and the console share it.

Rules
1. What is ordered is checked against what stands in the store; what does not fit is a problem that says why.
2. Each order that took effect is written into the audit log, with who gave it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from messaging.gateway.deps import Gateway
from messaging.gateway.problems import ProblemError, unreadable
from messaging.store.audit_log import Change, note
from messaging.vocabulary.effects import UNCERTAIN_SUCCESS
from messaging.vocabulary.events import AlertSettled
from messaging.vocabulary.ids import own_id

SETTLE_LOOK_SECONDS = 0.05

SETTLING = {"resume": "resumed", "change": "changed", "close": "closed"}

SET_TRIES_MAX = 5

PAUSE = ("control", "pause")
"""The document that says what is held: `{"paths": "all" | [path, …], "archived": [path, …]}`.

Of `paths` nothing is handed over, and of a path that is named nothing is planned; nobody is let onto an archived one.
"""


async def settle(gateway: Gateway, id_: str, action: str, *, by: str, stage: str = "") -> str:
    """Journal what a person decided on an alert; return what it is now.

    Raise 404, 422, or 409 when it is settled already or somebody else was first.
    """
    if action not in SETTLING:
        raise ProblemError(404, "an alert can be resumed, changed or closed")
    if action == "change" and not stage:
        raise unreadable("name the stage at which the new run starts", "stage")
    alert = await gateway.deps.store.get_document("alerts", id_)
    if alert is None:
        raise ProblemError(404, "there is no such alert")
    await _check(gateway, alert, action, stage)
    fact = AlertSettled(
        visitor=alert["visitor"],
        alert_id=alert["id"],
        path=alert["path"],
        run=alert["run"],
        action=action,
        by=by,
        stage=stage,
        kind=alert["kind"],
    )
    # Derived: of two who press the same button at once, one is told so. Of different buttons, or stages, the bot takes
    # the first.
    is_first = await gateway.journal_fact(
        fact, message_id=own_id("alert settled", alert["id"], action, stage)
    )
    if not is_first:
        raise ProblemError(409, f"this alert is being {SETTLING[action]}")
    status, at_stage = await _settled(gateway, alert["id"])
    is_elsewhere = status == "changed" and at_stage != stage
    if status not in ("open", SETTLING[action]) or is_elsewhere:
        place = f" to {at_stage}" if at_stage else ""
        raise ProblemError(409, f"this alert is {status}{place}: somebody else was first")
    said = f"path {alert['path']}" + (f", from stage {stage}" if stage else "")
    change = Change(
        by=by, act=f"alert.{SETTLING[action]}", of=id_, visitor=alert["visitor"], said=said
    )
    await noted(gateway, change)
    return SETTLING[action]


async def _check(gateway: Gateway, alert: dict[str, Any], action: str, stage: str) -> None:
    if alert["status"] != "open":
        raise ProblemError(409, f"this alert is {alert['status']}")
    if stage:
        stages = (await gateway.deps.reader.stages()).get(alert["path"], [])
        if stage not in stages:
            raise ProblemError(
                422, f"no stage has this name; there are {', '.join(stages)}", field="stage"
            )
    if alert["kind"] == UNCERTAIN_SUCCESS and action != "close":
        raise ProblemError(422, "this alert is about one e-mail, and can only be closed")


async def _settled(gateway: Gateway, alert: str) -> tuple[str, str]:
    """Return (status, stage) as an alert's bot made of it; `open` if it has not said so within a while: it will."""
    left = gateway.deps.limits.settle_seconds_max
    while True:
        found = await gateway.deps.store.get_document("alerts", alert)
        if found is None or found["status"] != "open" or left <= 0:
            return (found["status"], found.get("stage", "")) if found is not None else ("open", "")
        await asyncio.sleep(SETTLE_LOOK_SECONDS)
        left -= SETTLE_LOOK_SECONDS


async def pause(gateway: Gateway, path: str, *, by: str) -> Any:
    """Hold every hand-over, or those of one path; nothing is lost. Return what is paused."""
    await _check_path(gateway, path)
    paused = await paused_paths(gateway)
    paths = "all" if paused == "all" or not path else sorted({*paused, path})
    return await _set_paused(gateway, paths, Change(by=by, act="hand_overs.paused", of=path))


async def resume(gateway: Gateway, path: str, *, by: str) -> Any:
    """Go on, with all or with one path. Return what is still paused."""
    await _check_path(gateway, path)
    paused = await paused_paths(gateway)
    if paused == "all" and path:
        raise ProblemError(409, "everything is paused; resume without a path first")
    paths = [each for each in paused if path and each != path]
    return await _set_paused(gateway, paths, Change(by=by, act="hand_overs.resumed", of=path))


async def archive(gateway: Gateway, path: str, *, by: str) -> list[str]:
    """Let nobody onto a path any more; who is on it goes on. Return what is archived."""
    await _check_path(gateway, path)
    kept = sorted({*await archived_paths(gateway), path})
    await _set(gateway, Change(by=by, act="path.archived", of=path), archived=kept)
    return kept


async def unarchive(gateway: Gateway, path: str, *, by: str) -> list[str]:
    """Let people onto a path again. Return what is still archived; raise 409 where it is not."""
    await _check_path(gateway, path)
    archived = await archived_paths(gateway)
    if path not in archived:
        raise ProblemError(409, "this path is not archived")
    kept = [each for each in archived if each != path]
    await _set(gateway, Change(by=by, act="path.unarchived", of=path), archived=kept)
    return kept


async def archived_paths(gateway: Gateway) -> list[str]:
    """Return the paths that nobody is let onto."""
    found = await gateway.deps.store.get_document(*PAUSE) or {}
    archived: list[str] = found.get("archived", [])
    return archived


async def _check_path(gateway: Gateway, path: str) -> None:
    """Raise a 422 for a path that no version has; empty stands for all."""
    known = await gateway.deps.reader.stages() if path else {}
    if path and path not in known:
        raise ProblemError(
            422, f"no path has this name; there are {', '.join(sorted(known))}", field="path"
        )


async def paused_paths(gateway: Gateway) -> Any:
    """Return what is paused: `all`, or names of paths."""
    found = await gateway.deps.store.get_document(*PAUSE)
    return found["paths"] if found else []


async def _set_paused(gateway: Gateway, paths: Any, change: Change) -> Any:
    await _set(gateway, change, paths=paths)
    return paths


async def _set(gateway: Gateway, change: Change, **held: Any) -> None:
    """Change one part of what is held, and leave the other as it stands whoever writes it at this moment."""
    store, now = gateway.deps.store, gateway.deps.clock.now()
    for _ in range(SET_TRIES_MAX):
        found = await store.get_document(*PAUSE)
        stands = {name: value for name, value in (found or {}).items() if name != "id"}
        fields = {"paths": [], "archived": []} | stands | held | {"at": now, "by": change.by}
        if await store.swap_document(*PAUSE, fields, stands if found is not None else None):
            await noted(gateway, change)
            return
    raise ProblemError(409, "somebody else changes what is held this very moment: try again")


async def noted(gateway: Gateway, change: Change) -> None:
    """Write a change into the audit log, at this moment of real time."""
    await note(gateway.deps.store, change, gateway.deps.wall_now())
