"""Show who stands on which static list: a row for each, so that a list can be read without reading everybody.

Membership itself is a trait (`lists.<name>`): it is decided by what was written last, merges, is exported and erased as
every trait.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from agents.behavior_bot.state import BehaviorState
from messaging.vocabulary.effects import Effect, PutMember

LISTS = "lists."
"""Begins the names of the traits that are lists."""

_KIND = f"trait:{LISTS}"


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


def _names(state: BehaviorState) -> list[str]:
    return [name.removeprefix(LISTS) for name in sorted(state.traits) if name.startswith(LISTS)]


def _row(state: BehaviorState, name: str, now: datetime) -> PutMember:
    stamp = state.traits.get(LISTS + name)
    return PutMember(name, "on" if stamp is not None and stamp.value is True else "off", now)
