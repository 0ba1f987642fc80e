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
from messaging.vocabulary.effects import Effect, PutMember
from messaging.vocabulary.events import Call, Listed

_KIND = f"trait:{LISTS}"


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
            kinds.append(f"trait:{trait}")
    return kinds + [f"trait:{trait}" for trait in trim(state.lists, LISTS_MAX)]


def show_changed(state: BehaviorState, kinds: Iterable[str], now: datetime) -> list[Effect]:
    """Return the rows of the lists that these kinds of changes are about."""
    names = dict.fromkeys(kind[len(_KIND) :] for kind in kinds if kind.startswith(_KIND))
    return [_row(state, name, now) for name in names]


def show_merged(state: BehaviorState, now: datetime) -> list[Effect]:
    """Return the rows of one who took another in."""
    return [_row(state, name, now) for name in _names(state)]


def hide(state: BehaviorState, now: datetime) -> list[Effect]:
    """Return the rows of one who is another visitor from now on."""
    return [PutMember(name, "off", now) for name in _names(state)]


def lists_of(state: BehaviorState) -> list[str]:
    """Return the lists that a visitor stands on."""
    return [name for name in _names(state) if state.lists[LISTS + name].value is True]


def _names(state: BehaviorState) -> list[str]:
    return [trait.removeprefix(LISTS) for trait in sorted(state.lists)]


def _row(state: BehaviorState, name: str, now: datetime) -> PutMember:
    stamp = state.lists.get(LISTS + name)
    return PutMember(name, "on" if stamp is not None and stamp.value is True else "off", now)
