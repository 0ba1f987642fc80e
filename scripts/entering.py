"""Say how many would enter each path at once by a publication: who its entry cohort holds and did not hold before.

Rules
1. Visitor ids are hashes: the first so many in their order are as good a sample as any, and cost one read a page.
2. Whoever lacks what the new rules look at is not guessed at: that is known only when it was read from the journal.
   Where the rest of the entry decides it all the same (`scripts.sure`), it is known, as the editor knows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from agents.behavior_bot.evaluate import evaluate, moment
from agents.behavior_bot.facts import VisitorFacts
from agents.behavior_bot.filling import settle
from agents.behavior_bot.state import BehaviorState
from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.rules.flow import is_hidden
from agents.rules.ruleset import COHORTS
from agents.runtime.held import Codec
from agents.runtime.registry import WIRING
from agents.runtime.views import PUBLISHED, VERSIONS, Versions, read_versions
from config.load import compile_files
from messaging.ports import Store
from messaging.vocabulary.effects import Tell
from messaging.vocabulary.messages import CohortEntered
from scripts.sure import Lacks, Questions, Span

SAMPLE = 20_000
PAGE = 500

Surely = Callable[[str, BehaviorState, Iterable[str]], Mapping[str, Span]]
"""Visitor, state and cohorts -> whom each surely holds, and whom it may; empty where nothing is lacking."""


class Entering(msgspec.Struct, frozen=True):
    """Say how many would enter one path at once."""

    path: str
    cohort: str
    people: int
    """Of everybody, as the sample says."""
    looked: int
    """Visitors in the sample; all of them, where it is `of`."""
    of: int
    unknown: int
    """Of everybody, those of whom it is known only once the journal was read: so many more may enter."""
    inside: int = 0
    """Of everybody, those who are in the cohort already, where it is not yet the path's entry: they do not enter."""


async def entering(
    store: Store,
    version: int,
    *,
    sample: int = SAMPLE,
    versions: Versions | None = None,
) -> list[Entering]:
    """Return how many would enter each path by a version, were it published now. Raise KeyError: there is none."""
    versions = Versions(compile_files) if versions is None else versions
    if version not in versions:
        await read_versions(store, versions)
    rules: CompiledRules = versions[version]
    now, consent = await _newest_batch(store)
    view = await _view(store, rules, versions, consent)
    surely = await _surely(store, rules, versions, now, consent)
    entries = {path.entry.cohort: 0 for path in rules.paths.values() if path.entry.cohort}
    unknown, inside = dict.fromkeys(entries, 0), dict.fromkeys(entries, 0)
    stood = await _entries_now(store, versions)
    codec = Codec(WIRING["behavior"].make())
    looked, after = 0, ""
    while looked < sample:
        page = await store.visitors("behavior", after, min(PAGE, sample - looked))
        for visitor, body in (await store.load("behavior", page)).items():
            held = codec.decode(body)
            if not held.moved:
                looked += 1
                _look(held.state, visitor, view, now, surely, (entries, unknown, inside))
                # With many cohorts one takes milliseconds: others are served in between.
                await asyncio.sleep(0)
        if len(page) < PAGE:
            break
        after = page[-1]
    people = int((await store.figures("behavior")).get("people", 0))
    of = max(people, looked)
    return [
        Entering(
            path=name,
            cohort=path.entry.cohort,
            people=_scaled(entries[path.entry.cohort], looked, of),
            looked=looked,
            of=of,
            unknown=_scaled(unknown[path.entry.cohort], looked, of),
            inside=0
            if stood.get(name) == path.entry.cohort
            else _scaled(inside[path.entry.cohort], looked, of),
        )
        for name, path in rules.paths.items()
        if path.entry.cohort  # by an event or the API nobody comes at once
    ]


async def _entries_now(store: Store, versions: Versions) -> dict[str, str]:
    """Return path -> the cohort by which it is entered now."""
    last = await store.get_document(*PUBLISHED)
    if last is None:
        return {}
    if versions.lacks([last["version"]]):
        await read_versions(store, versions)
    rules: CompiledRules = versions[last["version"]]
    return {name: path.entry.cohort for name, path in rules.paths.items()}


async def _view(store: Store, rules: CompiledRules, versions: Versions, consent: str) -> View:
    last = await store.get_document(*PUBLISHED)
    return View(
        rules=rules,
        rules_version=rules.version,
        pinned=versions,
        snapshots={},
        consent=consent,
        publication=(int(last["number"]) if last is not None else 0) + 1,
    )


async def _newest_batch(store: Store) -> tuple[datetime, str]:
    """Return world time, and the consent setting in force, as Behavior's newest batch says them."""
    owner = await store.owner("behavior-0")
    batch = owner.batch if owner is not None else 0
    for _, record in await store.batches("behavior-0", batch - 1, 1) if batch else ():
        said = dict(part.split("=", 1) for part in record.code.split())
        return record.at, said.get("consent", "opt-in")
    return datetime.now(UTC), "opt-in"


async def _surely(
    store: Store, rules: CompiledRules, versions: Versions, now: datetime, consent: str
) -> Surely:
    """Return what asks whether a cohort holds somebody of whom not all is known that it looks at."""
    found = await store.get_document(VERSIONS, str(rules.version)) or {}
    questions = Questions(rules, found.get("files", {}).get(COHORTS, ""))
    lacks = Lacks(rules, versions)

    def surely(visitor: str, state: BehaviorState, cohorts: Iterable[str]) -> Mapping[str, Span]:
        lacking = lacks.of(state)
        if not lacking:
            return {}
        facts = VisitorFacts(visitor, state, now.timestamp(), rules.scores, consent)
        return {each: questions.of(each).ask(facts, now, lacking) for each in cohorts}

    return surely


def _look(
    state: BehaviorState,
    visitor: str,
    view: View,
    now: datetime,
    surely: Surely,
    counts: tuple[dict[str, int], dict[str, int], dict[str, int]],
) -> None:
    """Count one visitor by who enters, of whom it is not known, and who is inside; the state is a copy."""
    entries, unknown, insiders = counts
    if state.rules_version < 0:
        return
    inside = {*state.cohorts}
    spans = surely(visitor, state, entries)
    settle(state, visitor, view)
    state.rules_version = 0  # so that everything is asked, whatever was asked last
    effects = evaluate(state, moment(visitor, now, view), (), [])
    entered = {
        e.message.cohort
        for e in effects
        if isinstance(e, Tell) and isinstance(e.message, CohortEntered)
    }
    for cohort in entries:
        if cohort in entered:
            entries[cohort] += 1
        elif cohort in inside:
            insiders[cohort] += cohort in state.cohorts
        elif not view.rules.cohorts[cohort].keeps.isdisjoint(state.lacks):
            holds, may_hold = spans.get(cohort, (False, True))
            entries[cohort] += holds
            unknown[cohort] += may_hold and not holds


def _scaled(count: int, looked: int, of: int) -> int:
    return round(count * of / looked) if looked else 0


def said(each: Entering) -> str:
    """Return it in words.

    >>> said(Entering("welcome", "leads", 1200, 20000, 1000000, 0))
    'about 1,200 people enter welcome at once, found in cohort leads (by 20,000 of 1,000,000 visitors)'
    >>> said(Entering("welcome", ".welcome.", 1, 5, 5, 0))
    '1 person enters welcome at once'
    >>> said(Entering("welcome", "leads", 0, 300, 865, 0))
    'nobody of the 300 visitors looked at (of 865) enters welcome at once'
    >>> said(Entering("welcome", "leads", 0, 5, 5, 2))
    'up to 2 people enter welcome at once, found in cohort leads: of 2 it is known only once the journal was read'
    >>> said(Entering("welcome", ".welcome.", 18, 200, 200, 91))
    '18 to 109 people enter welcome at once: of 91 it is known only once the journal was read'
    >>> said(Entering("welcome", "leads", 0, 9, 9, 0, 6))
    'nobody enters welcome at once; 6 are in cohort leads already, and do not enter by that'
    """
    about, by = "", ""
    if each.looked < each.of:
        about = "about "
        by = f" (by {each.looked:,} of {each.of:,} visitors)"
    if each.people or each.unknown:
        found = "" if is_hidden(each.cohort) else f", found in cohort {each.cohort}"
        text = f"{_so_many(each, about)} {each.path} at once{found}{by}"
    elif each.looked < each.of:  # of a sample: whoever else comes in was not looked at
        looked = f"nobody of the {each.looked:,} visitors looked at (of {each.of:,})"
        text = f"{looked} enters {each.path} at once"
    else:
        text = f"nobody enters {each.path} at once"
    if each.unknown:
        text += f": of {about}{each.unknown:,} it is known only once the journal was read"
    if each.inside and not is_hidden(each.cohort):
        is_one = each.inside == 1
        text += f"; {about}{each.inside:,} {'is' if is_one else 'are'} in cohort {each.cohort} already, and "
        text += f"{'does' if is_one else 'do'} not enter by that"
    return text


def _so_many(each: Entering, about: str) -> str:
    """Return how many enter: of whom it is not known may enter as well."""
    at_most = each.people + each.unknown
    words = "person enters" if at_most == 1 else "people enter"
    if not each.unknown:
        return f"{about}{at_most:,} {words}"
    if each.people:
        return f"{about}{each.people:,} to {at_most:,} {words}"
    return f"up to {about}{at_most:,} {words}"
