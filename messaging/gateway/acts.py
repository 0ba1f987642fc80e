"""Carry out what people order: settle an alert, hold hand-overs, go on. The admin API and the console share it.

Rules
1. What is ordered is checked against what stands in the store; what does not fit is a problem that says why.
2. Each order that took effect is written into the audit log, with who gave it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from messaging.gateway.asking import understood
from messaging.gateway.console.desk import Desk, NotExportedError
from messaging.gateway.console.learned import Evaluation
from messaging.gateway.console.mailings import Draft, Mailings, Preview
from messaging.gateway.console.publications import (
    RUNS,
    PublishOrder,
    published_change,
    saved_change,
)
from messaging.gateway.console.rulebook import Edit, Rulebook, Saved
from messaging.gateway.console.trials import ORDERS, SIMULATE, TRY, Order, Trials, TryOrder
from messaging.gateway.deps import Gateway
from messaging.gateway.problems import ProblemError, overloaded, unreadable
from messaging.mail.asking import LinkAnswer
from messaging.store.audit_log import Change, note
from messaging.vocabulary.effects import HARM, UNCERTAIN_SUCCESS
from messaging.vocabulary.events import AlertSettled
from messaging.vocabulary.ids import own_id, policy_key

AGAINST = ("rules", "uniform")
WEIGHT_MAX = 1e9

SETTLE_LOOK_SECONDS = 0.05

ACTS_OF = {TRY: "try", SIMULATE: "simulation"}
"""Kind of trial -> what the audit log calls it."""

SETTLING = {"resume": "resumed", "change": "changed", "close": "closed"}

CAME_FIRST = {
    "goal": "the goal was reached",
    "merge": "the alert of the same visitor's other half stays",
    "entry": "they came again",
}
"""What settled an alert before a person's word was heard -> in words."""

PAUSE_TRIES_MAX = 20
"""How often what is paused is read again because somebody else changed it meanwhile."""

PAUSE = ("control", "pause")
"""The document that says what is held: `{"paths": "all" | [path, …], "before": [path, …], "archived": [path, …]}`.

`before`: beside "all", what was paused by itself. Of `paths` nothing is handed over, and of a path that is named
nothing is planned; nobody is let onto an archived one.
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
    fact = settlement(alert, action, by=by, stage=stage)
    # Derived: of two who press the same button at once, one is told so. Of different buttons, or stages, the bot takes
    # the first.
    is_first = await gateway.journal_fact(
        fact, message_id=own_id("alert settled", alert["id"], action, stage)
    )
    if not is_first:
        raise ProblemError(409, f"this alert is being {SETTLING[action]}")
    before = alert["status"]
    status, at_stage, settled_by = await _settled(gateway, alert["id"], before)
    is_elsewhere = status == "changed" and at_stage != stage
    if status not in (before, SETTLING[action]) or is_elsewhere:
        place = f" to {at_stage}" if at_stage else ""
        if settled_by in CAME_FIRST:
            raise ProblemError(409, f"this alert was closed by itself: {CAME_FIRST[settled_by]}")
        raise ProblemError(409, f"this alert is {status}{place}: somebody else was first")
    said = f"path {alert['path']}" + (f", from stage {stage}" if stage else "")
    said += f", {alert['kind']}" if fact.policy else ""
    change = Change(
        by=by, act=f"alert.{SETTLING[action]}", of=id_, visitor=alert["visitor"], said=said
    )
    await noted(gateway, change)
    return SETTLING[action]


def settlement(
    alert: dict[str, Any], action: str, *, by: str = "admin", stage: str = ""
) -> AlertSettled:
    """Return what is journaled of a person's decision on an alert (a row of `alerts`)."""
    policy = alert.get("policy", "")
    return AlertSettled(
        visitor=policy_key(policy) if policy else alert["visitor"],
        alert_id=alert["id"],
        path=alert["path"],
        run=alert["run"],
        action=action,
        by=by,
        stage=stage,
        kind=alert["kind"],
        policy=policy,
    )


async def _check(gateway: Gateway, alert: dict[str, Any], action: str, stage: str) -> None:
    if alert["kind"] == HARM and action == "resume" and alert["status"] in ("open", "closed"):
        return  # closed is seen: learning is on again once a person says so
    if alert["status"] != "open":
        raise ProblemError(409, f"this alert is {alert['status']}")
    if alert["kind"] == HARM and action == "change":
        raise ProblemError(
            409, "this alert is about no visitor: resume turns learning on again, close does not"
        )
    if alert.get("policy"):
        if action == "close":
            return
        raise ProblemError(
            409, "this alert is about no visitor, and no run waits for it: it can only be closed"
        )
    if stage:
        version = alert.get("rules_version")
        stages = (await gateway.deps.reader.stages(version)).get(alert["path"], [])
        if stage not in stages:
            raise ProblemError(
                422, f"no stage has this name; there are {', '.join(stages)}", field="stage"
            )
    if alert["kind"] == UNCERTAIN_SUCCESS and action != "close":
        raise ProblemError(422, "this alert is about one e-mail, and can only be closed")
    why = await gateway.deps.reader.unwritable(alert["visitor"]) if action != "close" else ""
    if why:
        raise ProblemError(
            409, f"{why}: a new run would end at once. Close it, or go on when that has changed"
        )


async def _settled(gateway: Gateway, alert: str, before: str) -> tuple[str, str, str]:
    """Return (status, stage, by whom) as an alert's bot made of it.

    As before if it has not said so within a while: it will.
    """
    left = gateway.deps.limits.settle_seconds_max
    while True:
        found = await gateway.deps.store.get_document("alerts", alert)
        if found is None or found["status"] != before or left <= 0:
            row = found or {"status": before}
            return row["status"], row.get("stage", ""), row.get("by", "")
        await asyncio.sleep(SETTLE_LOOK_SECONDS)
        left -= SETTLE_LOOK_SECONDS


async def evaluation(gateway: Gateway, policy: str, against: str | dict[str, float]) -> Evaluation:
    """Return what the decision log says of a policy beside another one. Raise 404 or 422."""
    if isinstance(against, str) and against not in AGAINST:
        raise ProblemError(
            422, f"against is {' or '.join(AGAINST)}, or arms with weights", field="against"
        )
    if isinstance(against, dict) and not _are_weights(against):
        raise ProblemError(
            422,
            f"weights are numbers from 0 to {WEIGHT_MAX:,.0f}, one of them above 0",
            field="against",
        )
    found = await desk_of(gateway).evaluation(policy, against)
    if found is None:
        raise await _no_policy(gateway)
    return found


def _are_weights(weights: dict[str, float]) -> bool:
    return all(0.0 <= each <= WEIGHT_MAX for each in weights.values()) and any(weights.values())


async def _no_policy(gateway: Gateway) -> ProblemError:
    known = [each.policy for each in (await desk_of(gateway).learning()).guarded]
    there = f"there are {', '.join(known)}" if known else "there is none yet"
    return ProblemError(404, f"no policy that chooses has this name; {there}", field="policy")


async def resume_learning(gateway: Gateway, policy: str, *, by: str) -> str:
    """Turn a policy that was taken back on again; return what its alert is now.

    Raise 404 where there is no such policy, 409 where it was not taken back, or somebody else was first.
    """
    known = {each.policy: each for each in (await desk_of(gateway).learning()).guarded}
    found = known.get(policy)
    if found is None:
        raise await _no_policy(gateway)
    if not found.is_taken_back:
        raise ProblemError(
            409, f"{policy} was not taken back: it is learning, nothing is to resume"
        )
    return await settle(gateway, found.alert, "resume", by=by)


async def pause(gateway: Gateway, path: str, *, by: str) -> Any:
    """Hold every hand-over, or those of one path; nothing is lost. Return what is paused."""
    await _check_path(gateway, path)

    def more(held: dict[str, Any]) -> dict[str, Any]:
        paths, before = held["paths"], held.get("before", [])
        if paths == "all":  # what is paused by itself is so after the pause of all, too
            return {"before": sorted({*before, path}) if path else before}
        if not path:
            return {"paths": "all", "before": paths}
        return {"paths": sorted({*paths, path})}

    return (await _set(gateway, Change(by=by, act="hand_overs.paused", of=path), more))["paths"]


async def resume(gateway: Gateway, path: str, *, by: str) -> Any:
    """Go on, with all or with one path. Return what is still paused: also what was so by itself before all was."""
    await _check_path(gateway, path, *await _may_go_on(gateway))

    def less(held: dict[str, Any]) -> dict[str, Any]:
        paths = held["paths"]
        if paths == "all":
            if path:
                raise ProblemError(409, "everything is paused; resume without a path first")
            return {"paths": held.get("before", []), "before": []}
        return {"paths": [each for each in paths if path and each != path]}

    return (await _set(gateway, Change(by=by, act="hand_overs.resumed", of=path), less))["paths"]


async def archive(gateway: Gateway, path: str, *, by: str) -> list[str]:
    """Let nobody onto a path any more; who is on it goes on. Return what is archived."""
    await _check_path(gateway, path)
    change = Change(by=by, act="path.archived", of=path)
    held = await _set(gateway, change, lambda held: {"archived": sorted({*held["archived"], path})})
    kept: list[str] = held["archived"]
    return kept


async def unarchive(gateway: Gateway, path: str, *, by: str) -> list[str]:
    """Let people onto a path again. Return what is still archived; raise 409 where it is not."""
    await _check_path(gateway, path, *await _may_go_on(gateway))

    def less(held: dict[str, Any]) -> dict[str, Any]:
        if path not in held["archived"]:
            raise ProblemError(409, "this path is not archived")
        return {"archived": [each for each in held["archived"] if each != path]}

    change = Change(by=by, act="path.unarchived", of=path)
    kept: list[str] = (await _set(gateway, change, less))["archived"]
    return kept


async def archived_paths(gateway: Gateway) -> list[str]:
    """Return the paths that nobody is let onto."""
    found = await gateway.deps.store.get_document(*PAUSE) or {}
    archived: list[str] = found.get("archived", [])
    return archived


async def held_by_name(gateway: Gateway) -> tuple[set[str], set[str]]:
    """Return the paths that are paused, and those that are archived, each by name."""
    found = await gateway.deps.store.get_document(*PAUSE) or {}
    paused = found.get("paths", [])
    by_name = {*(paused if paused != "all" else []), *found.get("before", [])}
    return by_name, set(found.get("archived", []))


async def _may_go_on(gateway: Gateway) -> set[str]:
    """Return the paths that are paused or archived by name: what is held can go on, whatever is published."""
    paused, archived = await held_by_name(gateway)
    return paused | archived


async def _check_path(gateway: Gateway, path: str, *held: str) -> None:
    """Raise a 422 for a path that was never published, and is not `held`; empty stands for all."""
    if not path or path in held:
        return
    known = await gateway.deps.reader.paths()
    if path not in known:
        there_are = ", ".join(known) or "none: nothing was published"
        raise ProblemError(
            422, f"no published path has this name; there are {there_are}", field="path"
        )


async def paused_paths(gateway: Gateway) -> Any:
    """Return what is paused: `all`, or names of paths."""
    found = await gateway.deps.store.get_document(*PAUSE)
    return found["paths"] if found else []


def desk_of(gateway: Gateway) -> Desk:
    """Return the desk. Raise 404 where the gateway runs without one."""
    desk = gateway.deps.desk
    if desk is None:
        raise ProblemError(404, "this gateway has no bots behind it")
    return desk


def rulebook_of(gateway: Gateway) -> Rulebook:
    """Return the rulebook. Raise 404 where the gateway runs without one."""
    book = gateway.deps.rulebook
    if book is None:
        raise ProblemError(404, "this gateway has no rules behind it")
    return book


def mailings_of(gateway: Gateway) -> Mailings:
    """Return the mailings. Raise 404 where the gateway runs without."""
    found = gateway.deps.mailings
    if found is None:
        raise ProblemError(404, "this gateway has no templates behind it")
    return found


async def erase(gateway: Gateway, visitor: str, *, by: str) -> str:
    """Ask for an erasure, and return its receipt; it goes on by itself."""
    receipt = await desk_of(gateway).erase(visitor, gateway.deps.wall_now())
    # Not of whom: the row outlives them.
    await noted(gateway, Change(by=by, act="visitor.erased", of=f"receipt {receipt}"))
    return receipt


async def export(gateway: Gateway, visitor: str, *, by: str) -> str:
    """Return all of one person's data as JSON. Raise 503 where it cannot be had here now, and say how else."""
    try:
        document = await desk_of(gateway).export(visitor)
    except NotExportedError as error:
        elsewhere = "`mdma export` on the machine has no such limits"
        raise ProblemError(503, f"nothing was written out: {error}; {elsewhere}") from None
    if not document:
        raise overloaded("the data of somebody else is being written out")
    await noted(gateway, Change(by=by, act="visitor.exported", visitor=visitor))
    return document


async def save(gateway: Gateway, edit: Edit, *, by: str) -> Saved:
    """Make a version of another one with one file changed."""
    saved = await rulebook_of(gateway).save(edit, by, gateway.deps.wall_now())
    if saved.outcome == "saved":
        said = edit.file if edit.text is not None else f"{edit.file} removed"
        said += f", of version {edit.base}" if edit.base != edit.seen else ""
        await noted(gateway, saved_change(saved.version, said, by=by))
    return saved


async def publish(gateway: Gateway, number: int, order: PublishOrder, *, by: str) -> None:
    """Publish a version in the place of the one that was seen as published. Raise 409 or 422."""
    for choice, field in (
        (order.runs, "runs"),
        *((each, "groups") for each in order.groups.values()),
    ):
        if choice not in RUNS:
            raise ProblemError(422, f"runs under way can {', '.join(RUNS)}", field=field)
    now = gateway.deps.wall_now()
    came = await rulebook_of(gateway).publish(number, order, by, now)
    if came.outcome == "impossible":
        raise ProblemError(422, came.said, field="groups")
    if came.outcome == "same":
        raise ProblemError(409, f"nothing was published: {came.said}", field="id")
    if came.outcome == "late":
        raise ProblemError(
            409, "somebody else published meanwhile: look at what is published now, then decide"
        )
    await noted(gateway, published_change(number, order.instead_of, came.said, by=by))


async def send_test(
    gateway: Gateway, name: str, to: str, *, by: str, draft: Draft | None = None
) -> None:
    """Send a template to an address of our own, `draft` as somebody is writing it. Raise 422 where it does not go."""
    said = await mailings_of(gateway).send_test(name, to, by, draft)
    if said != "sent":
        raise ProblemError(422, f"the test was not sent: {said}", field="to")
    await noted(gateway, Change(by=by, act="template.tested", of=name))


async def check_links(
    gateway: Gateway, name: str, visitor: str, *, by: str
) -> tuple[Preview, list[LinkAnswer]]:
    """Ask where the links of a template lead whether anything is there; return as what it was seen, and the answers.

    Raise 404 for what is not there, 422 where it cannot be composed, 429 where somebody asked too often.
    """
    found = await mailings_of(gateway).preview(name, visitor)
    if found is None:
        raise ProblemError(404, "there is no such template, or no such visitor")
    if found.mail is None:
        raise ProblemError(422, f"it cannot be composed for this reader: {found.failed}")
    answers = await mailings_of(gateway).ask_links(found.links, by)
    await noted(gateway, Change(by=by, act="template.links_checked", of=name))
    return found, answers


def trials_of(gateway: Gateway) -> Trials:
    """Return who keeps trials. Raise 404 where the gateway runs without."""
    found = gateway.deps.trials
    if found is None:
        raise ProblemError(404, "this gateway has no trials behind it")
    return found


async def ask_trial(
    gateway: Gateway, kind: str, given: Mapping[str, Any], *, by: str, strict: bool = True
) -> str:
    """Put a trial in the line and return its id; without `strict` numbers may come as text, from a form.

    Raise 422 for what cannot be asked, 404 for a version or a visitor that is not there, 503 where the line is full.
    """
    trials = trials_of(gateway)
    order: Order = understood(dict(given), ORDERS[kind], strict=strict)
    book = rulebook_of(gateway)
    if not (await book.now()).newest:
        raise ProblemError(404, "there is no version of the rules yet")
    if order.version and await book.version(order.version) is None:
        raise ProblemError(404, "there is no version of this number")
    visitor = ""
    if isinstance(order, TryOrder) and order.visitor.strip():
        visitor = await gateway.deps.reader.find(order.visitor.strip()) or ""
        if not visitor:
            raise ProblemError(404, "nobody is known by this, or they were erased")
        order = msgspec.structs.replace(order, visitor=visitor)
    id_ = await trials.ask(kind, order, by, gateway.deps.wall_now())
    if not id_:
        raise overloaded(
            "others wait for a trial already: cancel one, or come back in some minutes"
        )
    said = f"version {order.version or 'newest'}, {order.days} days"
    change = Change(by=by, act=f"{ACTS_OF[kind]}.asked", of=id_, visitor=visitor, said=said)
    await noted(gateway, change)
    return id_


async def cancel_trial(gateway: Gateway, kind: str, id_: str, *, by: str) -> None:
    """End a trial that is under way. Raise 409 where it is not."""
    if not await trials_of(gateway).cancel(id_):
        raise ProblemError(409, "this trial is not under way any more")
    await noted(gateway, Change(by=by, act=f"{ACTS_OF[kind]}.cancelled", of=id_))


async def _set(
    gateway: Gateway, change: Change, changed: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Change what is held from what it is at that moment, whoever else writes it; return it.

    Raise what `changed` raises, or 503 where others change it again and again.
    """
    store, now = gateway.deps.store, gateway.deps.clock.now()
    for _ in range(PAUSE_TRIES_MAX):
        found = await store.get_document(*PAUSE)
        stands = {name: value for name, value in (found or {}).items() if name != "id"}
        held = {"paths": [], "archived": []} | stands
        held |= changed(held) | {"at": now, "by": change.by}
        if await store.swap_document(*PAUSE, held, stands if found is not None else None):
            await noted(gateway, change)
            return held
    raise ProblemError(503, "others are changing what is held: try again")


async def noted(gateway: Gateway, change: Change) -> None:
    """Write a change into the audit log, at this moment of real time."""
    await note(gateway.deps.store, change, gateway.deps.wall_now())
