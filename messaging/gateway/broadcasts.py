"""Order a broadcast, show how it fares, call it off. `agents.runtime.broadcaster` passes over the visitors with it.

Rules
1. What is ordered is checked against the published version, and stays on it.
2. An order has a name that the caller gives it; said again it is the same order, and another order is refused by it.
3. To a cohort that is being filled nothing goes now: a pass would end before its people are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from messaging.gateway import acts
from messaging.gateway.console.rulebook import Rulebook, RulesNow
from messaging.gateway.deps import Gateway
from messaging.gateway.paging import After
from messaging.gateway.problems import ProblemError, listed
from messaging.store.audit_log import Change, note
from messaging.vocabulary.ids import derive

BROADCASTS, RECIPIENTS = "broadcasts", "recipients"
STATUSES = ("planned", "sent", "refused", "cancelled", "moved")
"""What may have become of a broadcast for one visitor."""

ID_CHARS = 12
AHEAD_DAYS_MAX = 366
"""So far ahead an order may be due: what lies further is a slip of the pen, and would wait for good."""

PAST_MAX = timedelta(minutes=1)
"""An order may be due so long ago and is carried out at once; what lies further back is a slip of the pen."""

OPEN = ("ordered", "under way")
CANCELLING = "cancelling"

NOT_HELD = (
    "that does not hold a broadcast, which goes out all the same, also to who is at a stage that holds others; "
    "only a pause of everything holds it"
)

LATE = timedelta(days=1)
"""So long after everybody was asked nothing comes any more of whom no row speaks: they were erased since."""


@dataclass(frozen=True, slots=True)
class Order:
    """Hold what one call wants."""

    template: str
    cohort: str
    path: str
    """Whose caps, quiet hours and sender hold; empty: the only path's."""
    at: datetime | None
    """World time; None: now."""
    request: str
    priority: int
    dry_run: bool


async def order(gateway: Gateway, book: Rulebook, wanted: Order, *, by: str) -> dict[str, Any]:
    """Write an order down and return it as it stands.

    Raise 422 for what the published version does not have, and 409 where another order has this name already, or the
    cohort is being filled.
    """
    deps = gateway.deps
    now = await book.now()
    if await book.file(now.published, f"templates/{wanted.template}.yaml") is None:
        problem = f"the published version has no template {wanted.template}"
        raise ProblemError(422, problem, field="template")
    if why := (await book.by_themselves(now.published)).get(wanted.template):
        problem = f"template {wanted.template} cannot be sent to a cohort: {why}"
        raise ProblemError(422, problem, field="template")
    _known("cohort", wanted.cohort, [each.name for each in now.cohorts])
    paths = [each.name for each in now.paths]
    path = wanted.path or (paths[0] if len(paths) == 1 else "")
    _known("path", path, paths)
    id_ = order_id(wanted.request, dry_run=wanted.dry_run)
    at = _due(wanted.at if wanted.at is not None else deps.clock.now(), deps.clock.now())
    if await deps.store.get_document(BROADCASTS, id_) is None:
        _check_time(at, deps.clock.now())
        if at <= deps.clock.now():
            _check_filled(now, wanted.cohort)
    fields = {
        "at": at,
        "by": by,
        "template": wanted.template,
        "cohort": wanted.cohort,
        "path": path,
        "version": now.published,
        "priority": wanted.priority,
        "dry_run": wanted.dry_run,
        "status": OPEN[0],
        "after": "",
        "told": {},
    }
    if await deps.store.swap_document(BROADCASTS, id_, fields, None) and not wanted.dry_run:
        said = f"template {wanted.template} to cohort {wanted.cohort}, at {at:%Y-%m-%d %H:%M} UTC"
        await _note(gateway, Change(by=by, act="broadcast.ordered", of=id_, said=said))
    found = await show(gateway, id_)
    asked = ("template", "cohort", "path", "priority", *(("at",) if wanted.at is not None else ()))
    if other := [name for name in asked if found[name] != fields[name]]:
        was = ", ".join(f"{name} {found[name]}" for name in other)
        problem = (
            f"this name stands for another order already ({was}): give this one a name of its own"
        )
        raise ProblemError(409, problem, field="request")
    return found


def order_id(request: str, *, dry_run: bool) -> str:
    """Return the id of an order that the caller gave this name."""
    return derive("dry run" if dry_run else "broadcast", request)[:ID_CHARS]


async def show(gateway: Gateway, id_: str) -> dict[str, Any]:
    """Return an order with what became of it so far. Raise 404."""
    store = gateway.deps.store
    found = await store.get_document(BROADCASTS, id_)
    if found is None:
        raise ProblemError(404, "there is no such broadcast")
    counts = {s: await store.count(RECIPIENTS, {"broadcast": id_, "status": s}) for s in STATUSES}
    shown = {**_shown(found), "recipients": counts}
    notes = await _gone(gateway, found)
    if found["dry_run"] or may_be_called_off(shown, gateway.deps.clock.now()):
        notes += await _notes(gateway, found["path"])
    return shown | {"notes": notes} if notes else shown


async def list_all(
    gateway: Gateway, limit: int, after: After | None = None
) -> list[dict[str, Any]]:
    """Return orders, the newest first; those behind `after`."""
    rows = await gateway.deps.store.rows(BROADCASTS, {}, limit=limit, after=after)
    return [_shown(row) for row in rows]


async def cancel(gateway: Gateway, id_: str, *, by: str) -> dict[str, Any]:
    """Call an order off: nobody more is told, and what is still planned is not sent.

    Raise 404, or 409, also where nothing is left that could be called off.
    """
    store = gateway.deps.store
    found = await store.get_document(BROADCASTS, id_)
    if found is None:
        raise ProblemError(404, "there is no such broadcast")
    for status in (*OPEN, "done"):
        if status == "done":
            await _check_not_over(gateway, id_)
        found = await store.get_document(BROADCASTS, id_) or found
        fields = {name: value for name, value in found.items() if name != "id"}
        expected = {"status": status, "after": found["after"]}
        if await store.swap_document(BROADCASTS, id_, fields | {"status": CANCELLING}, expected):
            await _note(gateway, Change(by=by, act="broadcast.cancelled", of=id_))
            return await show(gateway, id_)
    if found["status"] in (CANCELLING, "cancelled"):
        raise ProblemError(409, "this broadcast is called off already")
    raise ProblemError(409, "this broadcast goes on this very moment: try again")


async def _notes(gateway: Gateway, path: str) -> list[str]:
    """Return what whoever orders by a path may not expect: that it is held by name does not hold a broadcast."""
    paused, archived = await acts.held_by_name(gateway)
    is_held = {"paused": path in paused, "archived": path in archived}
    said = " and ".join(word for word, is_so in is_held.items() if is_so)
    return [f"the path {path} is {said}: {NOT_HELD}"] if said else []


async def _gone(gateway: Gateway, found: dict[str, Any]) -> list[str]:
    """Return why nobody is found of whom an order is: its cohort was dropped since."""
    if found["told"] or found["status"] not in (*OPEN, "done") or gateway.deps.rulebook is None:
        return []
    now = await gateway.deps.rulebook.now()
    if found["cohort"] in [each.name for each in now.cohorts]:
        return []
    return [
        f"version {now.published}, which is published, has no cohort {found['cohort']}: nobody is found in it"
    ]


def may_be_called_off(found: dict[str, Any], now: datetime) -> bool:
    """Say whether anything of an order is still to come: somebody waits, or their row is not written yet."""
    if found["status"] in OPEN:
        return True
    if found["status"] != "done" or found["dry_run"]:
        return False
    if found["recipients"]["planned"]:
        return True
    is_known_of_all = sum(found["recipients"].values()) >= sum(found["told"].values())
    return not is_known_of_all and now - found["completed_at"] < LATE


async def _check_not_over(gateway: Gateway, id_: str) -> None:
    """Raise 409 for an order that came to its end, and of which nobody waits."""
    found = await show(gateway, id_)
    if found["status"] != "done" or may_be_called_off(found, gateway.deps.clock.now()):
        return
    if found["dry_run"]:
        raise ProblemError(
            409, "this dry run is over, and sent nothing: there is nothing to call off"
        )
    raise ProblemError(409, "everybody has it already who gets it: nothing is left to call off")


def _due(at: datetime, now: datetime) -> datetime:
    """Return when an order is due, as a store keeps it. Raise 422 for what no calendar has, or is too far ahead."""
    try:
        due = at.astimezone(UTC)
        due = due.replace(microsecond=due.microsecond // 1000 * 1000)
    except OverflowError:
        raise ProblemError(422, "no calendar has this time", field="at") from None
    if due > now + timedelta(days=AHEAD_DAYS_MAX):
        problem = (
            f"at may lie {AHEAD_DAYS_MAX} days ahead at most, by world time: now is {now:%Y-%m-%d}"
        )
        raise ProblemError(422, problem, field="at")
    return due


def _check_time(at: datetime, now: datetime) -> None:
    """Raise 422 for what was due in the past."""
    if at < now - PAST_MAX:
        problem = (
            f"at is past: by world time it is {now:%Y-%m-%dT%H:%M:%SZ}; name a later time, "
            "or none at all to send it now"
        )
        raise ProblemError(422, problem, field="at")


def _check_filled(now: RulesNow, cohort: str) -> None:
    """Raise 409 for a cohort whose people are not all known yet."""
    filled = next(each.filled for each in now.cohorts if each.name == cohort)
    if filled < 100:
        problem = (
            f"cohort {cohort} is being filled since it was published ({filled} % done), and not all who belong "
            "in it are known: order it once that is done, or name a later time by at"
        )
        raise ProblemError(409, problem, field="cohort")


def _known(what: str, name: str, names: list[str]) -> None:
    if name not in names:
        problem = f"name a {what} of the published version; there are {listed(names)}"
        raise ProblemError(422, problem, field=what)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return an order without the place at which its pass stands."""
    return {name: value for name, value in row.items() if name != "after"}


async def _note(gateway: Gateway, change: Change) -> None:
    await note(gateway.deps.store, change, gateway.deps.wall_now())
