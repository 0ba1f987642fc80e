"""Count who would be in the cohorts of a draft: asked of the stored states, as they stand now.

Rules
1. Of many people a sample is asked: visitor ids are hashes, so that the first by id are as good as drawn. A count then
   has the interval that its sample gives (Wilson 1927); of few people everybody is asked, and it is exact.
2. A state holds what the published rules count. What a draft alone would count (a window of events that nobody asked
   for before) is nothing yet: a trial on the journal tells of that.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from agents.behavior_bot.facts import VisitorFacts
from agents.rules.compiled import CompiledRules
from agents.rules.ruleset import COHORTS
from agents.rules.source import parse
from agents.runtime.held import Codec
from agents.runtime.registry import WIRING
from messaging.gateway.console.rulebook import Matching, MatchLine
from messaging.ports import Store
from messaging.vocabulary.errors import RuleError
from scripts.lift import wilson
from scripts.story import moment

SAMPLE = 2_000
AT_ONCE = 200
"""States asked in one go: some 20 ms in which the gateway's other work waits."""

COHORTS_MAX = 20


def changed(before: str, after: str) -> list[str]:
    """Return the cohorts of a file that another text of it has not, or says otherwise."""
    old, new = _cohorts(before), _cohorts(after)
    return [name for name in new if old.get(name) != new[name]][:COHORTS_MAX]


def _cohorts(text: str) -> Mapping[str, object]:
    try:
        data = parse(COHORTS, text).data
    except RuleError:
        return {}
    found = data.get("cohorts") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


async def matching(
    store: Store, rules: CompiledRules, names: list[str], now: datetime, consent: str
) -> Matching:
    """Return how many are in these cohorts of a draft, beside how many are in those of the same name now."""
    figures = await store.figures("behavior")
    people = int(figures.get("people", 0))
    codec = Codec(WIRING["behavior"].make())
    counts: Counter[str] = Counter()
    looked, after = 0, ""
    while looked < SAMPLE:
        ids = await store.visitors("behavior", after, AT_ONCE)
        bodies = await store.load("behavior", ids)
        asked, found = await asyncio.to_thread(_asked, codec, bodies, rules, names, now, consent)
        looked += asked
        counts += found
        if len(ids) < AT_ONCE:
            people = looked
            break
        after = ids[-1]
    lines = [
        _line(name, counts[name], looked, people, figures.get(f"cohorts/{name}")) for name in names
    ]
    return Matching(as_of=moment(now), looked=looked, people=max(people, looked), lines=lines)


def _asked(
    codec: Codec,
    bodies: dict[str, bytes],
    rules: CompiledRules,
    names: list[str],
    now: datetime,
    consent: str,
) -> tuple[int, Counter[str]]:
    """Return how many of these states were asked, and cohort -> how many match."""
    asked, found = 0, Counter[str]()
    for visitor, body in bodies.items():
        held = codec.decode(body)
        if held.moved:
            continue
        asked += 1
        facts = VisitorFacts(visitor, held.state, now.timestamp(), rules.scores, consent)
        found.update(name for name in names if rules.cohorts[name].test(facts, now))
    return asked, found


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
