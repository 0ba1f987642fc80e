"""Say what an edit of the rules touches, and ask one visitor about each: cohorts, what refers to them, scores, paths.

Rules
1. A cohort is touched by what it refers to as well: two compiled versions are compared, each with all it asks for.
2. By the edit is what its rules say of what is known today. Points that were given stay as they were given; of a
   score's edit the bands, the fading and the cap count at once.
3. Who enters a path at once is who its entry holds by the edit and not before: whoever is inside already does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from agents.behavior_bot.facts import VisitorFacts, standing
from agents.behavior_bot.state import BehaviorState
from agents.rules.compiled import CompiledRules, InteractionRule, ScoreRule
from agents.rules.flow import is_hidden
from agents.rules.ruleset import COHORTS, SCORES, name_of
from agents.rules.source import parse
from messaging.vocabulary.errors import RuleError

ASKS_MAX = 40
"""More lines nobody reads while writing."""

COHORT, DEPENDS, SCORE, PATH, INTERACTION = "cohort", "depends", "score", "path", "interaction"

Holds = Callable[[VisitorFacts, BehaviorState, datetime], bool]
Was = Callable[[BehaviorState], bool]


class Ask(NamedTuple):
    """Ask one thing of a visitor."""

    name: str
    kind: str
    """`cohort`, `depends` (it refers to what is edited), `score`, `path` or `interaction`."""
    said: str
    """More of it, in words."""
    holds: Holds
    """By the edit."""
    was: Was | None
    """As it stands; None: there was no such thing."""
    figure: str = ""
    """The figure that counts how it stands of everybody."""


def asks_of(
    old: CompiledRules | None, new: CompiledRules, file: str, before: str, after: str
) -> tuple[list[Ask], list[str]]:
    """Return what is to be asked of visitors about an edit of a file, and what is to be said where nothing is."""
    if before == after:
        return [], []
    touched = _touched(old, new)
    direct = changed(before, after) if file == COHORTS else []
    asks = [_cohort(name, old, new, COHORT, "") for name in direct]
    others = [name for name in touched if name not in direct and not is_hidden(name)]
    said = "refers to what is edited"
    asks += [_cohort(name, old, new, DEPENDS, said) for name in others]
    if file == SCORES:
        asks = [*_scores(old, new), *asks]
    if file.startswith("interactions/"):
        asks += _interaction(old, new, name_of(file))
    paths, notes = _paths(old, new, touched, file)
    return [*asks, *paths][:ASKS_MAX], notes


def changed(before: str, after: str) -> list[str]:
    """Return the cohorts of a file that another text of it has not, or says otherwise."""
    old, new = _written(before), _written(after)
    return [name for name in new if old.get(name) != new[name]]


def _written(text: str) -> Mapping[str, object]:
    try:
        data = parse(COHORTS, text).data
    except RuleError:
        return {}
    found = data.get("cohorts") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _touched(old: CompiledRules | None, new: CompiledRules) -> list[str]:
    """Return the cohorts, hidden ones too, that ask for something else than before."""
    known = old.cohorts if old is not None else {}
    return [
        name
        for name, each in new.cohorts.items()
        if name not in known or known[name].said != each.said
    ]


def _cohort(name: str, old: CompiledRules | None, new: CompiledRules, kind: str, said: str) -> Ask:
    test = new.cohorts[name].test
    was = _is_in(name) if old is not None and name in old.cohorts else None
    return Ask(
        name,
        kind,
        said,
        lambda facts, _, now: test(facts, now),
        was,
        f"cohorts/{name}" if was is not None and not is_hidden(name) else "",
    )


def _is_in(cohort: str) -> Was:
    return lambda state: cohort in state.cohorts


# ---------------------------------------------------------------------------------- scores


def _scores(old: CompiledRules | None, new: CompiledRules) -> Iterator[Ask]:
    """Give the bands of each score that is edited; one without bands is asked whether it stands above 0."""
    known = old.scores if old is not None else {}
    for name, rule in new.scores.items():
        before = known.get(name)
        if rule == before:
            continue
        points_differ = before is not None and rule.points_by_kind != before.points_by_kind
        more = "; points count as edited from now on" if points_differ else ""
        for start, band in rule.bands:
            was = None if before is None else _has_band(name, band)
            yield Ask(f"{name}: {band}", SCORE, f"from {start:g}{more}", _in_band(rule, band), was)
        if not rule.bands:
            was = None if before is None else _stood(before)
            yield Ask(name, SCORE, f"above 0{more}", _stands(rule), was)


def _value(rule: ScoreRule, state: BehaviorState, now: float) -> float:
    points = state.scores.get(rule.name)
    return 0.0 if points is None else standing(points.value, points.at, rule, now)


def _in_band(rule: ScoreRule, band: str) -> Holds:
    def holds(_: VisitorFacts, state: BehaviorState, now: datetime) -> bool:
        return rule.name in state.scores and rule.band(_value(rule, state, now.timestamp())) == band

    return holds


def _has_band(score: str, band: str) -> Was:
    return lambda state: score in state.scores and state.scores[score].band == band


def _stands(rule: ScoreRule) -> Holds:
    return lambda _, state, now: _value(rule, state, now.timestamp()) > 0


def _stood(rule: ScoreRule) -> Was:
    return lambda state: rule.name in state.scores and state.scores[rule.name].value > 0


# -------------------------------------------------------------------- paths and interactions


def _paths(
    old: CompiledRules | None, new: CompiledRules, touched: list[str], file: str
) -> tuple[list[Ask], list[str]]:
    """Return the paths whose file is edited or whose entry is touched: who stands in what they are entered by."""
    asks, notes = [], []
    edited = name_of(file) if file.startswith("paths/") else ""
    for name, path in new.paths.items():
        entry = path.entry.cohort
        if name != edited and entry not in touched:
            continue
        said = f"entered by {path.entry.said}"
        if not entry:
            notes.append(f"{name} is {said}: whom that will be, no state tells")
            continue
        ask = _cohort(entry, old, new, PATH, said)
        asks.append(ask._replace(name=name))
    return asks, notes


def _interaction(old: CompiledRules | None, new: CompiledRules, name: str) -> list[Ask]:
    """Return who may be offered an interaction once they enter its cohort on the site."""
    rule = new.interactions.get(name)
    if rule is None:
        return []
    before = old.interactions.get(name) if old is not None else None
    was = None if before is None else _offered(before)
    return [Ask(name, INTERACTION, "may be offered it", _may_be_offered(rule, new), was)]


def _may_be_offered(rule: InteractionRule, rules: CompiledRules) -> Holds:
    def holds(facts: VisitorFacts, _: BehaviorState, now: datetime) -> bool:
        def is_in(cohort: str) -> bool:
            return rules.cohorts[cohort].test(facts, now)

        fits = is_in(rule.cohort) and (not rule.only or is_in(rule.only))
        return fits and not (rule.unless and is_in(rule.unless))

    return holds


def _offered(rule: InteractionRule) -> Was:
    def was(state: BehaviorState) -> bool:
        wanted = {each for each in (rule.cohort, rule.only) if each}
        return wanted <= {*state.cohorts} and rule.unless not in state.cohorts

    return was
