"""Keep a visitor's state under its bound, whatever the bounds of its parts add up to.

Each part has a bound of its own, and hardly anybody comes near a second one. Who does (long addresses of pages, names
made up for each event, ids of 256 characters, all at once) has the oldest of everything let go, step by step, until the
whole is small again. It is counted in `let_go`, and shown.

Rules
1. What identifies a visitor, what they agreed to, ordered and gave back, and the cohorts they are in stay.
2. Whether it is time to look is known by the state and an event's position, so that a replay does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from agents.behavior_bot.state import BehaviorState, Tally, trim
from agents.behavior_bot.tallies import trim_hours, trim_names

STATE_BYTES_MAX = 16_000
"""No state is larger once it is stored."""
BYTES_WANTED = 14_000
"""Above it the oldest is let go."""
LARGE_BYTES = 8_000
MANY_COHORTS = 64
"""One event may bring a visitor into all cohorts at once."""
LOOK_EVERY = 16
"""A look costs as much as storing the state. A state that was not large is looked at only so often."""

SHARES = (2, 4, 8, 16)
"""Of everything only this part may stay, until it is enough."""

_encoder = msgspec.msgpack.Encoder()


def squeeze(state: BehaviorState, asked: Collection[str], position: int) -> None:
    """Let the oldest go if it is time to look and the state is too large.

    Args:
        state: of the visitor, changed in place.
        asked: names of events that rules ask for: their counts stay apart.
        position: of the event in the journal.
    """
    is_large = state.bytes_seen > LARGE_BYTES or len(state.cohorts) > MANY_COHORTS
    if is_large or position % LOOK_EVERY == 0:
        squeeze_now(state, asked)


def squeeze_now(state: BehaviorState, asked: Collection[str]) -> None:
    """Let the oldest go until the state is small enough, or all that may go is gone."""
    state.bytes_seen = len(_encoder.encode(state))
    if state.bytes_seen <= BYTES_WANTED:
        return
    for share in SHARES:
        for part in _PARTS:
            state.let_go += part(state, asked, share)
            if len(_encoder.encode(state)) <= BYTES_WANTED:
                return


def _rings(state: BehaviorState, _: Collection[str], share: int) -> int:
    rings: tuple[tuple[list[Any], int], ...] = (
        (state.recent, 48),
        (state.pages, 32),
        (state.cart, 16),
        (state.turns, 64),
        (state.waiting, 8),
    )
    return sum(_cut(ring, most // share) for ring, most in rings)


def _clicks(state: BehaviorState, _: Collection[str], share: int) -> int:
    return sum(_cut(send.clicks, 8 // share) for send in state.sends)


def _traits(state: BehaviorState, _: Collection[str], share: int) -> int:
    return len(trim(state.traits, 64, 2_400 // share))


def _hours(state: BehaviorState, asked: Collection[str], share: int) -> int:
    before = state.let_go
    trim_names(state, asked, 160 // share, 2_000 // share)
    trim_hours(state, Tally(), 800 // share)
    gone, state.let_go = state.let_go - before, before
    return gone


def _marks(state: BehaviorState, _: Collection[str], share: int) -> int:
    return sum(_cut(marks, max(1, 64 // share)) for marks in state.marks.values())


_PARTS: tuple[Callable[[BehaviorState, Collection[str], int], int], ...] = (
    _rings,
    _clicks,
    _traits,
    _hours,
    _marks,
)
"""In the order in which they are missed least."""


def _cut(ring: list[Any], count: int) -> int:
    over = max(0, len(ring) - count)
    del ring[:over]
    return over
