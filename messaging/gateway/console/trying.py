"""Let a draft be tried before it touches anyone: ask for a trial, see how far it is, and what it came to.

Rule 1: a trial is long work: a page only asks for it, and looks again until it is done.
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.console.door import Form, Visit, back_to
from messaging.gateway.console.drawing import ROOT
from messaging.gateway.console.lists import addresses, after_of
from messaging.gateway.console.plots import columns
from messaging.gateway.console.rules import rulebook_of
from messaging.gateway.console.trials import SIMULATE, TRY, Trial
from messaging.gateway.problems import ProblemError

LOOK_SECONDS = 1.0

TRIALS_SHOWN = 10
"""On one page."""
_ID = re.compile(r"[0-9a-f]{16}")


async def tries(visit: Visit) -> web.StreamResponse:
    """Show what was tried on the journal, and the form that asks for more."""
    return await _asking(visit, TRY)


async def simulations(visit: Visit) -> web.StreamResponse:
    """Show what was simulated, and the form that asks for more."""
    return await _asking(visit, SIMULATE)


async def ask_try(visit: Visit, form: Form) -> web.StreamResponse:
    """Ask for a trial on the journal."""
    return await _ask(visit, TRY, form)


async def ask_simulation(visit: Visit, form: Form) -> web.StreamResponse:
    """Ask for a simulation."""
    return await _ask(visit, SIMULATE, form)


async def one_try(visit: Visit) -> web.StreamResponse:
    """Show a trial on the journal."""
    return await _one(visit, TRY)


async def one_simulation(visit: Visit) -> web.StreamResponse:
    """Show a simulation."""
    return await _one(visit, SIMULATE)


async def cancel_try(visit: Visit, _: Form) -> web.StreamResponse:
    """End a trial on the journal."""
    return await _cancel(visit, TRY)


async def cancel_simulation(visit: Visit, _: Form) -> web.StreamResponse:
    """End a simulation."""
    return await _cancel(visit, SIMULATE)


async def _asking(visit: Visit, kind: str) -> web.StreamResponse:
    trials, book = acts.trials_of(visit.gateway), rulebook_of(visit)
    now = await book.now()
    given = visit.text("version")
    chosen = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else now.newest
    after = after_of(visit)
    found = await trials.newest(kind, after, TRIALS_SHOWN)
    is_under_way = any(each.is_under_way for each in found.lines)
    return await visit.page(
        "trials.html",
        here=kind,
        seconds=LOOK_SECONDS if is_under_way else 0.0,
        kind=kind,
        now=now,
        chosen=chosen,
        trials=found.lines,
        pages=addresses(f"{ROOT}{kind}", {}, after, found.after),
        visitor=visit.text("visitor") if kind == TRY else "",
    )


async def _ask(visit: Visit, kind: str, form: Form) -> web.StreamResponse:
    id_ = await acts.ask_trial(visit.gateway, kind, form, by=visit.session.user, strict=False)
    return back_to(f"{ROOT}{kind}/{id_}")


async def _one(visit: Visit, kind: str) -> web.StreamResponse:
    found = await trial_of(visit, kind)
    trials = acts.trials_of(visit.gateway)
    if found.asked.get("one"):
        return await visit.page(
            "trial_one.html",
            here=kind,
            seconds=LOOK_SECONDS if found.is_under_way else 0.0,
            found=found,
            one=await trials.one(found.id),
        )
    people = await trials.people(found.id)
    return await visit.page(
        f"trial_{kind}.html",
        here=kind,
        seconds=LOOK_SECONDS if found.is_under_way else 0.0,
        found=found,
        people=people,
        plots=_plots(found.result) if kind == SIMULATE and found.result else {},
    )


async def _cancel(visit: Visit, kind: str) -> web.StreamResponse:
    found = await trial_of(visit, kind)
    await acts.cancel_trial(visit.gateway, kind, found.id, by=visit.session.user)
    return back_to(f"{ROOT}{kind}/{found.id}", "cancelled")


async def trial_of(visit: Visit, kind: str) -> Trial:
    """Return the trial that the address names. Raise 404."""
    id_ = visit.request.match_info["id"]
    found = await acts.trials_of(visit.gateway).trial(id_) if _ID.fullmatch(id_) else None
    if found is None or found.kind != kind:
        raise ProblemError(
            404, "there is no such trial (any more): the newest of each kind are kept"
        )
    return found


def _plots(result: dict[str, Any]) -> dict[str, Any]:
    """Return the charts of a simulation."""
    return {
        name: columns(
            [str(each["name"]) for each in result[name]],
            [
                ("published", [float(each["now"] or 0) for each in result[name]]),
                ("draft", [float(each["draft"] or 0) for each in result[name]]),
            ],
        )
        for name in ("days", "hours")
    }
