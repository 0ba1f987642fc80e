"""Find values that are well written and can be met by nothing: a path of no page, no country, an uncounted event."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from urllib.parse import urlsplit

from agents.rules.condition_models import Condition, PageSeen
from agents.rules.countries import code_of_country, english_names
from agents.rules.event_models import EventLike, PageLike
from agents.rules.flow_models import walk_steps
from agents.rules.ruleset import COHORTS, RuleSet, walk
from agents.rules.source import Location, Source
from messaging.vocabulary.errors import RuleError

CODE_CHARACTERS_MAX = 3
"""So short a name of a country is meant for its ISO code."""

UNCOUNTED = frozenset({"bounced", "complained"})
"""Facts that give points, and are counted nowhere: whoever they are about is written to no more."""

NEAR = 0.85
"""So near to a country's English name it is misspelt; a name in another language (Brasil) is less near."""


def check_values(rules: RuleSet) -> Iterator[RuleError]:
    """Give what conditions of cohorts and of flows ask and nothing answers to."""
    for source, top, place in _asked(rules):
        for at, condition in walk(top, place):
            for where, page in _pages(condition):
                yield from _check_path(source, (*at, *where), page.starts_with)
            for where in _uncounted(condition):
                yield from _refuse_uncounted(source, (*at, *where))
            if condition.country is not None:
                yield from _check_country(source, (*at, "country"), condition.country)


def _asked(rules: RuleSet) -> Iterator[tuple[Source, Condition, Location]]:
    for name, cohort in rules.cohorts.items():
        yield rules.sources[COHORTS], cohort.when, ("cohorts", name, "when")
    for name, path in rules.paths.items():
        for place, step in walk_steps(path.steps, ("steps",)):
            if step.condition is not None:
                where = ("if",) if step.if_ is not None else ("wait_until", "when")
                yield rules.sources[f"paths/{name}.yaml"], step.condition, (*place, *where)


def _uncounted(condition: Condition) -> Iterator[Location]:
    """Give where a condition asks for an event that is counted nowhere."""
    if condition.event is not None and condition.event.name in UNCOUNTED:
        yield ("event", "name")
    if condition.not_event is not None and condition.not_event.name in UNCOUNTED:
        yield ("not_event", "name")


def _refuse_uncounted(source: Source, at: Location) -> Iterator[RuleError]:
    problem = "how often an e-mail bounced, or was called spam, is not counted: they are written to no more"
    hint = "for an event of your site of that name write track: before it, as in track:bounced"
    yield source.error(at, problem, hint)


def _pages(condition: Condition) -> Iterator[tuple[Location, PageSeen | PageLike]]:
    """Give the pages that a condition names, and where in it."""
    if condition.page is not None:
        yield ("page",), condition.page
    events: list[tuple[Location, EventLike]] = []
    if condition.sequence is not None:
        steps = condition.sequence.steps
        events = [(("sequence", "steps", index), each) for index, each in enumerate(steps)]
    if condition.unfinished is not None:
        asked = condition.unfinished
        events = [(("unfinished", "start"), asked.start), (("unfinished", "finish"), asked.finish)]
    for place, event in events:
        if event.page is not None:
            yield (*place, "page"), event.page


def _check_path(source: Source, at: Location, start: str | None) -> Iterator[RuleError]:
    """Refuse how no path begins. Screens of apps have names in its place: their names are asked for by `contains`."""
    if start is None or start.startswith("/"):
        return
    said = (urlsplit(start).path if "://" in start else start).lstrip("/")
    problem = f"no path of a page begins with {start!r}: paths begin with /"
    yield source.error((*at, "starts_with"), problem, f"write /{said}, or ask contains: {said}")


def _check_country(source: Source, at: Location, country: str) -> Iterator[RuleError]:
    if code_of_country(country):
        return
    near = difflib.get_close_matches(country.casefold(), english_names(), n=1, cutoff=NEAR)
    if near:
        hint = f"did you mean {near[0].title()}?"
    elif len(country.strip()) <= CODE_CHARACTERS_MAX:
        hint = "write DE, DEU or Germany: an ISO 3166 code, or the English name"
    else:
        return  # perhaps the name by which their site calls it
    yield source.error(at, f"there is no country {country!r}", hint)
