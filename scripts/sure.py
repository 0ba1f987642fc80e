"""Say whom a cohort surely holds and whom it may hold, where a state lacks what the cohort is decided by.

Rules
1. Some things are kept only for rules that ask for them (`agents.rules.keeping`), and no probability is worked out that
   nobody asks for. Of whoever is kept for a version that did not ask, a condition on them may hold, and may not.
2. What is built of such conditions by all, any and not is as sure as its parts let it be. A span may be wider than the
   truth needs, and never leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import yaml

from agents.behavior_bot.facts import VisitorFacts
from agents.behavior_bot.moments import is_lead
from agents.behavior_bot.state import BehaviorState
from agents.rules.compiled import PURCHASE_EVENTS, CompiledCohort, CompiledRules, Test
from agents.rules.condition_models import Condition
from agents.rules.conditions import compile_condition
from agents.rules.keeping import kept_by, new_in
from agents.rules.models import CohortsFile
from agents.rules.parts import Around, Part
from agents.rules.ruleset import COHORTS
from agents.rules.source import Location, Source, parse
from scripts.visible import shown

CHARACTERS_MAX = 120
"""Of a condition as it is written."""

PROBABILITY = "probability:"
"""Begins what is lacking where a probability was never worked out."""

Lacking = frozenset[str]
Span = tuple[bool, bool]
"""Whether it surely holds, and whether it may."""
Asks = Callable[[VisitorFacts, datetime, Lacking], Span]


class Leaf(NamedTuple):
    """Name one condition that looks at what may be lacking."""

    file: str
    line: int
    said: str
    """As it is written."""
    keeps: frozenset[str]


class Question(NamedTuple):
    """Hold a condition that is asked with what is lacking."""

    ask: Asks
    leaves: tuple[Leaf, ...]


class Questions:
    """Ask the cohorts of a draft.

    Parameters:
        rules: the draft.
        text: its `cohorts.yaml`, empty where it has none.
    """

    def __init__(self, rules: CompiledRules, text: str) -> None:
        self._rules = rules
        self._source = parse(COHORTS, text) if text else Source(COHORTS, {}, {}, {})
        self._cohorts = CohortsFile.model_validate(self._source.data).cohorts if text else {}
        self._around = Around(rules.scores, PURCHASE_EVENTS, self._part)
        self._made: dict[str, Question] = {}

    def of(self, cohort: str) -> Question:
        """Return how a cohort is asked; a hidden one as a whole, for it stands in no file."""
        if cohort not in self._made:
            compiled = self._rules.cohorts[cohort]
            if cohort in self._cohorts:
                at = ("cohorts", cohort, "when")
                asked = self._question(self._cohorts[cohort].when, at)
                keeps = frozenset[str]().union(*(each.keeps for each in asked.leaves))
                made = Question(_whole_or(compiled.test, keeps, asked.ask), asked.leaves)
            else:
                made = Question(_alone(compiled.test, compiled.keeps), ())
            self._made[cohort] = made
        return self._made[cohort]

    def _part(self, cohort: str) -> Part:
        found: CompiledCohort = self._rules.cohorts[cohort]
        return Part(found.test, found.until, found.kinds)

    def _question(self, condition: Condition, at: Location) -> Question:
        if condition.all_of is not None:
            return self._several(condition.all_of, (*at, "all"), all)
        if condition.any_of is not None:
            return self._several(condition.any_of, (*at, "any"), any)
        if condition.none_of is not None:
            return _negated(self._question(condition.none_of, (*at, "not")))
        if condition.cohort is not None:
            return self.of(condition.cohort)
        part = compile_condition(condition, self._around)
        keeps = kept_by(part.kinds)
        if condition.probability is not None:
            keeps |= {PROBABILITY + condition.probability.of}
        place = (*at, condition.operator)
        leaves = (Leaf(COHORTS, self._source.line(place), self._said(place), keeps),)
        return Question(_alone(part.test, keeps), leaves if keeps else ())

    def _several(
        self, conditions: list[Condition], at: Location, together: Callable[..., bool]
    ) -> Question:
        parts = [self._question(each, (*at, number)) for number, each in enumerate(conditions)]

        def ask(facts: VisitorFacts, now: datetime, lacking: Lacking) -> Span:
            spans = [part.ask(facts, now, lacking) for part in parts]
            return together(sure for sure, _ in spans), together(may for _, may in spans)

        return Question(ask, tuple(leaf for part in parts for leaf in part.leaves))

    def _said(self, at: Location) -> str:
        data = self._source.data
        for step in at:
            data = data[step]
        written = yaml.safe_dump({at[-1]: data}, default_flow_style=True, width=10_000)
        return shown(written.strip()[1:-1], CHARACTERS_MAX)


def _negated(part: Question) -> Question:
    def ask(facts: VisitorFacts, now: datetime, lacking: Lacking) -> Span:
        sure, may = part.ask(facts, now, lacking)
        return not may, not sure

    return Question(ask, part.leaves)


def _alone(test: Test, keeps: frozenset[str]) -> Asks:
    return _whole_or(test, keeps, lambda *_: (False, True))


def _whole_or(test: Test, keeps: frozenset[str], otherwise: Asks) -> Asks:
    """Return what asks as ever while nothing that is looked at is lacking."""

    def ask(facts: VisitorFacts, now: datetime, lacking: Lacking) -> Span:
        if keeps.isdisjoint(lacking):
            holds = test(facts, now)
            return holds, holds
        return otherwise(facts, now, lacking)

    return ask


class Lacks:
    """Tell what a draft looks at and a state lacks.

    Parameters:
        rules: the draft.
        versions: version -> its rules; one that is not there kept nothing.
    """

    def __init__(self, rules: CompiledRules, versions: Mapping[int, CompiledRules]) -> None:
        self._rules = rules
        self._versions = versions
        self._known: dict[int, tuple[Lacking, frozenset[str]]] = {}

    def of(self, state: BehaviorState) -> Lacking:
        """Return what is lacking of one visitor; of who was never met, nothing."""
        if not state.kept:
            return frozenset()
        new, unasked = self._under(state.kept_version)
        lacking = new | (self._rules.keeps.keys() & set(state.lacks)) if state.lacks else new
        if unasked and is_lead(state):
            lacking |= {PROBABILITY + of for of in unasked if of not in state.chances}
        return lacking

    def _under(self, version: int) -> tuple[Lacking, frozenset[str]]:
        """Return what a version did not keep, and which probabilities it did not ask for."""
        if version not in self._known:
            before = self._versions.get(version)
            new = new_in(self._rules.keeps, before.keeps if before is not None else {})
            asked = before.probabilities if before is not None else ()
            self._known[version] = new, frozenset(self._rules.probabilities) - {*asked}
        return self._known[version]
