"""Read states as older versions of the product wrote them.

1  A tally had hours for eight days, counted from 1970, and days (UTC) for 400.
2  It has hours alone, counted from `FIRST_HOUR`.
   The value of orders was one sum, whatever their currencies.
3  Names of orders that were let go have times. The value is kept by currency: what was summed names none.
"""

from __future__ import annotations

from typing import Any

import msgspec

from agents.behavior_bot.orders import CENTS, orders_value
from agents.behavior_bot.state import BehaviorState
from agents.behavior_bot.tallies import FIRST_HOUR, HOURS_MAX
from agents.protocol.known import dated

VERSION = 3

_TALLIES = BehaviorState.__struct_fields__.index("tallies")
_VALUE = BehaviorState.__struct_fields__.index("orders_older")
_NAMES = BehaviorState.__struct_fields__.index("order_names")


def read(version: int, body: bytes | msgspec.Raw) -> BehaviorState:
    """Return a state of an older layout, or this one, in this one.

    Raises:
        ValueError: this layout is not known.
    """
    if version == VERSION:
        return msgspec.msgpack.decode(body, type=BehaviorState)
    if version not in (1, 2):
        raise ValueError(f"behavior: no layout {version} is known ({len(bytes(body))} bytes)")
    fields: list[Any] = msgspec.msgpack.decode(body)
    value, fields[_VALUE] = fields[_VALUE], {}
    if len(fields) > _NAMES:
        fields[_NAMES] = dated(fields[_NAMES])
    if version == 1 and len(fields) > _TALLIES:
        fields[_TALLIES] = {name: _tally(*old) for name, old in fields[_TALLIES].items()}
    state = msgspec.convert(fields, BehaviorState, strict=False)
    if older := round(value - orders_value(state), CENTS):
        state.orders_older[""] = older
    return state


def _tally(
    count: int,
    last: float,
    hours: dict[int, int],
    days: dict[int, int],
    human: int = 0,
    first: int = 0,
) -> list[Any]:
    oldest = min(hours, default=1 << 40)
    # What lies before the hours stands in noon's hour of its day; of the first hours' own day they alone are counted.
    kept = {day * 24 + 12: each for day, each in days.items() if day * 24 + 24 <= oldest}
    kept |= hours
    newest = sorted(kept)[-HOURS_MAX:]
    return [count, last, {hour - FIRST_HOUR: kept[hour] for hour in newest}, human, first]
