"""Say what an edit of the rules touches, and ask one visitor about each: cohorts, what refers to them, scores, paths.

Rules
1. A cohort is touched by what it refers to as well: two compiled versions are compared, each with all it asks for.
2. By the edit is what its rules say of what is known today: where a state lacks what they look at, whom they surely
   hold and whom they may (`scripts.sure`). Points and fading of a score that is edited are such; its bands and its cap
   are not.
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
from agents.rules.keeping import SCORE as KEPT_SCORE
from agents.rules.ruleset import COHORTS, SCORES, name_of
from agents.rules.source import parse
from messaging.vocabulary.errors import RuleError
from scripts.sure import Lacking, Leaf, Questions, Span

ASKS_MAX = 40
"""More lines nobody reads while writing."""

COHORT, DEPENDS, SCORE, PATH, INTERACTION = "cohort", "depends", "score", "path", "interaction"

Holds = Callable[[VisitorFacts, BehaviorState, datetime, Lacking], Span]
"""Whom it holds: surely, and maybe."""
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
    leaves: tuple[Leaf, ...] = ()
    """Its conditions that look at what may be lacking."""


class Draft(NamedTuple):
    """Hold what is edited beside what it is made of."""

    old: CompiledRules | None
    new: CompiledRules
    questions: Questions
    files: Mapping[str, str]
    """Of the draft."""


def asks_of(
    old: CompiledRules | None, new: CompiledRules, files: Mapping[str, str], file: str, before: str
) -> tuple[list[Ask], list[str]]:
    """Return what is to be asked of visitors about an edit of a file, and what is to be said where nothing is.

    `files`: those of the draft. `before`: what stood in the file.
    """
    after = files[file]
    if before == after:
        return [], []
    draft = Draft(old, new, Questions(new, files.get(COHORTS, "")), files)
    touched = _touched(old, new)
    direct = changed(before, after) if file == COHORTS else []
    asks = [_cohort(name, draft, COHORT, "") for name in direct]
    others = [name for name in touched if name not in direct and not is_hidden(name)]
    said = "refers to what is edited"
    asks += [_cohort(name, draft, DEPENDS, said) for name in others]
    if file == SCORES:
        asks = [*_scores(draft), *asks]
    if file.startswith("interactions/"):
        asks += _interaction(draft, name_of(file))
    paths, notes = _paths(draft, touched, file)
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


def _cohort(name: str, draft: Draft, kind: str, said: str) -> Ask:
    question = draft.questions.of(name)
    was = _is_in(name) if draft.old is not None and name in draft.old.cohorts else None
    return Ask(
        name,
        kind,
        said,
        lambda facts, _, now, lacking: question.ask(facts, now, lacking),
        was,
        f"cohorts/{name}" if was is not None and not is_hidden(name) else "",
        question.leaves,
    )


def _is_in(cohort: str) -> Was:
    return lambda state: cohort in state.cohorts


# ---------------------------------------------------------------------------------- scores


def _scores(draft: Draft) -> Iterator[Ask]:
    """Give the bands of each score that is edited; one without bands is asked whether it stands above 0."""
    known = draft.old.scores if draft.old is not None else {}
    source = parse(SCORES, draft.files[SCORES])
    for name, rule in draft.new.scores.items():
        before = known.get(name)
        if rule == before:
            continue
        line = source.line(("scores", name))
        leaves = (Leaf(SCORES, line, f"points of {name}", frozenset({KEPT_SCORE + name})),)
        for start, band in rule.bands:
            was = None if before is None else _has_band(name, band)
            holds = _in_band(rule, band)
            yield Ask(f"{name}: {band}", SCORE, f"from {start:g}", holds, was, "", leaves)
        if not rule.bands:
            was = None if before is None else _stood(before)
            yield Ask(name, SCORE, "above 0", _stands(rule), was, "", leaves)


def _value(rule: ScoreRule, state: BehaviorState, now: float) -> float:
    points = state.scores.get(rule.name)
    return 0.0 if points is None else standing(points.value, points.at, rule, now)


def _in_band(rule: ScoreRule, band: str) -> Holds:
    def holds(state: BehaviorState, now: datetime) -> bool:
        return rule.name in state.scores and rule.band(_value(rule, state, now.timestamp())) == band

    return _by_points(rule, holds)


def _by_points(rule: ScoreRule, holds: Callable[[BehaviorState, datetime], bool]) -> Holds:
    """Return what asks for a score: whoever was given other points than the edit gives may stand anywhere."""

    def asked(_: VisitorFacts, state: BehaviorState, now: datetime, lacking: Lacking) -> Span:
        if KEPT_SCORE + rule.name in lacking:
            return False, True
        return (holds(state, now),) * 2

    return asked


def _has_band(score: str, band: str) -> Was:
    return lambda state: score in state.scores and state.scores[score].band == band


def _stands(rule: ScoreRule) -> Holds:
    return _by_points(rule, lambda state, now: _value(rule, state, now.timestamp()) > 0)


def _stood(rule: ScoreRule) -> Was:
    return lambda state: rule.name in state.scores and state.scores[rule.name].value > 0


# -------------------------------------------------------------------- paths and interactions


def _paths(draft: Draft, touched: list[str], file: str) -> tuple[list[Ask], list[str]]:
    """Return the paths whose file is edited or whose entry is touched: who stands in what they are entered by."""
    asks, notes = [], []
    edited = name_of(file) if file.startswith("paths/") else ""
    for name, path in draft.new.paths.items():
        entry = path.entry.cohort
        if name != edited and entry not in touched:
            continue
        said = f"entered by {path.entry.said}"
        if not entry:
            notes.append(f"{name} is {said}: whom that will be, no state tells")
            continue
        ask = _cohort(entry, draft, PATH, said)
        asks.append(ask._replace(name=name))
    return asks, notes


def _interaction(draft: Draft, name: str) -> list[Ask]:
    """Return who may be offered an interaction once they enter its cohort on the site."""
    rule = draft.new.interactions.get(name)
    if rule is None:
        return []
    before = draft.old.interactions.get(name) if draft.old is not None else None
    was = None if before is None else _offered(before)
    named = [each for each in (rule.cohort, rule.only, rule.unless) if each]
    leaves = tuple(leaf for each in named for leaf in draft.questions.of(each).leaves)
    holds = _may_be_offered(rule, draft.questions)
    return [Ask(name, INTERACTION, "may be offered it", holds, was, "", leaves)]


def _may_be_offered(rule: InteractionRule, questions: Questions) -> Holds:
    wanted = [questions.of(each) for each in (rule.cohort, rule.only) if each]
    unless = questions.of(rule.unless) if rule.unless else None

    def holds(facts: VisitorFacts, _: BehaviorState, now: datetime, lacking: Lacking) -> Span:
        spans = [each.ask(facts, now, lacking) for each in wanted]
        out, may_be_out = unless.ask(facts, now, lacking) if unless is not None else (False, False)
        sure, may = (all(each) for each in zip(*spans, strict=True))
        return sure and not may_be_out, may and not out

    return holds


def _offered(rule: InteractionRule) -> Was:
    def was(state: BehaviorState) -> bool:
        wanted = {each for each in (rule.cohort, rule.only) if each}
        return wanted <= {*state.cohorts} and rule.unless not in state.cohorts

    return was
