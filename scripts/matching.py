"""Count who matches what an edit of the rules touches: asked of the stored states, as they stand now.

Rules
1. Of many people a sample is asked: visitor ids are hashes, so that the first by id are as good as drawn. A count then
   has the interval that its sample gives (Wilson 1927); of few people everybody is asked, and it is exact.
2. A state holds what the published rules look at. What a draft alone looks at (pages of a kind that nobody asked for
   before) is no number yet: it is said how many match surely and how many may, and by which conditions that is not
   known. A trial on the journal tells.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from agents.behavior_bot.facts import VisitorFacts
from agents.behavior_bot.state import BehaviorState
from agents.rules.compiled import CompiledRules
from agents.runtime.held import Codec
from agents.runtime.registry import WIRING
from agents.runtime.views import Versions, read_versions
from config.load import compile_files
from messaging.gateway.console.rulebook import Matching, MatchLine
from messaging.ports import Store
from scripts.affected import PATH, Ask
from scripts.lift import wilson
from scripts.sure import Lacks, Leaf
from scripts.wording import moment

SAMPLE = 2_000
AT_ONCE = 200
"""States asked in one go: some 20 ms in which the gateway's other work waits."""


TO_DO = "nothing is kept for it before a version with it is published; a try of the draft tells: save it, and press Try"
"""What is said of a condition that no state answers."""


class Tally(NamedTuple):
    """Count, for each ask, who matches by the edit, surely and maybe, who did, and who does anew."""

    sure: Counter[int]
    may: Counter[int]
    now: Counter[int]
    anew: Counter[int]
    may_anew: Counter[int]
    lacking: set[str]
    """What some visitor lacks."""


async def matching(
    store: Store,
    rules: CompiledRules,
    asks: list[Ask],
    now: datetime,
    consent: str,
    notes: list[str] | None = None,
    versions: Versions | None = None,
) -> Matching:
    """Return how many match each ask of a draft, beside how many do now."""
    versions = Versions(compile_files) if versions is None else versions
    await read_versions(store, versions)
    lacks = Lacks(rules, versions)
    figures = await store.figures("behavior")
    people = int(figures.get("people", 0))
    codec = Codec(WIRING["behavior"].make())
    tally = Tally(Counter(), Counter(), Counter(), Counter(), Counter(), set())
    looked, after = 0, ""
    while asks and looked < SAMPLE:
        ids = await store.visitors("behavior", after, AT_ONCE)
        bodies = await store.load("behavior", ids)
        people_of = _people(codec, bodies, rules, now, consent)
        looked += await asyncio.to_thread(_asked, people_of, lacks, asks, now, tally)
        if len(ids) < AT_ONCE:
            people = looked
            break
        after = ids[-1]
    of = max(people, looked)
    lines = [_told(number, ask, tally, looked, of, figures) for number, ask in enumerate(asks)]
    said = [*(notes or []), *_not_known(asks, lines, tally)]
    return Matching(as_of=moment(now), looked=looked, people=of, lines=lines, notes=said)


def _people(
    codec: Codec, bodies: dict[str, bytes], rules: CompiledRules, now: datetime, consent: str
) -> Iterator[tuple[BehaviorState, VisitorFacts]]:
    """Give the visitors among some states, with what can be asked of them."""
    for visitor, body in bodies.items():
        held = codec.decode(body)
        if not held.moved:
            state = held.state
            yield state, VisitorFacts(visitor, state, now.timestamp(), rules.scores, consent)


def _asked(
    people: Iterable[tuple[BehaviorState, VisitorFacts]],
    lacks: Lacks,
    asks: list[Ask],
    now: datetime,
    tally: Tally,
) -> int:
    """Ask these people, and return how many were asked."""
    asked = 0
    for state, facts in people:
        asked += 1
        lacking = lacks.of(state)
        tally.lacking.update(lacking)
        for number, ask in enumerate(asks):
            was = ask.was is not None and ask.was(state)
            sure, may = ask.holds(facts, state, now, lacking)
            tally.sure[number] += sure
            tally.may[number] += may
            tally.now[number] += was
            tally.anew[number] += sure and not was
            tally.may_anew[number] += may and not was
    return asked


def _unknown(ask: Ask, tally: Tally) -> list[Leaf]:
    """Return the conditions of an ask that look at what somebody lacks."""
    return [leaf for leaf in dict.fromkeys(ask.leaves) if not leaf.keeps.isdisjoint(tally.lacking)]


def _not_known(asks: list[Ask], lines: list[MatchLine], tally: Tally) -> list[str]:
    """Say, once each, by which conditions some number is not known, and what to do."""
    leaves = {
        leaf: None
        for ask, line in zip(asks, lines, strict=True)
        if line.people is None
        for leaf in _unknown(ask, tally)
    }
    return [f"{_place(leaf)}: {TO_DO}" for leaf in leaves]


def _place(leaf: Leaf) -> str:
    return f"line {leaf.line} of {leaf.file}, {leaf.said}"


def _told(
    number: int, ask: Ask, tally: Tally, looked: int, of: int, figures: dict[str, float]
) -> MatchLine:
    """Return the line of one ask: as it stands by the figure of everybody where there is one."""
    known: float | None = None
    if ask.was is not None:
        scaled = round(of * tally.now[number] / looked) if looked else 0
        known = figures.get(ask.figure, 0) if ask.figure else scaled
    line = _line(ask.name, (tally.sure[number], tally.may[number]), looked, of, known)
    line.kind, line.said = ask.kind, ask.said
    if ask.kind == PATH:
        line.at_once = round(of * tally.anew[number] / looked) if looked else 0
        line.at_once_at_most = round(of * tally.may_anew[number] / looked) if looked else 0
    if line.people is None:
        line.unknown = [_place(leaf) for leaf in _unknown(ask, tally)]
    return line


def _line(
    name: str, counts: tuple[int, int], looked: int, people: int, now: float | None
) -> MatchLine:
    """Return a cohort's line: exact where everybody was asked, and nothing was lacking.

    `counts`: whom it surely holds, and whom it may hold, of those who were asked.

    >>> line = _line("keen", (100, 100), 2_000, 50_000, None)
    >>> line.people, line.low, line.high, line.now
    (2500, 2064, 3022, None)
    >>> line = _line("keen", (0, 100), 2_000, 2_000, None)
    >>> line.people, line.low, line.high
    (None, 0, 100)
    """
    known = None if now is None else int(now)
    sure, may = counts
    low, high = sure, may
    if looked < people:
        low = round(people * wilson(sure, looked)[0])
        high = round(people * wilson(may, looked)[1])
    scaled = round(people * sure / looked) if looked < people else sure
    return MatchLine(
        name=name, people=scaled if sure == may else None, low=low, high=high, now=known
    )
