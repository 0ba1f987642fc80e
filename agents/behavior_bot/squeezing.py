"""Keep a visitor's state under its bound, whatever the bounds of its parts add up to.

Each part has a bound of its own, and hardly anybody comes near a second one. Who does (long addresses of pages, names
made up for each event, ids of 256 characters, all at once) has the oldest of everything let go, step by step, until the
whole is small again. It is counted in `let_go`, and shown.

Rules
1. What identifies a visitor, what they agreed to, the cohorts they are in and answers that wait to be
   judged stay.
2. What went may have decided cohorts: whoever lets it go asks them all again.
3. Which of the oldest went may depend on the order in which events and merges came. Below the bound nothing does.
4. Whether it is time to look is known by the state alone, so that a replay does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from agents.behavior_bot import looked
from agents.behavior_bot.orders import trim_orders
from agents.behavior_bot.sessions import VIEWED_MAX, trim_viewed
from agents.behavior_bot.state import BehaviorState, Tally, trim
from agents.behavior_bot.tallies import trim_hours, trim_names

STATE_BYTES_MAX = 16_000
"""A state is not larger once it is stored."""
BYTES_ALLOWED, BYTES_WANTED = 14_000, 11_000
"""Above the one the oldest is let go, until the other is reached: so it is not done again at each event."""
GROWTH_BYTES = 500
"""What an event adds at most, over several: the less room is left, the sooner the next look."""
MANY_COHORTS = 64
"""One event may bring a visitor into all cohorts at once: with so many, their names count as if all were new."""
LOOK_EVERY = 16
"""A look costs as much as storing the state. It is taken after so many events at the latest."""

SHARES = (2, 4, 8, 16)
"""Of everything only this part may stay, until it is enough."""

ORDERS_LEFT = 8

_encoder = msgspec.msgpack.Encoder()


def squeeze(state: BehaviorState, asked: Collection[str]) -> bool:
    """Let the oldest go if it is time to look and the state is too large; return whether anything went.

    Args:
        state: of the visitor, changed in place.
        asked: names of events that rules ask for: their counts stay apart.
    """
    state.unseen += 1
    names = sum(map(len, state.cohorts)) if len(state.cohorts) > MANY_COHORTS else 0
    room = BYTES_ALLOWED - state.bytes_seen - names
    is_time = state.unseen >= min(LOOK_EVERY, room // GROWTH_BYTES)
    return is_time and squeeze_now(state, asked)


def squeeze_now(state: BehaviorState, asked: Collection[str]) -> bool:
    """Let the oldest go until the state is small enough, or all that may go is gone; return whether anything went."""
    state.unseen = 0
    state.bytes_seen = len(_encoder.encode(state))
    if state.bytes_seen <= BYTES_ALLOWED:
        return False
    before = state.let_go
    for share in SHARES:
        for part in _PARTS:
            state.let_go += part(state, asked, share)
            if len(_encoder.encode(state)) <= BYTES_WANTED:
                return state.let_go > before
    return state.let_go > before


def _rings(state: BehaviorState, _: Collection[str], share: int) -> int:
    rings: tuple[tuple[list[Any], int], ...] = (
        (state.recent, 48),
        (state.moves, 32),
        (state.pages, 32),
        (state.cart, 16),
        (state.turns, 64),
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


def _orders(state: BehaviorState, _: Collection[str], share: int) -> int:
    """Orders and refunds go last of all: a refund that is told again after it is forgotten is taken again."""
    if share < SHARES[-1]:
        return 0
    before = len(state.orders) + len(state.refunds)
    trim_orders(state, ORDERS_LEFT, ORDERS_LEFT)
    return before - len(state.orders) - len(state.refunds)


def _marks(state: BehaviorState, _: Collection[str], share: int) -> int:
    return sum(_cut(marks, max(1, 64 // share)) for marks in state.marks.values())


def _looked(state: BehaviorState, _: Collection[str], share: int) -> int:
    before = state.let_go
    looked.trim(state, looked.LOOKED_MAX // share, looked.HOURS_IN_ALL_MAX // share)
    trim_viewed(state, VIEWED_MAX // share)
    gone, state.let_go = state.let_go - before, before
    return gone


_PARTS: tuple[Callable[[BehaviorState, Collection[str], int], int], ...] = (
    _rings,
    _clicks,
    _traits,
    _hours,
    _looked,
    _marks,
    _orders,
)
"""In the order in which they are missed least."""


def _cut(ring: list[Any], count: int) -> int:
    over = max(0, len(ring) - count)
    del ring[:over]
    return over
