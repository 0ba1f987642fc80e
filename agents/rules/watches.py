"""Say what Behavior keeps of events for rules that ask for more than a name and a count."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from agents.rules.values import plain
from messaging.vocabulary.ids import derive

Mark = tuple[float, int, int]
"""When it happened (seconds since 1970), which step of the watch it is, and its key (0: none)."""

PATH = "…path"
"""Stands for a page's path among its properties; no event's own property is called so by chance."""


class PageAsked(NamedTuple):
    """Say which pages a rule means, by a text in their paths."""

    id: str
    """What it is kept under: the same in each version of the rules that asks the same."""
    text: str
    prefix: bool
    """Whether the path starts with it; else it contains it."""

    def means(self, path: str) -> bool:
        """Say whether this path is meant."""
        return path.startswith(self.text) if self.prefix else self.text in path


def page_asked(text: str, *, prefix: bool) -> PageAsked:
    """Return what is asked of paths that start with a text (`prefix`), or contain it."""
    return PageAsked(derive("page", text, str(prefix))[:8], text, prefix)


class ViewsAsked(NamedTuple):
    """Say which pages of a session a rule means: those whose path contains any of some texts."""

    id: str
    """What they are counted under: the same in each version of the rules that asks the same."""
    texts: tuple[str, ...]

    def means(self, path: str) -> bool:
        """Say whether this path is meant."""
        return any(text in path for text in self.texts)


def views_asked(texts: Iterable[str]) -> ViewsAsked:
    """Return what is asked of the paths in a session that contain any of these texts, in whatever order they stand."""
    in_order = tuple(sorted(set(texts)))
    return ViewsAsked(derive("views", *in_order)[:8], in_order)


@dataclass(frozen=True, slots=True)
class Watch:
    """Name the events that a rule looks at one by one."""

    id: str
    """The same in each version of the rules that asks the same."""
    steps: tuple[tuple[str, Callable[[dict[str, Any]], bool] | None], ...]
    """Event name, and the test of its properties (None: any)."""
    same: str
    """Property whose value is the key; empty: all have one."""
    only: tuple[str, frozenset[str]] | None = None
    """A property and the plain texts of which it must have one for there to be any mark; None: it is not so simple."""

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


class Watching:
    """Find the watches that an event may leave marks for: of many that ask for a value each, those of the value it has.

    Parameters:
        watches: those that look at the event.
    """

    def __init__(self, watches: Iterable[Watch]) -> None:
        self.watches = list(watches)
        self._any: list[Watch] = []
        self._by_value: dict[str, dict[str, list[Watch]]] = {}
        for watch in self.watches:
            if watch.only is None:
                self._any.append(watch)
                continue
            name, texts = watch.only
            values = self._by_value.setdefault(name, {})
            for text in texts:
                values.setdefault(text, []).append(watch)

    def of(self, properties: dict[str, Any]) -> Iterator[Watch]:
        """Give the watches that an event with these properties may leave marks for, each once."""
        yield from self._any
        for name, values in self._by_value.items():
            value = properties.get(name)
            if value is not None:
                yield from values.get(plain(value), ())


def index_by_event(watches: Iterable[Watch]) -> dict[str, Watching]:
    """Return event name -> the watches that look at it."""
    index: dict[str, list[Watch]] = {}
    for watch in watches:
        for name in {name for name, _ in watch.steps}:
            index.setdefault(name, []).append(watch)
    return {name: Watching(found) for name, found in index.items()}
