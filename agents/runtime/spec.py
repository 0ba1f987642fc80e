"""Describe a shard to the runtime: which bot, which slice of the visitors, and the ports it works through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from agents.protocol.bot import Bot, View
from agents.runtime.courier import Jitter
from agents.runtime.limits import Limits
from agents.runtime.postman import Postman
from agents.runtime.scout import Scout
from messaging.ports import Clock, Journal, Peers, Store
from messaging.vocabulary.effects import Act
from messaging.vocabulary.events import Event, Record
from messaging.vocabulary.ids import PARTITIONS, partition_of
from messaging.vocabulary.messages import Message
from messaging.vocabulary.records import IdentityWrite

Rows = dict[str, tuple[str, int]]
"""Identity key -> (visitor, born)."""


class Resolution(Protocol):
    """Say whom an event belongs to."""

    @property
    def visitor(self) -> str:
        """Return the visitor the event is about."""
        ...

    @property
    def merges(self) -> list[tuple[str, str]]:
        """Return (younger, older) for visitors this event showed to be one."""
        ...

    @property
    def member(self) -> bool:
        """Return whether the event's address is another visitor's mailbox."""
        ...


class Resolver(Protocol):
    """Resolve the events of one batch in order (pure; it collects what must be written)."""

    def resolve(self, record: Record, event: Event, keys: list[str] | None = None) -> Resolution:
        """Return whom this event belongs to; `keys` are its own, where they are known already."""
        ...

    def leads(self, key: str) -> bool:
        """Say whether a key leads to anybody by now."""
        ...

    def writes(self) -> list[IdentityWrite]:
        """Return the identity rows to write with the batch."""
        ...


@dataclass(frozen=True)
class Identity:
    """Give the runtime the bot's identity rules: which keys an event has, and a resolver for a batch."""

    keys_of: Callable[[Record, Event], list[str]]
    further_keys: Callable[[Iterable[list[str]], Rows, set[str]], list[str]]
    """(keys of each event, rows known, keys asked) -> keys to ask as well; asked again until empty."""
    resolver: Callable[[Rows, dict[str, int]], Resolver]
    """(rows known, key -> when its owner was erased) -> who resolves a batch."""
    order_keys_of: Callable[[Event], list[str]]
    """The keys of the order that an event names."""
    takes_back: Callable[[Event], bool]
    """Whether an event takes an order back."""
    began_at: Callable[[Record, Event], datetime]
    """Since when there has been what an event is about."""
    orders_named: Callable[[Any], set[str]]
    """(state) -> every id by which it names an order."""


class Log(Protocol):
    """Write one canonical line for an occurrence (structlog's shape)."""

    def info(self, event: str, **keys: Any) -> Any:
        """Log what went as it should."""
        ...

    def warning(self, event: str, **keys: Any) -> Any:
        """Log what we coped with."""
        ...

    def error(self, event: str, **keys: Any) -> Any:
        """Log what somebody must act on."""
        ...


class Trains(Protocol):
    """Carry trainings out (`agents.runtime.trainer`)."""

    def start(self, tell: Callable[[Message], None], shard: str, shards: dict[str, int]) -> None:
        """Begin; `tell` puts a message into the shard's own batch."""
        ...

    def committed(self, acts: list[tuple[str, Act]]) -> None:
        """Take what a batch committed."""
        ...

    def stop(self) -> None:
        """End what is under way."""
        ...


@dataclass
class ShardSpec:
    """Hold what one shard is made of."""

    bot: Bot
    index: int
    of: int
    shards: dict[str, int]
    """Bot -> how many shards it has."""
    senders: list[str]
    """Names of the shards whose outboxes this one reads (itself included)."""
    store: Store
    peers: Peers
    clock: Clock
    view: View
    log: Log
    jitter: Jitter
    journal: Journal | None = None
    identity: Identity | None = None
    postman: Postman | None = None
    scout: Scout | None = None
    trainer: Trains | None = None
    limits: Limits = field(default_factory=Limits)
    build: str = ""
    """Which code this is (`agents.runtime.build`): a shard that other code wrote is given a checkpoint."""
    may_linger: bool = True
    """False where a world clock waits for the shard (`agents.runtime.pace`)."""

    @cached_property
    def name(self) -> str:
        """Return the shard's name: `behavior-0`."""
        return f"{self.bot.name}-{self.index}"

    @cached_property
    def slice(self) -> tuple[int, int]:
        """Return (index, of how many)."""
        return self.index, self.of


def shard_of(bot: str, visitor: str, shards: dict[str, int]) -> str:
    """Return the name of the shard of a bot that holds a visitor.

    >>> shard_of("rules", "ff00", {"rules": 4})
    'rules-3'
    """
    return f"{bot}-{partition_of(visitor) * shards[bot] // PARTITIONS}"
