"""Give points, and find out which cohorts and bands a visitor is in now; tell Rules what changed.

Rules
1. Only what the event's kinds can change is asked. Everything is asked when the rules have a new version and after a
   merge; of a new visitor also what may hold of anybody, at a wake-up what time can change.
2. The wake-up that stands is never too late. It may be too early: then what time can change is asked again, once.
   Points that raise a score move the times at which it fades to later ones: only the bounds between are asked.
3. Bands are told before cohorts, leaving before entering, each in the order the marketer wrote them:
   so that a path that reads both never sees a visitor in neither by accident.
4. A cohort, or a band, that is decided by what is still lacking of a visitor's history is not asked (`filling`). What a
   flow asks by such a one Rules is told before anything that lets a run begin, and that it came after what it says: to
   Rules a cohort that was not entered is a no.
5. Probabilities are worked out before anything is asked, where the rules ask for any (`chances`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from agents.behavior_bot.chances import moved, refresh
from agents.behavior_bot.facts import VisitorFacts, faded, standing
from agents.behavior_bot.listed import note_sorted
from agents.behavior_bot.sessions import present
from agents.behavior_bot.state import (
    MOVES_MAX,
    RECENT_CHARACTERS_MAX,
    BehaviorState,
    Points,
    keep,
)
from agents.protocol.bot import View
from agents.rules.compiled import (
    BORN,
    PROBABILITY,
    TIME,
    CompiledCohort,
    CompiledRules,
    ScoreRule,
)
from agents.rules.fading import fades_at
from agents.rules.flow import is_entry, is_hidden
from agents.rules.keeping import SCORE
from agents.rules.parts import BY_EMAIL, CUSTOMER
from messaging.vocabulary.effects import CancelWake, Effect, Tell, WakeAt
from messaging.vocabulary.messages import CohortEntered, CohortLeft, HistoryAwaited, ScoreCrossed

COHORTS_WAKE = "cohorts"

RULES, HISTORY = "rules:", "history"
"""What moves a visitor besides kinds of events: a version of the rules, and what was lacking of their past."""
ANEW = frozenset({"merge", HISTORY})
"""Kinds by which everything is asked."""


class Scored(NamedTuple):
    """Tell of a score that was given points."""

    rule: ScoreRule
    rising: bool
    """Whether they raised it."""
    value: float = 0.0
    at: float = 0.0
    """What stood before: points of a moment; 0: none."""


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
            stood = state.scores.get(rule.name)
            before = (stood.value, stood.at) if stood is not None else (0.0, 0.0)
            _add(state, rule, value * weight, at)
            changed.append(Scored(rule, value > 0, *before))
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
    is_whole = not ANEW.isdisjoint(kinds)
    is_new = state.rules_version < 0 and not is_whole
    everything = not is_new and (state.rules_version != view.rules_version or is_whole)
    effects: list[Effect] = []
    before = state.cohorts
    by = kinds[0] if kinds else TIME
    if everything and state.rules_version != view.rules_version:
        by = f"{RULES}{view.rules_version}"
    if rules.probabilities and refresh(state, here.seconds, view):
        kinds = (*kinds, PROBABILITY)
    if is_new:
        state.rules_version = view.rules_version
        kinds = (*kinds, BORN)
    elif everything:
        state.rules_version = view.rules_version
        state.by_people = []  # every cohort is asked anew
        kinds = ("merge",)
    if everything or TIME in kinds:
        scored = [Scored(rule, rising=False) for rule in rules.scores.values()]
    due: datetime | None = None
    if state.lacks:
        scored = [each for each in scored if SCORE + each.rule.name not in state.lacks]
    for each in scored:
        due = _earlier(due, _band(state, here, each.rule, effects, rising=each.rising))
    cohorts = _touched(state, here, kinds, scored)
    if state.lacks:
        cohorts = _decidable(state, here, cohorts, tell_again)
    left: list[str] = []
    if everything:
        left = sorted({*state.cohorts, *tell_again} - rules.cohorts.keys())
    if cohorts or left:
        due = _earlier(due, _cohorts(state, here, cohorts, tell_again, left, effects))
    if state.cohorts is not before:
        _note_moves(state, here.seconds, before, by)
    if rules.probabilities and state.cohorts is not before:
        effects += moved(state, rules, before)
    if everything:
        effects = _with_undecided(state, here, effects)
    return effects + _wake(state, due, everything=everything)


def _with_undecided(state: BehaviorState, here: Moment, effects: list[Effect]) -> list[Effect]:
    """Return what is told, with which cohorts cannot be decided yet of those that Rules reads a no from."""
    before, now = state.told_undecided, _undecided(state, here.rules) if state.lacks else []
    if now == before:
        return effects
    state.told_undecided = now
    told = Tell("rules", HistoryAwaited(here.visitor, here.now, now))
    return [told, *effects] if now else [*effects, told]


def _undecided(state: BehaviorState, rules: CompiledRules) -> list[str]:
    """Return the cohorts whose no Rules goes by, and of whose history something is lacking."""
    kept_off = {rule.unless for rule in rules.interactions.values()}
    return sorted(
        name
        for name, cohort in rules.cohorts.items()
        if not cohort.keeps.isdisjoint(state.lacks)
        and (name in kept_off or (is_hidden(name) and not is_entry(name)))
    )


def _wake(state: BehaviorState, due: datetime | None, *, everything: bool) -> list[Effect]:
    """Return the wake-up for what time alone will change; where everything was asked, instead of that before."""
    if due is None:
        if not everything or not state.cohorts_due:
            return []
        state.cohorts_due = 0.0
        return [CancelWake(COHORTS_WAKE)]
    seconds = due.timestamp()
    if not everything and state.cohorts_due and seconds >= state.cohorts_due:
        return []
    state.cohorts_due = seconds
    return [WakeAt(COHORTS_WAKE, due)]


def _note_moves(state: BehaviorState, at: float, before: list[str], by: str) -> None:
    """Keep for the story which cohorts that a marketer wrote were entered and left, and by what."""
    left, entered = {*before} - {*state.cohorts}, {*state.cohorts} - {*before}
    for sign, names in (("-", left), ("+", entered)):
        for name in sorted(names):
            if not is_hidden(name):
                keep(state.moves, (at, sign + name, by[:RECENT_CHARACTERS_MAX]), MOVES_MAX)


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


def _touched(
    state: BehaviorState, here: Moment, kinds: Sequence[str], scored: list[Scored]
) -> list[CompiledCohort]:
    """Return the cohorts that these kinds and points may change, each once."""
    rules = here.rules
    if "merge" in kinds:
        return rules.cohorts_touched("merge")
    lists = [found for each in scored if (found := _crossed(state, here, each))]
    for kind in kinds:
        always, needing, names = rules.asked_by(kind)
        if always:
            lists.append(always)
        for what, by_name in needing:
            lists += _had(state, what, by_name)
        if not names.isdisjoint(state.cohorts):
            lists.append([rules.cohorts[name] for name in state.cohorts if name in names])
    if len(lists) == 1 and not scored:
        return lists[0]
    return list({cohort.name: cohort for found in lists for cohort in found}.values())


def _decidable(
    state: BehaviorState, here: Moment, cohorts: list[CompiledCohort], tell_again: Sequence[str]
) -> list[CompiledCohort]:
    """Return the cohorts for which nothing is lacking; of the others, those that Rules holds by a merge are noted."""
    held = {name for name in tell_again if name in here.rules.cohorts}
    held = {name for name in held if not here.rules.cohorts[name].keeps.isdisjoint(state.lacks)}
    if not held <= set(state.cohorts):
        state.cohorts = sorted({*state.cohorts, *held})
    return [each for each in cohorts if each.keeps.isdisjoint(state.lacks)]


def _had(
    state: BehaviorState, what: str, by_name: Mapping[str, list[CompiledCohort]]
) -> list[list[CompiledCohort]]:
    """Return the lists of cohorts whose need is met. The shorter of both sides is gone through."""
    found = []
    for held in _held(state, what):
        if len(held) < len(by_name):
            found += [by_name[name] for name in held if name in by_name]
        else:
            found += [cohorts for name, cohorts in by_name.items() if name in held]
    return found


def _held(state: BehaviorState, what: str) -> tuple[Collection[str], ...]:
    """Return the names of what a visitor has of a kind of need."""
    match what:
        case "trait":
            return state.traits, state.lists
        case "mark":
            return (state.marks,)
        case "page":
            return (state.looked,)
        case "score":
            return (state.scores,)
        case "place":
            return (state.places,)
        case "seen":
            return (state.tallies,)
        case _:
            return ([name for name, is_so in _is(state) if is_so],)


def _is(state: BehaviorState) -> tuple[tuple[str, bool], tuple[str, bool]]:
    return (CUSTOMER, state.orders_count > 0), (BY_EMAIL, state.email is not None)


def _crossed(state: BehaviorState, here: Moment, scored: Scored) -> list[CompiledCohort]:
    """Return the cohorts that ask for a bound between what stood before and what stands now."""
    rule, now = scored.rule, here.seconds
    if rule.name not in here.rules.bounds:
        return []
    points = state.scores.get(rule.name)
    after = standing(points.value, points.at, rule, now) if points is not None else 0.0
    before = standing(scored.value, scored.at, rule, now)
    if not scored.rising or before < 0:
        return here.rules.crossed(rule.name, float("-inf"), float("inf"))
    return here.rules.crossed(rule.name, before, after)


def _cohorts(
    state: BehaviorState,
    here: Moment,
    cohorts: list[CompiledCohort],
    again: Sequence[str],
    left: list[str],
    effects: list[Effect],
) -> datetime | None:
    """Ask the cohorts; note and tell what changed. Return when time alone may change one of them."""
    now, inside = here.now, frozenset(state.cohorts)
    facts = VisitorFacts(here.visitor, state, here.seconds, here.rules.scores, here.view.consent)
    entered: list[str] = []
    due: datetime | None = None
    for cohort in cohorts:
        name = cohort.name
        holds = cohort.test(facts, now)
        if cohort.lists:
            note_sorted(state, name, cohort.lists, holds=holds)
        if holds:
            if name not in inside:
                entered.append(name)
        elif name in inside or name in again:
            left.append(name)
        if cohort.until is not None:
            until = cohort.until(facts, now)
            if until is not None and (due is None or until < due):
                due = until
    if entered or left:
        order = here.rules.order
        left.sort(key=lambda name: order.get(name, -1))
        state.cohorts = sorted({*inside, *entered} - {*left})
        by_people = frozenset(state.by_people)
        visitor = here.visitor
        effects.extend(Tell("rules", CohortLeft(visitor, now, name)) for name in left)
        if entered:
            span = present(state, here.seconds)
            visit_at = datetime.fromtimestamp(span.start, UTC) if span is not None else None
            # What flows ask comes first, and what opens runs last: a run that begins by the same event is asked by what
            # holds now.
            entered.sort(key=lambda name: (is_entry(name), not is_hidden(name), order[name]))
            effects.extend(
                Tell("rules", CohortEntered(visitor, now, name, visit_at, name in by_people))
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
