"""Count who matches what an edit of the rules touches: asked of the stored states, as they stand now.

Rules
1. Of many people a sample is asked: visitor ids are hashes, so that the first by id are as good as drawn. A count then
   has the interval that its sample gives (Wilson 1927); of few people everybody is asked, and it is exact.
2. A state holds what the published rules count. What a draft alone would count (a window of events that nobody asked
   for before) is nothing yet: a trial on the journal tells of that.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime
from typing import NamedTuple

from agents.behavior_bot.facts import VisitorFacts
from agents.rules.compiled import CompiledRules
from agents.runtime.held import Codec
from agents.runtime.registry import WIRING
from messaging.gateway.console.rulebook import Matching, MatchLine
from messaging.ports import Store
from scripts.affected import PATH, Ask
from scripts.lift import wilson
from scripts.wording import moment

SAMPLE = 2_000
AT_ONCE = 200
"""States asked in one go: some 20 ms in which the gateway's other work waits."""


class Tally(NamedTuple):
    """Count, for each ask, who matches by the edit, who did, and who does anew."""

    by_edit: Counter[int]
    now: Counter[int]
    anew: Counter[int]


async def matching(
    store: Store,
    rules: CompiledRules,
    asks: list[Ask],
    now: datetime,
    consent: str,
    notes: list[str] | None = None,
) -> Matching:
    """Return how many match each ask of a draft, beside how many do now."""
    figures = await store.figures("behavior")
    people = int(figures.get("people", 0))
    codec = Codec(WIRING["behavior"].make())
    tally = Tally(Counter(), Counter(), Counter())
    looked, after = 0, ""
    while asks and looked < SAMPLE:
        ids = await store.visitors("behavior", after, AT_ONCE)
        bodies = await store.load("behavior", ids)
        looked += await asyncio.to_thread(_asked, codec, bodies, rules, asks, now, consent, tally)
        if len(ids) < AT_ONCE:
            people = looked
            break
        after = ids[-1]
    of = max(people, looked)
    lines = [_told(number, ask, tally, looked, of, figures) for number, ask in enumerate(asks)]
    return Matching(as_of=moment(now), looked=looked, people=of, lines=lines, notes=notes or [])


def _asked(
    codec: Codec,
    bodies: dict[str, bytes],
    rules: CompiledRules,
    asks: list[Ask],
    now: datetime,
    consent: str,
    tally: Tally,
) -> int:
    """Ask these states, and return how many were asked."""
    asked = 0
    for visitor, body in bodies.items():
        held = codec.decode(body)
        if held.moved:
            continue
        asked += 1
        facts = VisitorFacts(visitor, held.state, now.timestamp(), rules.scores, consent)
        for number, ask in enumerate(asks):
            was = ask.was is not None and ask.was(held.state)
            holds = ask.holds(facts, held.state, now)
            tally.by_edit[number] += holds
            tally.now[number] += was
            tally.anew[number] += holds and not was
    return asked


def _told(
    number: int, ask: Ask, tally: Tally, looked: int, of: int, figures: dict[str, float]
) -> MatchLine:
    """Return the line of one ask: as it stands by the figure of everybody where there is one."""
    known: float | None = None
    if ask.was is not None:
        scaled = round(of * tally.now[number] / looked) if looked else 0
        known = figures.get(ask.figure, 0) if ask.figure else scaled
    line = _line(ask.name, tally.by_edit[number], looked, of, known)
    line.kind, line.said = ask.kind, ask.said
    if ask.kind == PATH:
        line.at_once = round(of * tally.anew[number] / looked) if looked else 0
    return line


def _line(name: str, count: int, looked: int, people: int, now: float | None) -> MatchLine:
    """Return a cohort's line: exact where everybody was asked.

    >>> line = _line("keen", 100, 2_000, 50_000, None)
    >>> line.people, line.low, line.high, line.now
    (2500, 2064, 3022, None)
    """
    known = None if now is None else int(now)
    if looked >= people:
        return MatchLine(name=name, people=count, low=count, high=count, now=known)
    low, high = wilson(count, looked)
    return MatchLine(
        name=name,
        people=round(people * count / looked),
        low=round(people * low),
        high=round(people * high),
        now=known,
    )
