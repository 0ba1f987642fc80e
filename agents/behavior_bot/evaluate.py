"""Give points, and find out which cohorts and bands a visitor is in now; tell Rules what changed.

Rules
1. Only what the event's kinds can change is asked. Everything is asked when the rules have a new
   version, after a merge, and when a wake-up says that time alone may have changed something.
2. The wake-up that stands is never too late. It may be too early: then all is asked again, once.
3. Bands are told before cohorts, leaving before entering, each in the order the marketer wrote them:
   so that a path that reads both never sees a visitor in neither by accident.
4. Probabilities are worked out before anything is asked, where the rules ask for any (`chances`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from agents.behavior_bot.chances import moved, refresh
from agents.behavior_bot.facts import VisitorFacts, faded
from agents.behavior_bot.knowing import may_show_to
from agents.behavior_bot.sessions import present
from agents.behavior_bot.state import BehaviorState, Points
from agents.protocol.bot import View
from agents.rules.compiled import PROBABILITY, CompiledCohort, CompiledRules, ScoreRule
from agents.rules.fading import fades_at
from messaging.vocabulary.effects import CancelWake, Effect, Tell, WakeAt
from messaging.vocabulary.messages import CohortEntered, CohortLeft, ScoreCrossed

COHORTS_WAKE = "cohorts"

Scored = tuple[ScoreRule, bool]
"""A score that was given points, and whether they raised it."""


class Moment(msgspec.Struct, gc=False):
    """Hold what all parts of one step need to know."""

    visitor: str
    now: datetime
    seconds: float
    """`now` as seconds since 1970."""
    view: View
    rules: CompiledRules


def moment(visitor: str, now: datetime, view: View) -> Moment:
    """Return the moment of a step."""
    return Moment(visitor, now, now.timestamp(), view, view.rules)


def add_points(
    state: BehaviorState, rules: CompiledRules, kind: str, at: float, weight: float = 1.0
) -> list[Scored]:
    """Give an event's points, decayed to a common moment; return the scores that changed."""
    changed = []
    for rule in rules.scores.values():
        value = rule.points_by_kind.get(kind)
        if value:
            _add(state, rule, value * weight, at)
            changed.append((rule, value > 0))
    return changed


def evaluate(
    state: BehaviorState,
    here: Moment,
    kinds: Sequence[str],
    scored: list[Scored],
    tell_again: Sequence[str] = (),
) -> list[Effect]:
    """Return what to tell of cohorts and bands, and the wake-up for what time alone will change.

    Args:
        state: the visitor's state; the bands and cohorts told are noted in it.
        here: the moment.
        kinds: kinds of events that happened.
        scored: scores that were given points.
        tell_again: cohorts that Rules may hold for this visitor by a merge.
    """
    rules, view = here.rules, here.view
    everything = state.rules_version != view.rules_version or "merge" in kinds
    effects: list[Effect] = []
    before = state.cohorts
    if rules.probabilities and refresh(state, here.seconds, view):
        kinds = (*kinds, PROBABILITY)
    if everything:
        state.rules_version = view.rules_version
        kinds, scored = ("merge",), [(rule, False) for rule in rules.scores.values()]
    due: datetime | None = None
    for rule, rising in scored:
        due = _earlier(due, _band(state, here, rule, effects, rising=rising))
    cohorts = rules.cohorts_touched(kinds[0]) if len(kinds) == 1 else _touched(rules, kinds)
    left: list[str] = []
    if everything:
        left = sorted({*state.cohorts, *tell_again} - rules.cohorts.keys())
    if cohorts or left:
        due = _earlier(due, _cohorts(state, here, cohorts, tell_again, left, effects))
    if rules.probabilities and state.cohorts is not before:
        effects += moved(state, rules, before)
    if due is not None:
        seconds = due.timestamp()
        if everything or not state.cohorts_due or seconds < state.cohorts_due:
            state.cohorts_due = seconds
            effects.append(WakeAt(COHORTS_WAKE, due))
    elif everything and state.cohorts_due:
        state.cohorts_due = 0.0
        effects.append(CancelWake(COHORTS_WAKE))
    return effects


def merge_points(left: Points | None, right: Points, rule: ScoreRule | None) -> Points:
    """Return the sum of two scores, at the later of their moments."""
    if left is None:
        return Points(right.value, right.at)
    early, late = sorted((left, right), key=lambda points: points.at)
    half_life = rule.half_life_days if rule is not None else None
    part = 1.0 if half_life is None else faded(late.at - early.at, half_life)
    return Points(late.value + early.value * part, late.at, left.band)


def _add(state: BehaviorState, rule: ScoreRule, value: float, at: float) -> None:
    points = state.scores.get(rule.name)
    if points is None:
        state.scores[rule.name] = Points(value, at)
    elif rule.half_life_days is None:
        points.value += value
        points.at = max(points.at, at)
    elif at >= points.at:
        points.value = points.value * faded(at - points.at, rule.half_life_days) + value
        points.at = at
    else:
        points.value += value * faded(points.at - at, rule.half_life_days)


def _touched(rules: CompiledRules, kinds: Sequence[str]) -> list[CompiledCohort]:
    """Return the cohorts that any of these kinds may change, each once."""
    lists = [rules.cohorts_touched(kind) for kind in kinds]
    return list({cohort.name: cohort for found in lists for cohort in found}.values())


def _cohorts(
    state: BehaviorState,
    here: Moment,
    cohorts: list[CompiledCohort],
    again: Sequence[str],
    left: list[str],
    effects: list[Effect],
) -> datetime | None:
    """Ask the cohorts; note and tell what changed. Return when time alone may change one of them."""
    now, inside = here.now, state.cohorts
    facts = VisitorFacts(here.visitor, state, here.seconds, here.rules.scores, here.view.consent)
    entered: list[str] = []
    due: datetime | None = None
    for cohort in cohorts:
        name = cohort.name
        if cohort.test(facts, now):
            if name not in inside:
                entered.append(name)
        elif name in inside or name in again:
            left.append(name)
        if cohort.until is not None:
            until = cohort.until(facts, now)
            if until is not None and (due is None or until < due):
                due = until
    if entered or left:
        state.cohorts = sorted({*inside, *entered} - {*left})
        visitor = here.visitor
        effects.extend(Tell("rules", CohortLeft(visitor, now, name)) for name in left)
        if entered:
            span = present(state, here.seconds)
            visit_at = datetime.fromtimestamp(span.start, UTC) if span is not None else None
            may_show = may_show_to(state)
            effects.extend(
                Tell("rules", CohortEntered(visitor, now, name, visit_at, may_show))
                for name in entered
            )
    return due


def _band(
    state: BehaviorState, here: Moment, rule: ScoreRule, effects: list[Effect], *, rising: bool
) -> datetime | None:
    """Tell a score's band if it changed; return when the score fades into another one."""
    points = state.scores.get(rule.name)
    if points is None:
        return None
    raw = points.value
    if rule.half_life_days is not None:
        raw *= faded(here.seconds - points.at, rule.half_life_days)
    value = raw if rule.cap is None else min(raw, rule.cap)
    band = rule.band(value)
    if band == points.band and rising:
        return None  # it fades into the next band later than the wake-up that stands
    if band != points.band:
        points.band = band
        if state.address:
            # Of a browser that nobody can write to, a third of all messages were of this kind.
            crossed = ScoreCrossed(here.visitor, here.now, rule.name, value, band)
            effects.append(Tell("rules", crossed))
    # Bands are passed by the points themselves: a cap cuts what is read, not how it fades.
    return fades_at(raw, [start for start, _ in rule.bands], rule.half_life_days, here.now)


def _earlier(left: datetime | None, right: datetime | None) -> datetime | None:
    if left is None or right is None:
        return left or right
    return min(left, right)
