"""Show how e-mails are taken: by day, by the mailboxes' domains, who left, and what to do where it goes badly."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from messaging.gateway.console.delivered import Taken
from messaging.gateway.console.door import Visit
from messaging.gateway.console.drawing import ROOT
from messaging.gateway.console.lists import PAGE_ROWS, addresses, after_of
from messaging.gateway.console.plots import Plot, columns
from messaging.gateway.console.views import desk_of

LOOK_SECONDS = 10.0

TROUBLES = (
    ("bounced", "came back"),
    ("complained", "called spam"),
    ("left", "unsubscribed"),
    ("uncertain", "uncertain"),
)
"""Field of `Taken` -> what it means."""


ANSWERS = (("opened", "opened by people"), ("clicked", "clicked by people"))


async def deliverability(visit: Visit) -> web.StreamResponse:
    """Show it."""
    desk, after = desk_of(visit), after_of(visit)
    now = await desk.deliverability()
    found = await desk.suppressions(after, PAGE_ROWS)
    troubles = [name for name, _ in TROUBLES]
    return await visit.page(
        "deliverability.html",
        here="deliverability",
        seconds=0.0 if after else LOOK_SECONDS,
        now=now,
        troubles=TROUBLES,
        sent=_plot(now.days, ["sent"]),
        answers=ANSWERS,
        answered=_plot(now.days, [name for name, _ in ANSWERS]),
        trouble=_plot(now.days, troubles),
        rows=found.lines,
        pages=addresses(f"{ROOT}deliverability", {}, after, found.after),
    )


def _plot(days: list[Taken], fields: list[str]) -> Plot:
    series: list[tuple[str, list[Any]]] = [
        (field, [float(getattr(day, field)) for day in days]) for field in fields
    ]
    return columns([day.name[5:] for day in days], series)
