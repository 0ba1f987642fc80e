"""Show who stands on which static list: a row for each, so that a list can be read without reading everybody.

Membership itself is kept as a trait is, and asked for as one (`lists.<name>`): it is decided by what was written last,
merges, is exported and erased. But it stands apart: traits can be told by whoever has the public write key, as many as
they like.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from agents.behavior_bot.knowing import number_of
from agents.behavior_bot.state import (
    DAY_SECONDS,
    LISTS_MAX,
    BehaviorState,
    Turn,
    keep_turn,
    put,
    trim,
)
from agents.rules.facts import LISTS
from messaging.vocabulary.effects import Effect, LogStory, PutMember
from messaging.vocabulary.events import Call, Listed

_KIND = "trait:"
_LIST = f"{_KIND}{LISTS}"


def learn_lists(
    state: BehaviorState, event: Call, at: float, position: int, turning: frozenset[str]
) -> list[str]:
    """Take what a call says of lists; return the kinds of what changed, also of lists that the bound lets go."""
    kinds: list[str] = []
    for name, is_on in event.lists.items() if isinstance(event, Listed) else ():
        trait = f"{LISTS}{name}"
        changed = put(state.lists, trait, is_on, at, position)
        if trait in turning:
            turn = Turn(int(at // DAY_SECONDS), number_of(trait), number_of(is_on), at)
            changed |= keep_turn(state, turn)
        if changed:
            kinds.append(f"{_KIND}{trait}")
    return kinds + [f"{_KIND}{trait}" for trait in trim(state.lists, LISTS_MAX)]


def tell_listed(event: Call) -> list[Effect]:
    """Return the line of the story: not the visitor did this, but a person of ours, or a system in their name."""
    return [LogStory("list.changed", {"lists": event.lists})] if isinstance(event, Listed) else []


def show_changed(state: BehaviorState, kinds: Iterable[str], now: datetime) -> list[Effect]:
    """Return the rows of the lists that these kinds of changes are about."""
    traits = dict.fromkeys(kind.removeprefix(_KIND) for kind in kinds if kind.startswith(_LIST))
    return show_lists(state, traits, now)


def show_lists(state: BehaviorState, traits: Iterable[str], now: datetime) -> list[Effect]:
    """Return the rows of some lists; `traits`: as rules ask for them."""
    return [_row(trait, now, is_on=_is_on(state, trait)) for trait in traits]


def hide(state: BehaviorState, now: datetime) -> list[Effect]:
    """Return the rows of one who is another visitor from now on."""
    return [_row(trait, now, is_on=False) for trait in sorted(state.lists)]


def lists_of(state: BehaviorState) -> list[str]:
    """Return the lists that a visitor stands on."""
    return [trait.removeprefix(LISTS) for trait in sorted(state.lists) if _is_on(state, trait)]


def note_sorted(state: BehaviorState, cohort: str, lists: Iterable[str], *, holds: bool) -> None:
    """Note whether people had a hand in a visitor's being in a cohort; `lists`: those it asks for, as rules do."""
    by_people = holds and any(_is_on(state, trait) for trait in lists)
    if by_people != (cohort in state.by_people):
        state.by_people = sorted({*state.by_people} ^ {cohort})


def _is_on(state: BehaviorState, trait: str) -> bool:
    stamp = state.lists.get(trait)
    return stamp is not None and stamp.value is True


def _row(trait: str, now: datetime, *, is_on: bool) -> PutMember:
    return PutMember(trait.removeprefix(LISTS), "on" if is_on else "off", now)
