"""Read the names of figures: what Rules and Sales keep of their visitors, in the shape of the admin API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from agents.sales_bot.shown import WAYS

STANDING = ("planned", "sending", "waiting", "visiting", "alerted")
"""Statuses of a run whose visitor stands at its stage now: on the way, or with a person."""


BOUNDS = ("let_go", "over_minute")
"""Bounds of what is known of one visitor: of the marks that are kept, and of the events of one minute."""

BOUNDED = ("visitors", "events")


def cohort_group(cohort: str) -> str:
    """Return what the visitors of a cohort are listed under."""
    return f"cohorts/{cohort}"


def stage_groups(path: str, stage: str, statuses: Iterable[str] = STANDING) -> list[str]:
    """Return what the visitors at a stage of a path are listed under."""
    return [f"runs/{path}/{status}/{stage}" for status in statuses]


def sales_in(figures: dict[str, float]) -> dict[str, Any]:
    """Return what was sold, by currency: nothing in one is added to anything in another.

    `currencies` has for each its orders, revenue, what was given back, and template -> credit in both ways (but for
    revenue over remembered orders); the one with the most orders goes first, and is repeated at the top. `unread`:
    orders whose worth or currency could not be taken as told.

    >>> sold = sales_in({"orders/EUR": 1, "revenue/EUR": 5.0, "revenue/USD": 2.0})
    >>> sold["currency"], sold["revenue"], [each["revenue"] for each in sold["currencies"]]
    ('EUR', 5.0, [5.0, 2.0])
    """
    found: dict[str, dict[str, Any]] = {}
    for name, value in sorted(figures.items()):
        kind, _, rest = name.partition("/")
        way = ""
        if kind == "credit":
            way, _, rest = rest.partition("/")
        currency, _, template = rest.rpartition("/") if way else (rest, "", "")
        if kind not in ("orders", "revenue", "refunded", "credit") or name == "orders":
            continue
        one = found.setdefault(currency, _nothing_sold(currency))
        if way:
            credit = one["credit"].setdefault(template, dict.fromkeys(WAYS, 0.0))
            credit[way] = round(credit[way] + value, 2)
        else:
            one[kind] = int(value) if kind == "orders" else round(value, 2)
    currencies = sorted(found.values(), key=lambda one: (-one["orders"], one["currency"]))
    main = currencies[0] if currencies else _nothing_sold("")
    return {
        **{name: main[name] for name in ("currency", "revenue", "refunded", "credit")},
        "currencies": currencies,
        "unread": int(figures.get("unread", 0)),
    }


def _nothing_sold(currency: str) -> dict[str, Any]:
    return {"currency": currency, "orders": 0, "revenue": 0.0, "refunded": 0.0, "credit": {}}


def with_erased(figures: dict[str, float], orders: list[dict[str, Any]]) -> dict[str, float]:
    """Return Sales' figures with the orders of whoever was erased: their amounts are left, and no credit.

    >>> with_erased(
    ...     {"orders": 1, "revenue/EUR": 5.0}, [{"value": 3.0, "refunded": 1.0, "currency": "EUR"}]
    ... )
    {'orders': 2, 'revenue/EUR': 7.0, 'orders/EUR': 1, 'refunded/EUR': 1.0}
    """
    found = dict(figures)
    for row in orders:
        left = row["value"] - row["refunded"]
        currency = row["currency"]
        for name, value in (
            ("orders", 1),
            (f"revenue/{currency}", left),
            (f"orders/{currency}", 1),
            (f"refunded/{currency}", row["refunded"]),
            ("unread", 1 if row.get("issue") else 0),
        ):
            if value or name in found or name.startswith("refunded"):
                found[name] = found.get(name, 0) + value
    return found


def stages_in(figures: dict[str, float]) -> dict[str, dict[str, dict[str, int]]]:
    """Return path -> stage -> status -> number of runs, with those whose place another took.

    >>> stages_in({"runs/welcome/won/cart": 2, "past/welcome/won/cart": 1})
    {'welcome': {'cart': {'won': 3}}}
    """
    found: dict[str, dict[str, dict[str, int]]] = {}
    for name, count in sorted(figures.items()):
        kind, _, rest = name.partition("/")
        if kind in ("runs", "past"):
            path, status, stage = rest.split("/", 2)
            counts = found.setdefault(path, {}).setdefault(stage, {})
            counts[status] = counts.get(status, 0) + int(count)
    return found


def standing_in(figures: dict[str, float]) -> dict[tuple[str, int, str], tuple[int, int]]:
    """Return (path, version of the rules, stage) -> (runs under way, runs that wait for a person).

    >>> standing_in(
    ...     {"stands/welcome/3/cart": 2, "waits/welcome/3/cart": 1, "runs/welcome/won/cart": 1}
    ... )
    {('welcome', 3, 'cart'): (2, 1)}
    """
    found: dict[tuple[str, int, str], tuple[int, int]] = {}
    for name, count in sorted(figures.items()):
        kind, _, rest = name.partition("/")
        if kind in ("stands", "waits") and count:
            path, version, stage = rest.split("/", 2)
            place = path, int(version), stage
            runs, waiting = found.get(place, (0, 0))
            add = int(count)
            found[place] = (runs + add, waiting) if kind == "stands" else (runs, waiting + add)
    return found


def people_by_version(figures: dict[str, float]) -> dict[str, dict[int, dict[str, int]]]:
    """Return path -> version of the rules -> stage -> runs that stand there by it, on the way or with a person.

    >>> people_by_version({"stands/welcome/3/cart": 2, "waits/welcome/3/cart": 1})
    {'welcome': {3: {'cart': 3}}}
    """
    found: dict[str, dict[int, dict[str, int]]] = {}
    for (path, version, stage), (runs, waiting) in sorted(standing_in(figures).items()):
        found.setdefault(path, {}).setdefault(version, {})[stage] = runs + waiting
    return found


def arms_in(figures: dict[str, float]) -> dict[str, dict[str, tuple[int, int]]]:
    """Return path -> arm (`rules` or `learning`) -> (runs, of these won).

    >>> arms_in({"arms/welcome/rules/entered": 3, "arms/welcome/rules/won": 1})
    {'welcome': {'rules': (3, 1)}}
    """
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for name, count in sorted(figures.items()):
        kind, _, rest = name.partition("/")
        if kind == "arms" and name.endswith("/entered"):
            path, arm, _ = rest.split("/")
            won = figures.get(f"arms/{path}/{arm}/won", 0)
            found.setdefault(path, {})[arm] = (int(count), int(won))
    return found


Edges = dict[tuple[str, str], int]
"""(stage, next stage) -> runs that went so; from an empty stage: runs that began there."""


def edges_in(figures: dict[str, float], path: str, stages: list[str]) -> Edges:
    """Return by which ways the runs of a path first came to its stages; `stages`: the path's, in order.

    A run only moves forward. Of a flow the figures name the ways themselves; it goes back as well (`ways_in`).

    >>> edges_in(
    ...     {"ways/lead/0|opened|cart": 2, "ways/lead/1|cart|opened": 1},
    ...     "lead",
    ...     ["invited", "opened", "cart"],
    ... )
    {('', 'invited'): 2, ('invited', 'opened'): 2, ('opened', 'cart'): 2, ('', 'cart'): 1}
    """
    place = {name: number for number, name in enumerate(stages)}
    found: Edges = {}
    for name, count in sorted(figures.items()):
        kind, _, rest = name.partition("/")
        of_path, _, way = rest.partition("/")
        if kind == "steps" and of_path == path and count:
            source, _, target = way.partition("|")
            found[source, target] = int(count)
        if kind != "ways" or of_path != path:
            continue
        number, *reached = way.split("|")
        known = [stage for stage in reached if stage in place]
        here = max([stages[0], *known[: int(number)]], key=place.__getitem__)
        found["", here] = found.get(("", here), 0) + int(count)
        for stage in known:
            if place[stage] > place[here]:
                found[here, stage] = found.get((here, stage), 0) + int(count)
                here = stage
    return found


def ways_in(figures: dict[str, float], path: str, stages: list[str]) -> Edges:
    """Return all ways that the runs of a path took, each once a run: those back to where a run had been as well.

    >>> ways_in({"steps/lead/|rest": 2, "again/lead/up|rest": 1}, "lead", ["rest", "up"])
    {('', 'rest'): 2, ('up', 'rest'): 1}
    """
    found = edges_in(figures, path, stages)
    for name, count in sorted(figures.items()):
        kind, _, rest = name.partition("/")
        of_path, _, way = rest.partition("/")
        if kind == "again" and of_path == path and count:
            source, _, target = way.partition("|")
            found[source, target] = found.get((source, target), 0) + int(count)
    return found


def work_in(*bots: dict[str, float]) -> dict[str, dict[str, int]]:
    """Return task -> who did it (`machine` or `people`) -> pieces of work, over these bots' figures.

    >>> work_in({"work/when/machine": 2.0, "work/when/people": 1.0}, {"work/score/machine": 3.0})
    {'when': {'machine': 2, 'people': 1}, 'score': {'machine': 3}}
    """
    found: dict[str, dict[str, int]] = {}
    for figures in bots:
        for name, pieces in sorted(figures.items()):
            kind, _, rest = name.partition("/")
            if kind == "work":
                task, _, by = rest.partition("/")
                found.setdefault(task, {})[by] = int(pieces)
    return found


def bounds_in(figures: dict[str, float]) -> dict[str, dict[str, int]]:
    """Return bound -> how many visitors met it, and how many of their events.

    >>> bounds_in({"bounds/let_go/visitors": 2.0, "bounds/let_go/events": 31.0})["let_go"]
    {'visitors': 2, 'events': 31}
    """
    return {
        bound: {what: int(figures.get(f"bounds/{bound}/{what}", 0)) for what in BOUNDED}
        for bound in BOUNDS
    }


def by_status(stages: dict[str, dict[str, dict[str, int]]]) -> dict[str, int]:
    """Return status -> number of runs, over all paths and stages."""
    counts: Counter[str] = Counter()
    for of_path in stages.values():
        for of_stage in of_path.values():
            counts.update(of_stage)
    return dict(counts)
