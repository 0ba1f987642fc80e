"""Say what the runtime needs of a bot, and what a bot is given.

    step(state, message, now, view, draw) -> effects        (the state is changed in place)

Rules
1. `step` reads nothing but its arguments and writes into nothing but `state`. The shell can reload it.
2. It is total: every message type a bot may get is matched; others end in `assert_never` or are ignored by name.
3. `now` is the batch's world time, never before the `now` of an earlier step of the same visitor.
4. A bot may say what a state counts as (`figures(state) -> {name: number}`, pure and cheap): the runtime keeps the sums
   over all visitors. Nothing else of a bot reads them.
5. A state has a version; `upgrade` turns the body of every older version into the present one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from agents.protocol.draw import DrawFor
from messaging.vocabulary.effects import Effect
from messaging.vocabulary.messages import Message
from messaging.vocabulary.records import Snapshot

ERASED = "erased"
"""Stands in the tombstone of a visitor who was erased, where that of a merged one names the older visitor."""


class View(msgspec.Struct):
    """Hold what the bots see of the rules and policies at one moment; it is replaced, never changed.

    `rules` is one compiled version (`agents.rules.compiled.CompiledRules`); `pinned` holds all the versions
    that visitors may stand on, the present one among them.
    """

    rules: Any
    rules_version: int
    pinned: dict[int, Any]
    snapshots: dict[str, Snapshot]
    suppressed: frozenset[str] = frozenset()
    """Mailboxes known to be suppressed (those that this batch needs)."""
    mailbox: Callable[[str], str] = lambda address: address
    """Keyed hash of an address."""
    veil: Callable[[str], str] = lambda key: key
    """Keyed hash of an identity key, by which an erased one is known again."""
    holdout: float = 0.05
    consent: str = "opt-in"
    learning: bool = True
    """False: every decision is the rules' default ('snapshot pinned')."""
    social: bool = False
    """True: the Social bot runs."""
    publication: int = 0
    """Number of the publication that made `rules` the present ones; it only grows. 0: not known."""
    paused: frozenset[str] = frozenset()
    """Paths on which nothing is planned."""
    archived: frozenset[str] = frozenset()
    """Paths that nobody is let onto."""
    older_goals: Mapping[str, Mapping[str, tuple[int, ...]]] = {}
    """Event -> path -> older versions that people stand on whose goal it is, while it is not the present version's."""


class Bot(Protocol):
    """Describe one bot to the runtime."""

    name: str
    version: int
    """Version of the state's layout."""
    state_type: type[Any]

    def fresh(self, visitor: str) -> Any:
        """Return the state of a visitor this bot has never met."""
        ...

    def upgrade(self, version: int, body: bytes) -> Any:
        """Return the present state from the MessagePack body of an older version."""
        ...

    def step(
        self, state: Any, message: Message, now: datetime, view: View, draw: DrawFor
    ) -> list[Effect]:
        """Take one message for one visitor."""
        ...
