"""Show what is drawn: each path as a diagram with its people, split tests, and what the policies believe."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.asking import version_of
from messaging.gateway.console.door import Form, Visit, back_to
from messaging.gateway.console.drawing import ROOT
from messaging.gateway.console.learned import Heat, ModelNow
from messaging.gateway.console.lists import addresses, page_of
from messaging.gateway.console.plots import nice
from messaging.gateway.console.routine import laid_out, rows_of
from messaging.gateway.console.views import LOOK_SECONDS, desk_of
from messaging.gateway.problems import ProblemError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

PEOPLE_SHOWN = 10
"""Of those who stand at the stage that is shown."""

FAINTEST = 0.08
"""Opacity of the worst hour: it is a place on the map too."""


async def routines(visit: Visit) -> web.StreamResponse:
    """Lead to the first path's routine."""
    desk = desk_of(visit)
    paths = [*await desk.paths(), *(each.path for each in await desk.older())]
    if not paths:
        raise ProblemError(404, "no path is published yet")
    return back_to(f"{ROOT}routines/{quote(paths[0], safe='')}")


async def routine(visit: Visit) -> web.StreamResponse:
    """Show a path as a diagram, and one stage of it in full."""
    desk = desk_of(visit)
    version = version_of(visit.request)
    found = await desk.routine(visit.request.match_info["path"], version)
    if found is None:
        which = f"version {version} of the rules has no path" if version else "there is no path"
        raise ProblemError(404, f"{which} of this name")
    older = await desk.older()
    wanted = visit.text("stage")
    stage = next((each for each in found.stages if each.name == wanted), found.stages[0])
    return await visit.page(
        "routine.html",
        here="routines",
        seconds=LOOK_SECONDS,
        paths=await desk.paths(),
        lost=[each for each in older if not each.has_path],
        version=version,
        found=found,
        diagram=laid_out(found),
        rows=rows_of(found),
        stage=stage,
        people=await desk.people("", PEOPLE_SHOWN, place=(found.name, stage.name)),
        is_paused=found.name in await acts.paused_paths(visit.gateway),
        is_archived=found.name in await acts.archived_paths(visit.gateway),
    )


async def experiments(visit: Visit) -> web.StreamResponse:
    """Show how each split test stands."""
    verdict = visit.text("verdict")
    known = await visit.gateway.deps.reader.experiments()
    found = [each for each in known if verdict in ("", each["verdict"])]
    rows, after, following = page_of(visit, found, lambda each: str(each["policy"]))
    return await visit.page(
        "experiments.html",
        here="experiments",
        seconds=LOOK_SECONDS,
        tests=[{**each, "scale": _scale(each), "known": _known(each)} for each in rows],
        verdict=verdict,
        verdicts=sorted({each["verdict"] for each in known}),
        pages=addresses(f"{ROOT}experiments", {"verdict": verdict}, after, following),
    )


def _scale(test: dict[str, Any]) -> float:
    """Return the rate at which the drawing of intervals ends: a round one above all of those that are worth it."""
    known = [each["high"] for each in (*test["variants"], test["holdout"]) if each["visitors"]]
    return min(1.0, nice(max(known, default=1.0)))


def _known(test: dict[str, Any]) -> int:
    """Return how many visitors are counted, over all variants."""
    return sum(int(each["visitors"]) for each in test["variants"])


async def learning(visit: Visit) -> web.StreamResponse:
    """Show what each policy believes, and how sure it is."""
    desk = desk_of(visit)
    now = await desk.learning()
    return await visit.page(
        "learning.html",
        here="learning",
        now=now,
        days=DAYS,
        cells=_cells(now.heat) if now.heat is not None else [],
        span=_span(now.heat) if now.heat is not None else (0.0, 0.0),
        models=[{"model": each, "scale": _curve_scale(each)} for each in now.models],
    )


async def resume_learning(visit: Visit, form: Form) -> web.StreamResponse:
    """Turn a policy on again that was taken back, as an editor decided."""
    await acts.resume_learning(visit.gateway, form.get("policy", ""), by=visit.session.user)
    return back_to(f"{ROOT}learning", "learning-on")


def _curve_scale(model: ModelNow) -> float:
    """Return the probability at which a curve's drawing ends."""
    return min(1.0, nice(max((max(each.said, each.came) for each in model.curve), default=1.0)))


def _span(heat: Heat) -> tuple[float, float]:
    rates = [rate for day in heat.rates for rate in day]
    return min(rates), max(rates)


def _cells(heat: Heat) -> list[dict[str, object]]:
    """Return the squares of the heat map: place, opacity, and what each says."""
    low, high = _span(heat)
    found = []
    for day, rates in enumerate(heat.rates):
        for hour, rate in enumerate(rates):
            part = (rate - low) / (high - low) if high > low else 0.0
            sends = heat.sends[day][hour]
            said = f"{DAYS[day]} {hour:02}:00: {100 * rate:.1f} % answer, {sends:,.0f} sends"
            opacity = FAINTEST + (1 - FAINTEST) * part
            found.append({"day": day, "hour": hour, "opacity": f"{opacity:.3f}", "said": said})
    return found
