"""Say what Behavior keeps of events for rules that ask for more than a name and a count."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from agents.rules.values import plain

Mark = tuple[float, int, int]
"""When it happened (seconds since 1970), which step of the watch it is, and its key (0: none)."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Name the events that a rule looks at one by one."""

    id: str
    """The same in each version of the rules that asks the same."""
    steps: tuple[tuple[str, Callable[[dict[str, Any]], bool] | None], ...]
    """Event name, and the test of its properties (None: any)."""
    same: str
    """Property whose value is the key; empty: all have one."""

    @property
    def kinds(self) -> frozenset[str]:
        """Return the kind of a change of its marks."""
        return frozenset({f"mark:{self.id}"})

    @property
    def needs(self) -> frozenset[tuple[str, str]]:
        """Return what there must be: some mark."""
        return frozenset({("mark", self.id)})

    def marks(self, event: str, properties: dict[str, Any], at: float) -> Iterator[Mark]:
        """Give the marks of an event; of one without the key's property there are none."""
        key = 0
        if self.same:
            value = properties.get(self.same)
            if value is None or isinstance(value, dict | list):
                return
            key = zlib.crc32(plain(value).encode())
        for step, (name, test) in enumerate(self.steps):
            if name == event and (test is None or test(properties)):
                yield at, step, key


def index_by_event(watches: dict[str, Watch]) -> dict[str, list[Watch]]:
    """Return event name -> the watches that look at it."""
    index: dict[str, list[Watch]] = {}
    for watch in watches.values():
        for name in {name for name, _ in watch.steps}:
            index.setdefault(name, []).append(watch)
    return index
