"""Keep in which hours somebody was there, in 400 bytes at most: the newest occasions, each an hour of a week.

An occasion is an hour (UTC, counted from the first Monday of 1970) in which somebody did something; however much they
did in it, it is one. What stands in the visitor's zone is worked out where it is asked for, so that a zone that is
learned later, or changes, mends the past as well.

Rules
1. The newest `OCCASIONS_MAX` are kept, none older than `AGE_HOURS_MAX` before the week of the newest. So whatever order
   they are told in, and whoever is merged into whom, the same bytes are left.
2. The hours of the newest week are a byte each; before it each is two bytes, how long it lies before the next. A week
   that begins is packed once, and an event in an hour that is known costs a look into a few bytes.
3. A zone that is half an hour off is off by half an hour here: a byte a week is not worth it, an e-mail is read within
   hours.
"""

from __future__ import annotations

import struct

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.serving.send_time import SLOTS

HOUR_SECONDS = 3600
MONDAY_SECONDS = 4 * 86_400
"""1970 began on a Thursday: hours and weeks are counted from the first Monday after."""

OCCASIONS_MAX = 180
"""`learning/README.md` has what keeping only so many costs, measured on a recorded log."""

AGE_HOURS_MAX = 65_535
"""Seven years and a half: what two bytes can say."""

_GAP = np.dtype("<u2")
_SLOT = [bytes((slot,)) for slot in range(SLOTS)]

Ints = NDArray[np.int64]


class Presence(msgspec.Struct, array_like=True, gc=False):
    """Hold when somebody was there."""

    week: int = 0
    """The newest week with an occasion."""
    here: bytes = b""
    """Its hours (0 to 167), in order."""
    before: bytes = b""
    """Hours before the week, newest first: how long each lies before the one after it, or before the week."""


def hour_of(seconds: float) -> int:
    """Return which hour since the first Monday of 1970 a moment lies in.

    >>> hour_of(MONDAY_SECONDS), hour_of(MONDAY_SECONDS + 169 * 3600.0)
    (0, 169)
    """
    return (int(seconds) - MONDAY_SECONDS) // HOUR_SECONDS


def note(presence: Presence, seconds: float) -> bool:
    """Note that somebody was there at a moment (seconds since 1970); return whether that is an hour not known yet."""
    week, slot = divmod((int(seconds) - MONDAY_SECONDS) // HOUR_SECONDS, SLOTS)
    here = presence.here
    if week == presence.week and here:
        if slot in here:
            return False
        later = slot > here[-1]
        presence.here = here + _SLOT[slot] if later else bytes(sorted((*here, slot)))
        presence.before = presence.before[: _GAP.itemsize * max(0, OCCASIONS_MAX - len(here) - 1)]
        return True
    if week < 0:
        return False
    if not here:
        presence.week, presence.here = week, _SLOT[slot]
        return True
    if week > presence.week and _begin(presence, week, slot):
        return True
    known, hour = hours_of(presence), week * SLOTS + slot
    put_in(presence, np.union1d(known, [hour]))
    return hour not in known and hour in hours_of(presence)


def _begin(presence: Presence, week: int, slot: int) -> bool:
    """Begin a later week as `put_in` would, at a tenth of its cost; False, and nothing done, where one is too old."""
    here = presence.here
    gaps = [after - slot_of for after, slot_of in zip(here[:0:-1], here[-2::-1], strict=True)]
    gaps.insert(0, (week - presence.week) * SLOTS - here[-1])
    if presence.before:
        first, *rest = struct.unpack(f"<{len(presence.before) // _GAP.itemsize}H", presence.before)
        gaps += [first + here[0], *rest]
    if sum(gaps) > AGE_HOURS_MAX:
        return False
    kept = gaps[: OCCASIONS_MAX - 1]
    presence.week, presence.here = week, _SLOT[slot]
    presence.before = struct.pack(f"<{len(kept)}H", *kept)
    return True


def occasions(presence: Presence) -> int:
    """Return how many hours are kept."""
    return len(presence.here) + len(presence.before) // _GAP.itemsize


def hours_of(presence: Presence) -> Ints:
    """Return all hours, the oldest first."""
    here = np.frombuffer(presence.here, np.uint8).astype(np.int64) + presence.week * SLOTS
    return np.concatenate([hours_before(presence.week, presence.before), here])


def hours_before(week: int, before: bytes) -> Ints:
    """Return the hours that were packed as before a week, the oldest first; of what is no packing, what can be read."""
    gaps = np.frombuffer(before, _GAP, len(before) // _GAP.itemsize).astype(np.int64)
    if not len(gaps):
        return gaps
    gaps[0] = week * SLOTS - gaps[0]
    return np.subtract.accumulate(gaps)[::-1].copy()


def put_in(presence: Presence, hours: Ints) -> None:
    """Put these hours in place of what is known: in order, each once."""
    if not len(hours):
        presence.week, presence.here, presence.before = 0, b"", b""
        return
    week = int(hours[-1]) // SLOTS
    start = week * SLOTS
    first = int(np.searchsorted(hours, start))
    here = hours[first:] - start
    room = max(0, OCCASIONS_MAX - len(here))
    presence.week, presence.here = week, here.astype(np.uint8).tobytes()
    presence.before = _packed(hours[:first], start, room)


def before_week(hours: Ints, week: int) -> bytes:
    """Return the hours that lie before a week, packed as before it."""
    return _packed(hours[hours < week * SLOTS], week * SLOTS, OCCASIONS_MAX)


def joined(one: tuple[int, bytes], other: tuple[int, bytes]) -> tuple[int, bytes]:
    """Return two packings, each (the week before which its hours lie, the hours), as one."""
    if not one[1] or not other[1]:
        return max(one, other, key=lambda each: (bool(each[1]), each))
    week = max(one[0], other[0])
    return week, before_week(np.union1d(hours_before(*one), hours_before(*other)), week)


def absorb(presence: Presence, other: Presence) -> None:
    """Take in the hours of somebody who was found to be the same person."""
    put_in(presence, np.union1d(hours_of(presence), hours_of(other)))


def _packed(hours: Ints, start: int, room: int) -> bytes:
    kept = hours[hours >= start - AGE_HOURS_MAX]
    newest_first = kept[::-1][:room]
    gaps = -np.diff(newest_first, prepend=start)
    return gaps.astype(_GAP).tobytes()
