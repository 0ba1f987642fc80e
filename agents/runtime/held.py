"""Keep one visitor's state of one bot, with its wake-ups and tombstone, in memory and as bytes.

Stored form (MessagePack): [version, {key: [due, note]}, moved into or "", state]. Only the earliest `due` is
a plain field of the document, since only it is searched.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from agents.protocol.bot import Bot

LISTED = ("cohorts/", "runs/")
"""Beginnings of the figures by which visitors are listed."""


class Stored(msgspec.Struct, array_like=True):
    """Lay out a stored state; the inner state stays raw until its version is known."""

    version: int
    wakes: dict[str, tuple[datetime, str]]
    moved: str
    state: msgspec.Raw


class Held:
    """Hold one visitor's decoded state between batches.

    `stored` is what the last commit wrote, `figures` what the visitor counted as by then.
    """

    __slots__ = ("figures", "moved", "state", "stored", "wakes")

    def __init__(
        self, state: Any, wakes: dict[str, tuple[datetime, str]], moved: str, stored: bytes
    ) -> None:
        self.state = state
        self.wakes = wakes
        self.moved = moved
        self.stored = stored
        self.figures: dict[str, float] = {}

    def due(self) -> datetime | None:
        """Return the earliest wake-up, or None."""
        return min((due for due, _ in self.wakes.values()), default=None)

    def wakes_due(self, now: datetime) -> list[tuple[datetime, str]]:
        """Return (due, key) of every wake-up that is due, earliest first, ties by key."""
        return sorted((due, key) for key, (due, _) in self.wakes.items() if due <= now)

    def is_due(self, key: str, now: datetime) -> bool:
        """Say whether a wake-up still is due: one that fired before it may have taken it back or put it off."""
        found = self.wakes.get(key)
        return found is not None and found[0] <= now


def groups_of(figures: dict[str, float]) -> list[str]:
    """Return what a visitor is listed under, of what they count as: cohorts, and places on paths.

    >>> groups_of({"people": 1.0, "cohorts/leads": 1.0, "runs/welcome/planned/cart": 1.0})
    ['cohorts/leads', 'runs/welcome/planned/cart']
    """
    return sorted(name for name in figures if name.startswith(LISTED))


class Codec:
    """Turn a bot's states into bytes and back, upgrading older layouts."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._figures: Callable[[Any], dict[str, float]] | None = getattr(bot, "figures", None)
        self._encoder = msgspec.msgpack.Encoder()
        self._outer = msgspec.msgpack.Decoder(Stored)
        self._inner: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(bot.state_type)

    def fresh(self, visitor: str) -> Held:
        """Return the state of a visitor never met."""
        return Held(self._bot.fresh(visitor), {}, "", b"")

    def decode(self, body: bytes) -> Held:
        """Return the state from its stored bytes."""
        stored = self._outer.decode(body)
        if stored.version == self._bot.version:
            state = self._inner.decode(stored.state)
        else:
            state = self._bot.upgrade(stored.version, bytes(stored.state))
        held = Held(state, stored.wakes, stored.moved, body)
        held.figures = self.figures(held)
        return held

    def encode(self, held: Held) -> bytes:
        """Return the bytes to store."""
        return self._encoder.encode((self._bot.version, held.wakes, held.moved, held.state))

    def renewed(self, body: bytes) -> bytes:
        """Return a stored state as this version writes it."""
        return self.encode(self.decode(body))

    def figures(self, held: Held) -> dict[str, float]:
        """Return what a visitor counts as; one who moved is counted where they went."""
        return {} if self._figures is None or held.moved else self._figures(held.state)


class Memory:
    """Keep the most recently used states, up to a bound; what falls out is read again from the store."""

    def __init__(self, visitors_max: int) -> None:
        self._visitors_max = visitors_max
        self._held: OrderedDict[str, Held] = OrderedDict()

    def __len__(self) -> int:
        """Return how many states are in memory."""
        return len(self._held)

    def get(self, visitor: str) -> Held | None:
        """Return a state and mark it as just used."""
        held = self._held.get(visitor)
        if held is not None:
            self._held.move_to_end(visitor)
        return held

    def put(self, visitor: str, held: Held) -> None:
        """Keep a state."""
        self._held[visitor] = held
        self._held.move_to_end(visitor)

    def drop(self, visitor: str) -> None:
        """Forget a state, so that the next batch loads what is stored."""
        self._held.pop(visitor, None)

    def shrink(self, pinned: Container[str]) -> None:
        """Let the least recently used states go until the bound holds, but none that is newer than the store's."""
        over = len(self._held) - self._visitors_max
        if over <= 0:
            return
        going = islice((each for each in self._held if each not in pinned), over)
        for visitor in list(going):
            del self._held[visitor]
