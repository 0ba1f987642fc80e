"""Fill in from history what newly published rules look at, and what was not kept of a visitor before.

Rules
1. A visitor's state notes for which publication it is kept. With the first message under a newer one, whatever that
   did not look at begins empty and is *lacking*; what it does not look at any more goes.
2. What is lacking comes by `RulesFilled`: all that was taken before the shard saw the publication, and nothing else.
   So history and what came since are two parts of one whole, and adding them counts nothing twice.
3. A cohort that is decided by what is lacking is not asked until it is there: nobody enters or leaves by half a
   history. Then everything is asked.
4. History comes once for each visitor who is awaited: also for the younger of two who were merged meanwhile, by
   their tombstone. What was meant for another publication is void.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agents.behavior_bot.evaluate import HISTORY, Moment, evaluate, merge_points
from agents.behavior_bot.knowing import number_of
from agents.behavior_bot.looked import add_looked
from agents.behavior_bot.sessions import add_viewed, forget_viewed
from agents.behavior_bot.state import (
    BehaviorState,
    InCart,
    Points,
    Tally,
    Turn,
    keep_in_cart,
    keep_marks,
    keep_turn,
)
from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.rules.keeping import CART, MARK, PAGE, SCORE, TURN, VIEWS, new_in
from messaging.vocabulary.effects import Effect
from messaging.vocabulary.events import RulesFilled


def settle(state: BehaviorState, visitor: str, view: View) -> None:
    """Keep from now on what the rules of a newer publication look at; note what is lacking of it.

    Who was never met lacks nothing. Everybody else is kept for some publication: there is one before any shard works.
    """
    assert state.kept or state.rules_version < 0, f"{visitor} was met under no publication"
    if state.kept:
        known = view.pinned.get(state.kept_version)
        before = known.keeps if known is not None else {}
        keeps = view.rules.keeps
        # What was still on its way is cut anew: its history is told up to this publication then.
        lacking = new_in(keeps, before) | (keeps.keys() & set(state.lacks))
        _let_go(state, (before.keys() | set(state.lacks)) - keeps.keys())
        _begin(state, lacking)
        state.lacks = sorted(lacking)
        state.awaiting = [visitor] if lacking else []
    state.kept, state.kept_version = view.publication, view.rules_version


def fill(state: BehaviorState, event: RulesFilled, here: Moment) -> list[Effect]:
    """Take a history; return what follows from it once nothing is lacking any more."""
    if event.publication != state.kept:
        return []
    is_met = state.rules_version >= 0  # nobody asks about who was never seen
    if event.of in state.awaiting:
        add(state, event, here.rules, frozenset(state.lacks))
        state.awaiting = [each for each in state.awaiting if each != event.of]
        if not state.awaiting:
            state.lacks = []
            return evaluate(state, here, (HISTORY,), []) if is_met else []
    return evaluate(state, here, (), []) if is_met else []


def add(
    state: BehaviorState, history: RulesFilled, rules: CompiledRules, parts: frozenset[str]
) -> None:
    """Add a history to what is kept: those parts of it that are asked for."""
    for watch, marks in history.marks.items():
        if MARK + watch in parts:
            keep_marks(state, watch, marks)
    pages = {page: Tally(*told) for page, told in history.pages.items() if PAGE + page in parts}
    add_looked(state, pages)
    add_viewed(
        state,
        (
            (start, {each: n for each, n in viewed.items() if VIEWS + each in parts})
            for start, viewed in history.visits
        ),
    )
    traits = {number_of(part[len(TURN) :]) for part in parts if part.startswith(TURN)}
    for turn in history.turns:
        if turn[1] in traits:
            keep_turn(state, Turn(*turn))
    if CART in parts:
        keep_in_cart(state, [InCart(*entry) for entry in history.cart])
    for name, (value, at) in history.scores.items():
        if SCORE + name in parts:
            rule = rules.scores.get(name)
            state.scores[name] = merge_points(state.scores.get(name), Points(value, at), rule)


def history_of(state: BehaviorState, visitor: str, of: str, publication: int) -> RulesFilled:
    """Return what is kept in a state that lived through the events of `of`, for `visitor`."""
    return RulesFilled(
        visitor=visitor,
        publication=publication,
        of=of,
        marks={watch: list(marks) for watch, marks in state.marks.items() if marks},
        pages={
            page: (each.count, each.last, each.hours, each.human, each.first)
            for page, each in state.looked.items()
        },
        visits=[(span.start, span.viewed) for span in state.sessions if span.viewed],
        turns=[(turn.day, turn.trait, turn.value, turn.at) for turn in state.turns],
        cart=[(e.at, e.product, e.quantity, e.price, e.words) for e in state.cart],
        scores={name: (points.value, points.at) for name, points in state.scores.items()},
    )


def without_kept(state: BehaviorState) -> BehaviorState:
    """Return a state without what history brings: of a younger visitor who is merged, for whoever tells history."""
    state.marks, state.looked, state.turns, state.cart, state.scores = {}, {}, [], [], {}
    state.lacks, state.awaiting = [], []
    for span in state.sessions:
        span.viewed = {}
    return state


def absorb_lacking(state: BehaviorState, young: BehaviorState) -> None:
    """Await what a younger visitor awaited; where one of the two is ahead, `settle` has cut it or will."""
    if young.kept == state.kept and young.awaiting:
        state.lacks = sorted({*state.lacks, *young.lacks})
        state.awaiting = sorted({*state.awaiting, *young.awaiting})


def _begin(state: BehaviorState, parts: Iterable[str]) -> None:
    """Let what is kept begin anew; of a score it stays known which band was told."""
    _let_go(state, (part for part in parts if not part.startswith(SCORE)))
    for part in parts:
        points = state.scores.get(part[len(SCORE) :]) if part.startswith(SCORE) else None
        if points is not None:
            points.value, points.at = 0.0, 0.0


def _let_go(state: BehaviorState, parts: Iterable[str]) -> None:
    gone: dict[str, set[Any]] = {each: set() for each in (MARK, PAGE, TURN, SCORE, VIEWS)}
    for part in parts:
        if part == CART:
            state.cart = []
            continue
        kind, _, name = part.partition(":")
        gone[f"{kind}:"].add(name)
    for watch in gone[MARK]:
        state.marks.pop(watch, None)
    for page in gone[PAGE]:
        state.looked.pop(page, None)
    forget_viewed(state, gone[VIEWS])
    for name in gone[SCORE]:
        state.scores.pop(name, None)
    if gone[TURN]:
        traits = {number_of(name) for name in gone[TURN]}
        state.turns = [turn for turn in state.turns if turn.trait not in traits]
